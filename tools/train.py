"""`spikemm train`: weights of networks, from streams alone or from rendered motion."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.open_recording import open_recording
from tools.options import CalibrationPath, Flip, Height, Width, finite

if TYPE_CHECKING:
    from tools.trained import Trained

__all__ = ["app"]

_ADAPTING = {"simulated": 0.0, "learning_rate": 3e-4, "iterations": 2000, "streams": 16}
"""Options of a fine tuning without a configuration."""

_CHECKPOINT_S = 60.0

Out = Annotated[
    Path,
    typer.Option(
        metavar="NAME.safetensors",
        help="The weights; the model card NAME.md and, until it is done, the folder NAME.checkpoints go beside it.",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        callback=finite,
        help="Be done after so many minutes, those before --resume included. The result then depends on the "
        "machine's speed.",
    ),
]
Iterations = Annotated[
    int | None, typer.Option(min=1, help="Iterations in all.", show_default="the configuration's, else the network's")
]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random: the same seed gives the same weights.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, max=256, help="CPU threads; more than one may round otherwise.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, if any.")]
CheckpointEvery = Annotated[
    float | None,
    typer.Option(
        min=0,
        callback=finite,
        help="Seconds between checkpoints; a kill loses at most these.",
        show_default=f"{_CHECKPOINT_S:g}",
    ),
]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _networks() -> None:
    """Train networks: on spikes alone, or on motion that is rendered; nothing is downloaded."""


@app.command("bsn")
def bsn(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIG|REC…",
            help="What to train on: a configuration (.yaml, see configs/train_bsn.yaml), recordings, or both.",
        ),
    ],
    out: Out,
    architecture: Annotated[
        str | None,
        typer.Option(
            help="compact (for a CPU) or reference (the paper's, for a GPU).",
            show_default="the configuration's, else compact",
        ),
    ] = None,
    minutes: Minutes = None,
    iterations: Iterations = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = 1,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = None,
    adapt: Annotated[
        str | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Fit these weights, a .safetensors or the name of some that come with the package, to the recordings, "
            "and stop when what is held out gains no more.",
        ),
    ] = None,
    height: Height = None,
    width: Width = None,
    flip: Flip = None,
    calibration: CalibrationPath = None,
) -> None:
    """Train a blind-spot network, which guesses a pixel's light from its neighbours.

    The last fifth of every recording's time is held out: the loss on it, and the PSNR on simulated scenes whose truth
    is known, are printed twice a minute and written into the model card. The loss is the mean logarithm of the squared
    relative error, noise of the labels included: −2 is an error of 37 %, −6 one of 5 %.

    A training that was killed goes on where it was with --resume; one ended by Ctrl-C writes a checkpoint first. The
    weights are then those of a training that was not, without --minutes and on one thread of a CPU.

    For example:

    `spikemm train bsn configs/train_bsn.yaml --out runs/compact.safetensors --minutes 60`

    `spikemm train bsn rig.dat --adapt compact_bsn --out runs/rig.safetensors --minutes 5`
    """
    from spikemm.exceptions import OptionError
    from tools.train_inputs import read_configuration, split_inputs

    configuration, paths = split_inputs(inputs)
    if adapt is not None and not paths:
        raise OptionError(f"--adapt {adapt}: no recording is named to fit the weights to: name one")
    if adapt is not None and (resume or checkpoint_every is not None):
        raise OptionError("a fine tuning has no checkpoints: leave --resume and --checkpoint-every out, or --adapt")
    if not paths and any(told is not None for told in (height, width, flip, calibration)):
        raise OptionError("--height, --width, --flip and --calibration are of recordings, and none is named: name one")
    recordings = [
        open_recording(path, height=height, width=width, flip=flip, calibration=calibration) for path in paths
    ]
    defaults: dict[str, Any] = {} if configuration else _ADAPTING if adapt else {"simulated": 0.0}
    given = {"architecture": architecture, "iterations": iterations}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    trained = None if adapt is None else _opened(adapt, configuration, changes)
    if trained is not None:
        changes |= {"architecture": trained.architecture, "network": trained.arguments}
    options = read_configuration(configuration, defaults | changes)

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    import torch

    from tools.train_run import Run

    torch.set_num_threads(threads)
    run = Run(out, options, recordings, command=_command(), seed=seed, device=device)
    if trained is not None:
        run.adapt(trained, minutes=minutes)
    else:
        run.train(
            minutes=minutes, resume=resume, checkpoint_s=_CHECKPOINT_S if checkpoint_every is None else checkpoint_every
        )


@app.command("magnifier")
def magnifier(
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="The configuration, for example configs/train_compact.yaml."),
    ],
    out: Out,
    minutes: Minutes = None,
    iterations: Iterations = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = 1,
    resume: Resume = False,
    checkpoint_every: CheckpointEvery = None,
) -> None:
    """Train a network that magnifies motion, on pairs of frames whose magnified motion is rendered.

    Gains at 0.05, 0.2 and 1 px of an edge and a texture that are magnified ten times, as a part of ten, and the PSNR of
    random scenes against their truth are printed twice a minute and written into the model card.

    A training that was killed goes on where it was with --resume. Without --minutes, and on one thread of a CPU, its
    weights are those of a training that was not.

    For example:

    `spikemm train magnifier configs/train_compact.yaml --out runs/compact_magnifier.safetensors --minutes 30`
    """
    from tools.train_inputs import read_magnifier_configuration

    options = read_magnifier_configuration(config, {} if iterations is None else {"iterations": iterations})

    import torch

    from tools.train_magnifier_run import train_magnifier

    torch.set_num_threads(threads)
    train_magnifier(
        out,
        options,
        command=_command(),
        seed=seed,
        device=device,
        minutes=minutes,
        resume=resume,
        checkpoint_s=_CHECKPOINT_S if checkpoint_every is None else checkpoint_every,
    )


def _opened(weights: str, configuration: Path | None, given: dict[str, Any]) -> "Trained":
    """Open weights to fit further, which must be of the network that the configuration or the command line states."""
    from tools.train_inputs import stated_options
    from tools.trained import open_trained

    stated = stated_options(configuration) if configuration else {}
    return open_trained(weights, stated | given)


def _command() -> str:
    """Return this command line, less what is only for one sitting."""
    return shlex.join(["spikemm", *(argument for argument in sys.argv[1:] if argument != "--resume")])
