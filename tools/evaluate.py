"""`spikemm evaluate`: what the front ends are worth, as tables, pictures and one report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.options import CalibrationPath, Flip, Height, RateHz, Width, finite

if TYPE_CHECKING:
    from spikemm.recording import Recording

__all__ = ["app"]

_SCENES = "tuning-fork,short-ruler,long-ruler,balloon"
_QUICK_PERIODS = 4.0
_CAMERA, _REAL = "The simulated camera", "Real recordings"

app = typer.Typer(
    no_args_is_help=True,
    help="Judge the methods: against truth where it is known, by what can be told where it is not.\n\n"
    "Example: `spikemm evaluate reconstruction --quick --out report`",
)


@app.callback()
def _group() -> None:
    """Keep `reconstruction` a command of its own name."""


@app.command()
def reconstruction(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(metavar="REC", help="Real recordings to evaluate as well.", show_default="none"),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, one file with everything in it, and tables.json.")
    ] = Path("evaluation"),
    rows: Annotated[
        str,
        typer.Option(
            help="Front ends to compare, name:window each, with commas between; the paper's TFP is rate, its TFI isi."
        ),
    ] = "rate:32,isi:32,interval:32,bsn1:32,bsn2:32,mie:32",
    scenes: Annotated[
        str, typer.Option(help="Simulated scenes, with commas between; none: only recordings.")
    ] = _SCENES,
    periods: Annotated[
        float, typer.Option(min=1, max=10_000, callback=finite, help="Length of each scene, in periods of its motion.")
    ] = 100.0,
    frames_per_period: Annotated[
        float, typer.Option(min=3, max=1000, callback=finite, help="Frames made of each period, about.")
    ] = 10.0,
    sweeps: Annotated[
        bool, typer.Option(help="Also sweep windows, frequencies, amplitudes, and a tenth of the light.")
    ] = True,
    quick: Annotated[bool, typer.Option("--quick", help="A try-out: 4 periods instead of --periods.")] = False,
    weights: Annotated[
        Path | None,
        typer.Option(help="Networks of bsn1, bsn2 and mie: a file.", show_default="those of the package"),
    ] = None,
    paper_weights: Annotated[
        Path | None, typer.Option(help="Networks of a row paper:…: the folder of both.", show_default="none")
    ] = None,
    raft_weights: Annotated[
        Path | None,
        typer.Option(
            help="Weights of torchvision's RAFT: the flow is then told by RAFT. Needs the extra `raft`.",
            show_default="flow by OpenCV's DIS",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads of PyTorch and OpenCV.")] = 1,
    light: Annotated[
        float,
        typer.Option(min=0.001, max=10, callback=finite, help="Factor on the scenes' light.", rich_help_panel=_CAMERA),
    ] = 1.0,
    noise: Annotated[
        float,
        typer.Option(min=0, max=1, callback=finite, help="Temporal noise, see simulate.", rich_help_panel=_CAMERA),
    ] = 0.0,
    fixed_pattern: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.2,
            callback=finite,
            help="Spread of the pixels' gains; they then have a dark current too, and are calibrated by a simulated "
            "dark and flat recording.",
            rich_help_panel=_CAMERA,
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.", rich_help_panel=_CAMERA)] = 0,
    static: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            metavar="X Y W H",
            help="Region of the recording in which nothing moves, px.",
            show_default="its quietest block of 32×32 px",
            rich_help_panel=_REAL,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="True picture of one step, linear in light.", rich_help_panel=_REAL),
    ] = None,
    truth_step: Annotated[
        int | None, typer.Option(min=0, help="The step that --truth shows.", rich_help_panel=_REAL)
    ] = None,
    truth_gain: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            max=10,
            callback=finite,
            help="Spikes per step of the truth's white.",
            show_default="fitted once, to the frame interval:16 around that step",
            rich_help_panel=_REAL,
        ),
    ] = None,
    height: Height = None,
    width: Width = None,
    rate: RateHz = None,
    flip: Flip = None,
    calibration: CalibrationPath = None,
) -> None:
    """Compare ways to make frames from spikes, and write a report.

    On simulated scenes every row is compared with the truth: PSNR and SSIM, and the amplitude of the motion that
    survives, beside the paper's flow consistency and motion smoothness, all from the same frames. A long window wins
    PSNR by erasing the motion; ranked are only rows that keep 80 % of it. --height, --width and --rate are the
    simulated camera's as well.

    On recordings: flow, noise of a static region, and PSNR where a --truth is given. A row whose windows do not fit
    into a short recording is measured at the longest window that does, and says so.

    For example:

    `spikemm evaluate reconstruction --quick --out report`

    `spikemm evaluate reconstruction car.dat --scenes none --static 340 20 58 170 --out car`

    `spikemm evaluate reconstruction reds.dat --scenes none --truth reds.png --truth-step 150 --out reds`
    """
    paths = recordings or []
    _check_recording_options(paths, static, truth, truth_step)
    opened = [_open(path, height, width, rate, flip, calibration) for path in paths]
    names = [] if scenes == "none" else [name.strip() for name in scenes.split(",")]
    _make_folder(out)

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    from spikemm.evaluation import Setting
    from spikemm.front import FrontSpec
    from tools.evaluate_output import write
    from tools.evaluate_work import Means, RecordingJob, evaluate

    jobs = [RecordingJob(recording, static, truth, truth_step, truth_gain) for recording in opened]
    settings = [
        Setting(
            name,
            periods=min(periods, _QUICK_PERIODS) if quick else periods,
            frames_per_period=frames_per_period,
            light=light,
            noise=noise,
            fixed_pattern=fixed_pattern,
            height=height or 250,
            width=width or 400,
            rate_hz=rate or 20_000.0,
            seed=seed,
        )
        for name in names
    ]
    means = Means.ready(threads, weights, paper_weights, raft_weights)
    specs = [FrontSpec.parse(text.strip()) for text in rows.split(",")]
    write(evaluate(specs, settings, jobs, means, sweeps=sweeps), out, threads)


def _check_recording_options(
    paths: list[Path], static: tuple[int, ...] | None, truth: Path | None, truth_step: int | None
) -> None:
    if len(paths) != 1 and (static is not None or truth is not None):
        raise typer.BadParameter(f"--static and --truth belong to one recording, and {len(paths)} are given")
    if (truth is None) != (truth_step is None):
        raise typer.BadParameter("--truth and --truth-step belong together: give both, or neither")


def _open(
    path: Path,
    height: int | None,
    width: int | None,
    rate: float | None,
    flip: bool | None,
    calibration: str | None,
) -> "Recording":
    from spikemm.recording import Recording

    recording = Recording(path, height=height, width=width, rate_hz=rate, flip=flip, calibration=calibration)
    for note in recording.notes:
        typer.echo(note, err=True)
    return recording


def _make_folder(out: Path) -> None:
    from spikemm.exceptions import OptionError

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--out {out}: {error.strerror}; choose another folder") from error
