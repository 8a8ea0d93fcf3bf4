"""What `spikemm info` says of a session, besides what it says of every recording."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spikemm.recording import Recording
    from spikemm.session import SessionCheck

__all__ = ["check_of", "checked_blocks", "session_rows"]

_SHOWN = 5


def check_of(recording: "Recording") -> "SessionCheck | None":
    """Return a check to run over a session; None for any other recording."""
    from spikemm.session import SessionCheck, SessionSteps

    if recording.layout != "session":
        return None
    return SessionCheck(SessionSteps(recording.path))


def checked_blocks(recording: "Recording", check: "SessionCheck") -> "Iterator[NDArray[np.uint8]]":
    """Read a session once, block by block, upright."""
    from spikemm.packing import flip_rows

    for packed in check.blocks():
        yield flip_rows(packed, recording.height, recording.width) if recording.flip else packed


def session_rows(facts: dict[str, Any]) -> dict[str, str]:
    """Return the rows of the table from a session's facts."""
    blocks = f"{facts['blocks']}, {facts['unreadable_blocks']} not readable, {len(facts['bad_blocks'])} damaged"
    state = "being recorded" if facts["recording"] else "finished" if facts["finished"] else "cut off, not finished"
    cut = f"; {facts['torn_bytes']} bytes of a torn last record" if facts["torn_bytes"] else ""
    return {
        "session": f"{state}{cut}" + (f": {facts['why_ended']}" if facts["why_ended"] else ""),
        "recorded": f"by {facts['pipeline'] or 'no pipeline'}, from {facts['stream']}, keep {facts['keep']}",
        "sensor steps": f"{facts['first_step']} to {facts['stop_step'] - 1}",
        "blocks": blocks,
        "damaged steps": _listed([f"{start} to {stop - 1}" for start, stop in facts["bad_blocks"]]),
        "gaps": _listed([f"{missing} steps from {step} on" for step, missing in facts["gaps"]]),
        "not recorded": f"{facts['steps_not_recorded']} steps that came too fast for the disk",
        "triggers": _listed([f"{t['reason']} (step {t['step']})" for t in facts["triggers"]]),
        "messages": _listed([f"{name}{'' if whole else ' (cut off)'}" for name, whole in facts["messages"].items()]),
    }


def _listed(items: list[str]) -> str:
    more = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return ", ".join(items[:_SHOWN] + more) or "none"
