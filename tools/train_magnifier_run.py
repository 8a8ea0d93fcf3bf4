"""A run of `spikemm train magnifier`: from options to weights with their card."""

from pathlib import Path

import typer

from spikemm.device import pick_device
from spikemm.training import MagnifierTraining, MagnifierTrainingOptions, train
from spikemm.weights import ModelCard, save_network
from tools.train_progress import ProgressTable
from tools.train_weights import checkpointed, figures_of, ready_weights, today

__all__ = ["train_magnifier"]

_SUMMARIES = {
    "compact_magnifier": "Magnifies motion: states the displacement between linear features of two frames, at a "
    "quarter of their resolution and linearly in their change, and warps the frame by it.",
    "mdlmm": "Magnifies motion: turns the phases of 16×16 px windows by the shift that explains their changes, and "
    "refines their sum.",
    "oh2018": "Magnifies motion: multiplies the change of shape features and paints the frame anew, after Oh et al. "
    "(2018).",
}

_LIMITS = (
    "Trained on rigid motion of shapes over a background and of whole pictures. Gains are those of noise-free "
    "pictures, as a part of ten; PSNRs are against the rendered truth of random scenes with the sensor's noise that "
    "it was not trained on, moved by 0.3 px and magnified ten times, the peak being the brightest percent."
)


def train_magnifier(
    out: Path,
    options: MagnifierTrainingOptions,
    *,
    command: str,
    seed: int,
    device: str,
    minutes: float | None,
    resume: bool,
    checkpoint_s: float,
) -> None:
    """Train, tell how it goes, write the weights; the checkpoints go when these are there.

    Raises
    ------
    OptionError
        If `out` has another ending or cannot be written, or the device is not there.
    WeightsError
        If there are checkpoints and `resume` is not set, or they are of another training; if the loss diverges.
    """
    ready_weights(out)
    training = MagnifierTraining(options, seed=seed, device=pick_device(device))
    with checkpointed(out, command) as (checkpoints, stop):
        last = train(
            training,
            minutes=minutes,
            checkpoints=checkpoints,
            resume=resume,
            checkpoint_s=checkpoint_s,
            on_progress=ProgressTable(),
            stop=stop,
        )
        card = ModelCard(
            summary=_SUMMARIES[options.architecture],
            data=_data(options),
            command=command,
            seed=seed,
            figures=figures_of(last),
            limits=_LIMITS,
            date=today(),
        )
        save_network(
            out, training.network, architecture=options.architecture, options=training.network.options, card=card
        )
    typer.echo(f"{out} and {out.with_suffix('.md').name} are written")


def _data(options: MagnifierTrainingOptions) -> str:
    low, high = options.input_px
    return (
        f"rendered pairs of dead leaves and noise (input {low:g} to {high:g} px, alpha {options.alpha[0]:g} to "
        f"{options.alpha[1]:g}, output up to {options.output_px:g} px) with the quantisation of the interval front end"
    )
