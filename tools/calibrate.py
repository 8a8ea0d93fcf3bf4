"""`spikemm calibrate`: the fixed pattern of a camera, from a dark and a flat recording, or estimated from a scene."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.open_recording import open_recording
from tools.options import Flip, Height, RateHz, Width

if TYPE_CHECKING:
    from spikemm.calibration import Calibration
    from spikemm.recording import Recording

__all__ = ["calibrate"]


def calibrate(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="DARK FLAT OUT.npz",
            help="The lens covered; even light; the calibration to write. With --estimate: REC OUT.npz.",
        ),
    ],
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate it from one ordinary recording in which the picture moves.")
    ] = False,
    height: Height = None,
    width: Width = None,
    rate: RateHz = None,
    flip: Flip = None,
) -> None:
    """Measure what each pixel of a camera multiplies and adds, so that it can be taken out of every picture.

    A spike camera's pixels differ by about 5 %. That pattern stands still while the scene moves, and pulls every
    measured motion towards zero: 4 % of the amplitude on a wooden ruler.

    DARK: cover the lens, record 1 s. FLAT: point the defocused camera at something evenly lit (a sheet of white paper
    across the lens will do), about as bright as your scenes and nowhere saturated, record 1 s. Dead, hot and saturated
    pixels are counted, and later replaced by the median of the good ones around them. How exact the gains are is
    measured on the two halves of the recordings and printed.

    Use the file with `--calibration OUT.npz`, as the option `calibration` of `replay` and `synthetic_camera`, or once
    and for all by a line `calibration: OUT.npz` in the sidecar REC.yaml of a recording (a path relative to the
    sidecar). Recordings themselves stay raw.

    **--estimate** is for recordings of a camera that is out of reach. It tells pattern from texture by motion: the
    whole picture should move by 0.2 to 1 px, best in several directions (let the desk shake). Of a pattern of 5 %
    about 3 % is left; of an amplitude that the pattern lowers by 3 to 6 %, 0.6 to 2.5 % stays missing, and a strong
    edge, which the pattern hardly harms, loses up to 1 % more. What stands still stays as it is. A dark and a flat are
    far better.

    For example:

    `spikemm calibrate dark.dat flat.dat camera7.npz`

    `spikemm calibrate --estimate bridge.dat bridge.npz`
    """
    from nodes.files.output_file import check_output

    wanted = 2 if estimate else 3
    if len(files) != wanted:
        names = "REC OUT.npz" if estimate else "DARK FLAT OUT.npz"
        raise typer.BadParameter(f"{len(files)} files given, {wanted} are needed: {names}")
    *paths, out = files
    check_output(str(out), (".npz",))
    recordings = [open_recording(path, height=height, width=width, rate_hz=rate, flip=flip) for path in paths]
    made = _estimated(recordings[0]) if estimate else _measured(*recordings)
    made.save(out)
    _show(made, out, recordings, estimated=estimate)


def _measured(dark: "Recording", flat: "Recording") -> "Calibration":
    from spikemm.flat_field import from_dark_and_flat
    from tools.progress import progress

    with progress("measuring", dark.steps + flat.steps) as reached:
        return from_dark_and_flat(dark, flat, on_progress=lambda done, _: reached(done))


def _estimated(recording: "Recording") -> "Calibration":
    from spikemm.self_calibration import estimate
    from tools.progress import progress

    with progress("estimating", 2) as reached:
        return estimate(recording, on_progress=lambda done, _: reached(done))


def _show(made: "Calibration", out: Path, recordings: "list[Recording]", *, estimated: bool) -> None:
    from rich.table import Table

    from tools.tables import console

    rows = {"calibration": f"{out}: {made.gain.shape[0]} × {made.gain.shape[1]} px"}
    rows |= _estimate_rows(made) if estimated else _measured_rows(made, recordings[0].steps)
    table = Table(show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    console().print(table)


def _measured_rows(made: "Calibration", dark_steps: int) -> dict[str, str]:
    import numpy as np

    from spikemm.calibration import DEAD, HOT, SATURATED

    dead, hot, saturated = (int((made.fault == fault).sum()) for fault in (DEAD, HOT, SATURATED))
    dark = made.dark[made.good]
    return {
        "pattern": f"{made.pattern:.2%} (standard deviation of the gains)",
        "exact to": f"±{float(np.median(made.error[made.good])):.2g} of each gain",
        "dark": f"{dark.mean():.2g} ± {dark.std():.2g} spikes per step, told to about {1 / dark_steps:.1g}",
        "dead pixels": str(dead),
        "hot pixels": str(hot),
        "saturated": f"{saturated} pixels of the flat",
    }


def _estimate_rows(made: "Calibration") -> dict[str, str]:
    from spikemm.pattern import USUAL_PATTERN
    from spikemm.self_calibration import KNOWN

    known = made.error < KNOWN
    share = float(known.mean())
    if not share:
        return {"estimated": "no pixel: nothing moves, every gain stays 1; record a dark and a flat"}
    typical = float((made.error[known] ** 2).mean() ** 0.5)
    return {
        "estimated": f"{share:.0%} of the pixels, their gains to ±{typical:.1%} (it was ±{USUAL_PATTERN:.0%})",
        "pattern found": f"{float(made.gain[known].std()):.2%} (standard deviation of their gains)",
        "dark": "unknown, taken as 0",
    }
