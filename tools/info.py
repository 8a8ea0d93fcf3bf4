"""`spikemm info`: what a recording holds."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tools.info_session import check_of, checked_blocks, session_rows
from tools.info_sessions import listed_sessions, sessions_in, show_sessions
from tools.open_recording import open_recording
from tools.options import CalibrationPath, Flip, Height, Json, RateHz, RecordingPath, Width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spikemm.calibration import Calibration
    from spikemm.recording import Recording
    from spikemm.session import SessionCheck

__all__ = ["info"]

_CHUNK_STEPS = 512
_WINDOWS = (8, 16, 32, 64, 256)


def info(
    rec: RecordingPath,
    height: Height = None,
    width: Width = None,
    rate: RateHz = None,
    flip: Flip = None,
    calibration: CalibrationPath = None,
    as_json: Json = False,
) -> None:
    """Show what a recording holds: size, duration, light, and how fast a vibration each window can follow.

    Reads the whole file once, in constant memory. Of a session that `record` has written, every block is checked
    against its checksum, and the table tells what is missing, damaged or cut off, what it was kept for, and whether all
    that was asked for is there. A trigger's seconds count from the session's first step, as `spikemm ctl seek` and
    `spikemm measure --start` take them. Of a folder that holds sessions, a list of these is shown, the newest last,
    without comparing checksums.
    **mean_rate** is the light in spikes per step, from 0 to 1; a saturated pixel fires on every step, a dead one never.
    A window is an average over time, so it damps fast vibrations: the table names the frequency at which it still keeps
    30 % of an amplitude, at the recording's mean light.

    Exit status: 0; 1 if a session can be read and is not whole: something that it has seen, or was asked to keep, is
    missing, damaged or cut off, or one of the sessions listed is not whole; 2 if nothing can be read.

    Example: `spikemm info car.dat --json`
    """
    from spikemm.calibration import calibration_of

    if sessions := sessions_in(rec):
        _list(sessions, as_json, height, width, rate, flip, calibration)
    recording = open_recording(rec, height=height, width=width, rate_hz=rate, flip=flip, calibration=calibration)
    loaded = calibration_of(recording)
    facts = _facts(recording)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        _show(facts, loaded)
    raise typer.Exit(int("session" in facts and not facts["session"]["whole"]))


def _list(sessions: list[Path], as_json: bool, *of_a_recording: Any) -> None:
    """Tell of sessions, and exit."""
    from spikemm.exceptions import OptionError

    if any(option is not None for option in of_a_recording):
        raise OptionError(
            f"{sessions[0].parent} is a folder of sessions, and a size, a rate, row order or calibration is of one "
            "recording: leave these options out, or name one session"
        )
    rows = listed_sessions(sessions)
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        show_sessions(rows)
    raise typer.Exit(int(not all(row["whole"] for row in rows)))


def _facts(recording: "Recording") -> dict[str, Any]:
    check = check_of(recording)
    spikes, always, ever = _scan(recording, check)
    pixels = recording.height * recording.width
    mean_rate = spikes / (pixels * recording.steps)
    sidecar = Path(recording.path).with_suffix(".yaml")
    session = {} if check is None else {"session": check.facts()}
    return {
        "path": str(recording.path),
        "layout": recording.layout,
        "height": recording.height,
        "width": recording.width,
        "rate_hz": recording.rate_hz,
        "steps": recording.steps,
        "seconds": recording.seconds,
        "mean_rate": mean_rate,
        "saturated_pixels": _ones(always),
        "dead_pixels": pixels - _ones(ever),
        "trailing_bytes": recording.trailing_bytes,
        "sidecar": str(sidecar) if sidecar.exists() else None,
        "flip": recording.flip,
        "calibration": None if recording.calibration is None else str(recording.calibration),
        "highest_hz": _highest_frequencies(mean_rate, recording.rate_hz),
        **session,
    }


def _scan(recording: "Recording", check: "SessionCheck | None") -> tuple[int, "NDArray[np.uint8]", "NDArray[np.uint8]"]:
    """Count the spikes; find the pixels (packed) that fire on all steps, and on any."""
    import numpy as np

    from tools.progress import progress

    spikes = done = 0
    chunks: Iterable[NDArray[np.uint8]] = _chunks(recording) if check is None else checked_blocks(recording, check)
    always = np.full((recording.height * recording.width + 7) // 8, 255, np.uint8)
    ever = np.zeros_like(always)
    with progress("reading", recording.steps) as reached:
        for packed in chunks:
            spikes += _ones(packed)
            always &= np.bitwise_and.reduce(packed, axis=0)
            ever |= np.bitwise_or.reduce(packed, axis=0)
            done += len(packed)
            reached(done)
    return spikes, always, ever


def _chunks(recording: "Recording") -> "Iterator[NDArray[np.uint8]]":
    for piece in recording.timeline.pieces(_CHUNK_STEPS):
        yield recording.packed(piece.start, piece.stop)


def _ones(packed: "NDArray[np.uint8]") -> int:
    import numpy as np

    return int(np.bitwise_count(packed).sum(dtype=np.int64))


def _highest_frequencies(mean_rate: float, rate_hz: float) -> dict[str, float]:
    """Highest frequency in Hz that each window of the default front end can follow; none for a dark recording."""
    from spikemm.maps import MapSpec
    from spikemm.response import effective_length, highest_frequency

    specs = [MapSpec("interval", window) for window in _WINDOWS] if mean_rate > 0 else []
    return {str(spec): highest_frequency(float(effective_length(spec, mean_rate)), rate_hz) for spec in specs}


def _show(facts: dict[str, Any], calibration: "Calibration | None") -> None:
    from rich.table import Table
    from rich.text import Text

    from tools.tables import console

    rows = {
        "file": facts["path"],
        "layout": f"{facts['layout']}, rows {'bottom-up, flipped on reading' if facts['flip'] else 'top-down'}",
        "sidecar": facts["sidecar"] or "none",
        "calibration": "none" if calibration is None else _described(facts["calibration"], calibration),
        "size": f"{facts['height']} × {facts['width']} px (rows × columns)",
        "duration": f"{facts['steps']} steps at {facts['rate_hz']:g} Hz: {facts['seconds']:g} s",
        "mean light": f"{facts['mean_rate']:.4f} spikes per step",
        "saturated pixels": str(facts["saturated_pixels"]),
        "dead pixels": str(facts["dead_pixels"]),
        "trailing bytes": f"{facts['trailing_bytes']}"
        + (" (part of a step, left out)" if facts["trailing_bytes"] else ""),
    }
    rows |= session_rows(facts["session"], facts["rate_hz"]) if "session" in facts else {}
    rows |= {f"{name} follows up to": f"{hz:.0f} Hz" for name, hz in facts["highest_hz"].items()}
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, Text(value))
    console().print(table)


def _described(path: str, calibration: "Calibration") -> str:
    faults = int((~calibration.good).sum())
    return f"{path}: a pattern of {calibration.pattern:.2%}, {faults} faulty pixels"
