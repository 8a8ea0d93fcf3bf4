"""Open a recording for a command, and tell the user what is odd about it."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from spikemm.recording import Recording

__all__ = ["open_recording"]


def open_recording(
    path: Path,
    *,
    height: int | None = None,
    width: int | None = None,
    rate_hz: float | None = None,
    flip: bool | None = None,
    calibration: str | None = None,
) -> "Recording":
    """Open a recording, its notes going to standard error.

    Parameters
    ----------
    path : Path
    height, width, rate_hz, flip, calibration
        None: what the sidecar says, or the default; see `Recording`.

    Raises
    ------
    RecordingError
        If it cannot be read as asked.
    """
    from spikemm.recording import Recording

    recording = Recording(path, height=height, width=width, rate_hz=rate_hz, flip=flip, calibration=calibration)
    for note in recording.notes:
        typer.echo(note, err=True)
    return recording
