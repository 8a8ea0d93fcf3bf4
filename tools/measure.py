"""`spikemm measure`: how far and at what frequency a region vibrates."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.measured_part import gapless_start
from tools.open_recording import open_recording
from tools.options import CalibrationPath, Flip, Height, Json, RateHz, RecordingPath, Width, finite
from tools.shape import write_shape

if TYPE_CHECKING:
    from spikemm.recording import Recording
    from spikemm.vibration.measurement import Measurement
    from spikemm.vibration.spectrum import AxisAnalysis

__all__ = ["measure"]

_PARTS = 1000
_ALPHA = 10.0
_SHAPE = "The shape of a vibration, instead of its figures"


def measure(
    rec: RecordingPath,
    roi: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            metavar="X Y W H",
            help="The region: left, top, width and height in px of the upright picture, 8×8 or more.",
            show_default="the one that vibrates most",
        ),
    ] = None,
    band: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LO HI",
            callback=finite,
            help="Look only between these frequencies, in Hz.",
            show_default="4 cycles in the measured time, to 0.3 of the sensor's rate",
        ),
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            help="Where in the recording to begin, in seconds by the sensor's clock.",
            show_default="its beginning; where steps are missing, that of the longest part without a gap",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            callback=finite, help="How much to measure, up to 4 s.", show_default="2 s, or what the recording has"
        ),
    ] = None,
    shape: Annotated[
        float | None,
        typer.Option(
            metavar="HZ",
            callback=finite,
            help="Show how the whole picture moves at this frequency: one clean cycle, averaged over the measured "
            "time, written to --out.",
            show_default="measure a region",
            rich_help_panel=_SHAPE,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The shape's file, by its ending: .mp4 or .avi, a video of five cycles, a second each; .npz, `frames` "
            "(24, H, W) of one cycle and `steps`; .png, one line of the picture over the cycle.",
            show_default=False,
            rich_help_panel=_SHAPE,
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Displacement shown in the shape over true displacement.",
            show_default="10",
            rich_help_panel=_SHAPE,
        ),
    ] = None,
    as_json: Json = False,
    height: Height = None,
    width: Width = None,
    rate: RateHz = None,
    flip: Flip = None,
    calibration: CalibrationPath = None,
) -> None:
    """Measure how a region vibrates: frequency, amplitude and phase of every tone, and the noise floor beside them.

    Amplitudes are half of peak to peak, in px of the sensor; x is to the right, y down. The **noise floor** is the
    least amplitude that this recording can show in the middle (in octaves) of the band: what is not listed may still
    move by less. Choose a region that moves as one piece: of several motions the mean is shown, weighted by contrast,
    and what stands still counts as well. An axis along which the picture has no contrast has no noise floor.
    Nothing is measured across a gap.

    Without --roi the region that vibrates most is looked for (in blocks of 16 px, 10 to 600 Hz), and named.

    --json prints one object: axes, with x and y, each with peaks (hz, px, snr_db, phase_deg at step 0; strongest
    first), noise_floor_px and noise_density_px_per_sqrt_hz (null where the axis shows nothing); fps, displacements per
    second; steps, how many steps were measured; start_step; roi; method.

    For example:

    `spikemm measure fork.dat --roi 222 32 27 75`

    `spikemm measure pump.dat --roi 40 60 80 80 --band 10 200 --json`

    `spikemm measure pump.dat --shape 24.7 --out shape.mp4 --alpha 50`
    """
    _check_shape(shape, out, alpha, {"--roi": roi, "--band": band, "--json": as_json or None})
    recording = open_recording(rec, height=height, width=width, rate_hz=rate, flip=flip, calibration=calibration)

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    from spikemm.vibration.measurement import check_band, measure_recording, part_of
    from tools.progress import progress

    start_s = gapless_start(recording, start, seconds)
    part = part_of(recording, start_s, seconds)
    if shape is not None and out is not None:
        write_shape(recording, part, shape, out, alpha=_ALPHA if alpha is None else alpha)
        return
    check_band(recording, part, band)
    chosen = roi or _proposed(recording, start_s, seconds)
    with progress("measuring", _PARTS) as reached:
        found = measure_recording(
            recording,
            chosen,
            band_hz=band,
            start_s=start_s,
            seconds=seconds,
            on_progress=lambda done, total: reached(_PARTS * done // total),
        )
    if as_json:
        typer.echo(json.dumps(_facts(found)))
    else:
        _show(found, recording)


def _check_shape(shape: float | None, out: Path | None, alpha: float | None, others: dict[str, Any]) -> None:
    """Refuse options of which one does nothing without another, or beside it."""
    if shape is None:
        lonely = [name for name, value in (("--out", out), ("--alpha", alpha)) if value is not None]
        if lonely:
            raise typer.BadParameter(f"{lonely[0]} is for a shape: give --shape HZ as well")
        return
    if out is None:
        raise typer.BadParameter(f"--shape {shape:g} needs a file to write: give --out, such as shape.mp4")
    for name, value in others.items():
        if value is not None:
            raise typer.BadParameter(f"{name} does nothing with --shape, which shows the whole picture: leave it out")


def _proposed(recording: "Recording", start_s: float, seconds: float | None) -> tuple[int, int, int, int]:
    from spikemm.vibration.proposal import propose_region

    roi = propose_region(recording, start_s=start_s, seconds=seconds)
    typer.echo(f"no --roi: measuring what vibrates most, --roi {' '.join(map(str, roi))}", err=True)
    return roi


def _facts(found: "Measurement") -> dict[str, Any]:
    analysis = found.analysis
    return {
        "axes": {"x": _axis(analysis.x), "y": _axis(analysis.y)},
        "fps": analysis.fps,
        "steps": found.steps,
        "start_step": found.start_step,
        "roi": list(found.roi),
        "method": found.method,
    }


def _axis(axis: "AxisAnalysis") -> dict[str, Any]:
    return {
        "peaks": [{"hz": p.hz, "px": p.px, "snr_db": p.snr_db, "phase_deg": p.phase_deg} for p in axis.peaks],
        "noise_floor_px": _finite(axis.noise_floor_px),
        "noise_density_px_per_sqrt_hz": _finite(axis.noise_density_px_per_sqrt_hz),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _show(found: "Measurement", recording: "Recording") -> None:
    from rich.table import Table

    from tools.tables import console

    analysis = found.analysis
    table = Table(title=_title(found, recording), title_justify="left")
    for heading in ("axis", "Hz", "amplitude px", "phase °", "SNR dB", "noise floor px"):
        table.add_column(heading, justify="left" if heading == "axis" else "right")
    for name, axis in (("x", analysis.x), ("y", analysis.y)):
        floor = f"{axis.noise_floor_px:.2g}" if math.isfinite(axis.noise_floor_px) else "no contrast"
        rows = [(f"{p.hz:.3f}", f"{p.px:.5f}", f"{p.phase_deg:.1f}", f"{p.snr_db:.0f}") for p in axis.peaks]
        for row in rows or [("none", "–", "–", "–")]:
            table.add_row(name, *row, floor)
    console().print(table)


def _title(found: "Measurement", recording: "Recording") -> str:
    low, high = found.analysis.band_hz
    x, y, width, height = found.roi
    length = found.steps / recording.rate_hz
    whole = "" if found.steps == recording.steps else f" of {recording.seconds:g} s"
    return f"region {x} {y} {width} {height}, {length:g} s{whole}, {low:.3g} to {high:.5g} Hz, by {found.method}"
