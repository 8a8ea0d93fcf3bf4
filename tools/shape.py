"""The operating deflection shape of a recording, into a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tools.frames_file import ENDINGS, write_frames

if TYPE_CHECKING:
    from spikemm.recording import Recording

__all__ = ["write_shape"]

_PARTS = 1000
_VIDEO_CYCLES = 5
_LEAST_ABOVE_NOISE = 2.5
"""Where nothing vibrates the strongest block of a picture reaches 1.1 to 2.1; 0.005 px of a whole fork 5."""


def write_shape(recording: "Recording", part: range, frequency_hz: float, out: Path, *, alpha: float) -> None:
    """Write how the picture moves at a frequency, and say what was written.

    Parameters
    ----------
    recording : Recording
        What is read.
    part : range
        Which of its steps.
    frequency_hz, alpha : float
        Of the vibration, and the displacement shown over the true one.
    out : Path
        The file, with an ending of `ENDINGS`.

    Raises
    ------
    OptionError
        The file cannot be of that kind, or the recording cannot show the frequency.
    """
    from nodes.files.output_file import check_output, writing

    check_output(str(out), ENDINGS)
    # Only now what takes seconds to load: a slip of the pen is answered at once.
    from spikemm.device import pick_device
    from spikemm.vibration.recorded_shape import PHASES, shape_of_recording
    from spikemm.whole_file import whole_file
    from tools.progress import progress

    with writing(out), whole_file(out) as unfinished, progress("averaging", _PARTS) as reached:
        shape = shape_of_recording(
            recording,
            part,
            frequency_hz,
            alpha=alpha,
            device=pick_device("auto"),
            on_progress=lambda done, total: reached(_PARTS * done // total),
        )
        cycles = _VIDEO_CYCLES if out.suffix.lower() in (".mp4", ".avi") else 1
        _, _, line = write_frames(iter([shape.loop] * cycles), unfinished, PHASES)
    seconds = len(part) / recording.rate_hz
    facts = [f"{out}: one cycle of {frequency_hz:g} Hz in {PHASES} frames", f"averaged over {seconds:g} s"]
    typer.echo(", ".join([*facts, f"motion ×{alpha:g}", *([line] if line else [])]))
    if shape.above_noise < _LEAST_ABOVE_NOISE:
        apart_hz = 1.0 / seconds
        typer.echo(
            f"warning: nothing vibrates at {frequency_hz:g} Hz more than beside it, so the shape is mostly noise: give "
            f"the frequency to {0.5 * apart_hz:.2g} Hz, as measure without --shape tells it",
            err=True,
        )
