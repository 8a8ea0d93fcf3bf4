"""`spikemm magnify`: a recording into a magnified video, array or slice."""

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, cast

import typer

from tools.frames_file import ENDINGS, write_frames
from tools.open_recording import open_recording
from tools.options import CalibrationPath, Flip, Height, RateHz, RecordingPath, Width, finite

__all__ = ["magnify"]

_UPSAMPLER = "histospline"
_MOTION = "Which motion is magnified"


def magnify(
    rec: RecordingPath,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="What to write, by its ending: .mp4 or .avi, a video; .npz, `frames` (N, H, W) float32 in spikes per "
            "step and `steps` (N,) int64, the centre of each frame's window; .png, one line of the picture over time.",
        ),
    ],
    alpha: Annotated[
        float,
        typer.Option(
            min=0,
            callback=finite,
            help="Displacement shown over true displacement. 10: ten times; 1: as it is; 0: frozen.",
        ),
    ] = 10.0,
    band: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LO HI",
            callback=finite,
            help="Magnify only what vibrates between these frequencies, in Hz of the real scene. Needs --fps above "
            "twice HI, a window that can follow, and a recording longer than 1.5 / (HI − LO) s.",
            show_default="all motion against the mean of the last second",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="warp: moves the picture, the most exact. riesz, phase: turn local phases, for motion too tangled to "
            "follow. linear: adds light; fast, noisy. compact, mdlmm, oh2018: learned."
        ),
    ] = "warp",
    mode: Annotated[
        str | None,
        typer.Option(
            help="static: displacement from the mean of the last second. dynamic: motion from frame to frame. band: "
            "what vibrates within --band.",
            show_default="band with --band, else static",
            rich_help_panel=_MOTION,
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="x or y: magnify only this component of the motion (not of linear and oh2018).",
            show_default="both",
            rich_help_panel=_MOTION,
        ),
    ] = None,
    region: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            metavar="X Y W H",
            help="Magnify only inside this rectangle, px.",
            show_default="everywhere",
            rich_help_panel=_MOTION,
        ),
    ] = None,
    steady: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            metavar="X Y W H",
            help="A rectangle that stands still in the scene, px: frames are put back by its motion, against a camera "
            "that shakes.",
            show_default="the camera stands still",
            rich_help_panel=_MOTION,
        ),
    ] = None,
    method_weights: Annotated[
        Path | None,
        typer.Option(
            help="Networks of --method compact, mdlmm or oh2018: a file.",
            show_default="those of the package",
            rich_help_panel=_MOTION,
        ),
    ] = None,
    front: Annotated[
        str,
        typer.Option(
            help="How frames are made from spikes: interval, rate or isi, one window each; mie, several windows and "
            "two networks, much cleaner where nothing moves and in the dark, but what moves by less than 0.03 px "
            "counts as still; bsn1 or bsn2, one of the networks alone; paper, the method as published, with --weights "
            "of your own.",
        ),
    ] = "interval",
    window: Annotated[
        int,
        typer.Option(
            min=1,
            help="Steps of each frame's window: longer is cleaner, shorter follows faster motion. With networks the "
            "short window; the long one is eight times as long, so a frame needs 256 steps where this is 32.",
        ),
    ] = 32,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Networks of --front mie, bsn1 or bsn2 (a file) or paper (a folder).",
            show_default="those of the package",
        ),
    ] = None,
    fps: Annotated[
        float,
        typer.Option(min=0, callback=finite, help="Frames per second of sensor time; must divide the sensor's rate."),
    ] = 1000.0,
    scale: Annotated[float, typer.Option(min=1, max=8, callback=finite, help="Upsampling of the picture.")] = 1.0,
    upsampler: Annotated[
        str,
        typer.Option(
            help="How --scale fills in pixels: histospline, linear, bicubic, lanczos; or wire, the paper's network, "
            "which takes 3 hours for the first 250×400 frame and 85 s for each later one on a CPU."
        ),
    ] = _UPSAMPLER,
    play_fps: Annotated[
        float, typer.Option(min=1, max=240, callback=finite, help="Frames per second at which the video is shown.")
    ] = 25.0,
    height: Height = None,
    width: Width = None,
    rate: RateHz = None,
    flip: Flip = None,
    calibration: CalibrationPath = None,
) -> None:
    """Magnify the motion in a recording and write it to a file.

    The default shows 1,000 frames per second of sensor time at 25 a second: 40 times slower than it happened.

    A window is an average over time and hides part of a fast vibration. With --band that part is known and divided
    out, so alpha is the factor on the true motion; where less than 30 % is left the command refuses and names the
    limit. The last line tells what the window kept at the band's centre and by how much the band filter delays what
    it magnifies. The filter needs 1.5 / (HI − LO) s to settle, over which the magnification rises from none to alpha:
    with --band 300 320 the first 75 ms of sensor time.

    The slice (.png) has time to the right and the points of one line downwards: the row or column through the
    strongest motion in the first frames, across the edge that moves. Each frame is one column; where there are few,
    each is repeated so often that the picture is at least 400 px wide.

    For example:

    `spikemm magnify fork.dat fork.mp4 --band 300 320`

    `spikemm magnify car.dat car.npz --alpha 4 --front rate --window 64`

    `spikemm magnify bridge.dat bridge.png --alpha 50 --band 8 12 --fps 100 --window 128`
    """
    from nodes.files.output_file import check_output, older_file, writing
    from spikemm.exceptions import RecordingError

    check_output(str(out), ENDINGS)
    if upsampler != _UPSAMPLER and scale == 1.0:
        raise typer.BadParameter(f"--upsampler {upsampler}: at --scale 1 there is nothing to fill in; set --scale")
    recording = open_recording(rec, height=height, width=width, rate_hz=rate, flip=flip, calibration=calibration)

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    from spikemm.device import pick_device
    from spikemm.front import FrontSpec
    from spikemm.offline import hop_of, magnify_recording
    from spikemm.whole_file import whole_file
    from tools.band_facts import band_facts, warn_of_settling
    from tools.progress import progress

    spec = FrontSpec(front, window)
    with writing(out), whole_file(out) as unfinished, progress("magnifying", recording.steps) as reached:
        start = perf_counter()
        batches = magnify_recording(
            recording,
            alpha=alpha,
            band_hz=band,
            method=method,
            mode=cast(Any, mode),
            axis=cast(Any, axis),
            regions=() if region is None else (region,),
            steady=steady,
            method_weights=method_weights,
            front=spec,
            weights=weights,
            fps=fps,
            scale=scale,
            upsampler=upsampler,
            device=pick_device("auto"),
            on_progress=lambda done, _: reached(done),
        )
        if band is not None:
            warn_of_settling(recording, band)
        frames, light, line = write_frames(batches, unfinished, play_fps)
        if not frames:
            raise RecordingError(
                f"{rec}: {recording.steps} steps hold no whole window of {spec}, {spec.steps} steps around a multiple "
                f"of {hop_of(recording.rate_hz, fps)}; take a shorter --window or a higher --fps{older_file(out)}"
            )
        ms = 1000 * (perf_counter() - start) / frames
    facts = [f"{out}: {frames} frames", f"{fps:g} fps of sensor time", *([line] if line else [])]
    if band is not None:
        facts += band_facts(recording, spec, band, fps, light)
    typer.echo(", ".join([*facts, f"{ms:.1f} ms a frame"]))
