"""`spikemm evaluate`: what the front ends are worth, as tables, pictures and one report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.evaluate_magnification import magnification
from tools.open_recording import open_recording
from tools.options import CalibrationPath, Flip, Height, RateHz, Width, finite

if TYPE_CHECKING:
    from spikemm.front import FrontSpec

__all__ = ["app"]

_SCENES = "tuning-fork,short-ruler,long-ruler,balloon"
_OF_SCENES = {"periods", "frames_per_period", "sweeps", "light", "noise", "fixed_pattern"}
_METHODS, _SIMULATED, _REAL = "What is compared", "Simulated scenes", "Real recordings"

app = typer.Typer(
    no_args_is_help=True,
    help="Judge the methods: against truth where it is known, by what can be told where it is not.\n\n"
    "Example: `spikemm evaluate reconstruction --periods 4 --out report`",
)


@app.callback()
def _group() -> None:
    """Make a group of the commands, one for what is judged."""


app.command("magnification")(magnification)


@app.command()
def reconstruction(
    context: typer.Context,
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
            help="Front ends to compare, name:window each, with commas between; the paper's TFP is rate, its TFI isi.",
            rich_help_panel=_METHODS,
        ),
    ] = "rate:32,isi:32,interval:32,bsn1:32,bsn2:32,mie:32",
    scenes: Annotated[
        str,
        typer.Option(help="Simulated scenes, with commas between; none: only recordings.", rich_help_panel=_SIMULATED),
    ] = _SCENES,
    periods: Annotated[
        float,
        typer.Option(
            min=1,
            max=10_000,
            callback=finite,
            help="Length of each scene, in periods of its motion; 4 is a try-out of a few minutes.",
            rich_help_panel=_SIMULATED,
        ),
    ] = 100.0,
    frames_per_period: Annotated[
        float,
        typer.Option(
            min=3, max=1000, callback=finite, help="Frames made of each period, about.", rich_help_panel=_SIMULATED
        ),
    ] = 10.0,
    sweeps: Annotated[
        bool,
        typer.Option(
            help="Also sweep windows, frequencies, amplitudes, and a tenth of the light.", rich_help_panel=_SIMULATED
        ),
    ] = True,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Networks of bsn1, bsn2 and mie: a file.",
            show_default="those of the package",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    paper_weights: Annotated[
        Path | None,
        typer.Option(
            help="Networks of a row paper:…: the folder of both.", show_default="none", rich_help_panel=_METHODS
        ),
    ] = None,
    raft_weights: Annotated[
        Path | None,
        typer.Option(
            help="Weights of torchvision's RAFT: the flow is then told by RAFT. Needs the extra `raft`.",
            show_default="flow by OpenCV's DIS",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads of PyTorch and OpenCV.")] = 1,
    light: Annotated[
        float,
        typer.Option(
            min=0.001, max=10, callback=finite, help="Factor on the scenes' light.", rich_help_panel=_SIMULATED
        ),
    ] = 1.0,
    noise: Annotated[
        float,
        typer.Option(min=0, max=1, callback=finite, help="Temporal noise, see simulate.", rich_help_panel=_SIMULATED),
    ] = 0.0,
    fixed_pattern: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.2,
            callback=finite,
            help="Spread of the pixels' gains; they then have a dark current too, and are calibrated by a simulated "
            "dark and flat recording.",
            rich_help_panel=_SIMULATED,
        ),
    ] = 0.0,
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

    `spikemm evaluate reconstruction --periods 4 --out report`

    `spikemm evaluate reconstruction car.dat --scenes none --static 340 20 58 170 --out car`

    `spikemm evaluate reconstruction reds.dat --scenes none --truth reds.png --truth-step 150 --out reds`
    """
    paths = recordings or []
    names = [] if scenes == "none" else [name.strip() for name in scenes.split(",")]
    _check_options(context, names, paths)
    opened = [
        open_recording(path, height=height, width=width, rate_hz=rate, flip=flip, calibration=calibration)
        for path in paths
    ]

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    from spikemm.evaluation import Setting
    from tools.evaluate_output import write
    from tools.evaluate_work import Means, RecordingJob, evaluate
    from tools.output_folder import ready_folder

    specs = _rows(rows, weights, paper_weights)
    jobs = [RecordingJob(recording, static, truth, truth_step, truth_gain) for recording in opened]
    settings = [
        Setting(
            name,
            periods=periods,
            frames_per_period=frames_per_period,
            light=light,
            noise=noise,
            fixed_pattern=fixed_pattern,
            height=height or 250,
            width=width or 400,
            rate_hz=rate or 20_000.0,
        )
        for name in names
    ]
    means = Means.ready(threads, weights, paper_weights, raft_weights)
    ready_folder(out)
    write(evaluate(specs, settings, jobs, means, sweeps=sweeps), out, threads)


def _check_options(context: typer.Context, scenes: list[str], paths: list[Path]) -> None:
    """Refuse options that contradict each other, or have nothing to act on."""
    given = {name for name in context.params if _is_given(context, name)}
    if not scenes and not paths:
        raise typer.BadParameter("--scenes none and no recording: there is nothing to evaluate")
    if not scenes and (idle := given & _OF_SCENES):
        raise typer.BadParameter(f"{_options(idle)}: of simulated scenes, and --scenes is none")
    if not paths and (idle := given & {"flip", "calibration"}):
        raise typer.BadParameter(f"{_options(idle)}: of recordings, and none is given")
    if len(paths) != 1 and given & {"static", "truth"}:
        raise typer.BadParameter(f"--static and --truth belong to one recording, and {len(paths)} are given")
    if ("truth" in given) != ("truth_step" in given):
        raise typer.BadParameter("--truth and --truth-step belong together: give both, or neither")
    if "truth_gain" in given and "truth" not in given:
        raise typer.BadParameter("--truth-gain is of a --truth: give one, or leave it out")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _options(names: set[str]) -> str:
    return ", ".join(sorted(f"--{name.replace('_', '-')}" for name in names))


def _rows(rows: str, weights: Path | None, paper_weights: Path | None) -> "list[FrontSpec]":
    from spikemm.front import FrontSpec

    specs = [FrontSpec.parse(text.strip()) for text in rows.split(",")]
    if weights is not None and not any(spec.learned and spec.name != "paper" for spec in specs):
        raise typer.BadParameter(f"--weights {weights}: none of the rows {rows} has such networks")
    if paper_weights is not None and not any(spec.name == "paper" for spec in specs):
        raise typer.BadParameter(f"--paper-weights {paper_weights}: there is no row paper:… among {rows}")
    return specs
