"""What `spikemm info` says of a folder that holds sessions: one row for each."""

from pathlib import Path
from typing import Any

from tools.info_session import local_time, session_losses, session_state

__all__ = ["listed_sessions", "sessions_in", "show_sessions"]


def sessions_in(path: Path) -> list[Path]:
    """Return the sessions that a folder holds; none if it is a session itself, or no folder."""
    from spikemm.session import is_session

    if not path.is_dir() or is_session(path):
        return []
    return sorted(folder for folder in path.iterdir() if is_session(folder))


def listed_sessions(folders: list[Path]) -> list[dict[str, Any]]:
    """Return what is known of sessions without reading their spikes, JSON-able, the newest last.

    ``started``: seconds since 1970, None where the description cannot be read; ``seconds`` of spikes; ``reasons``:
    why it was kept; ``whole``, as far as can be told without the checksums of the blocks; ``missing``: what is wrong.
    """
    return sorted((_row(folder) for folder in folders), key=lambda row: (row["started"] or 0.0, row["name"]))


def _row(folder: Path) -> dict[str, Any]:
    from spikemm.exceptions import RecordingError
    from spikemm.session import Description, SessionCheck, SessionSteps

    row: dict[str, Any] = {"name": folder.name, "path": str(folder), "started": None, "seconds": 0.0, "reasons": []}
    try:
        description = Description.load(folder)
        reasons = list(dict.fromkeys(trigger.reason for trigger in description.triggers))
        row |= {"started": description.started, "reasons": reasons}
        steps = SessionSteps(folder)
    except RecordingError as error:
        return row | {"state": "not readable", "whole": False, "missing": str(error)}
    facts = SessionCheck(steps).facts()
    missing = "" if facts["whole"] else session_losses(facts)
    told = {"state": session_state(facts), "whole": facts["whole"], "missing": missing}
    return row | {"seconds": steps.count / description.rate_hz} | told


def show_sessions(rows: list[dict[str, Any]]) -> None:
    """Print a table of sessions."""
    from rich.table import Table
    from rich.text import Text

    from tools.tables import console

    table = Table(
        box=None, caption="checksums are not compared here: spikemm info SESSION does", caption_justify="left"
    )
    for heading in ("session", "started", "seconds", "kept for", "whole"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "seconds" else "left")
    for row in rows:
        started = "unknown" if row["started"] is None else local_time(row["started"])
        reasons = "; ".join(row["reasons"][:3] + ["…"] * (len(row["reasons"]) > 3))
        cells = row["name"], started, f"{row['seconds']:.6g}", reasons, _whole(row)
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)


def _whole(row: dict[str, Any]) -> str:
    so_far = ", so far" if row["state"] == "being recorded" else ""
    return f"yes{so_far}" if row["whole"] else f"no: {row['missing']}"
