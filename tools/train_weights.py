"""What every training command does around its training: names, checkpoints, Ctrl-C."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spikemm.exceptions import OptionError
from tools.output_folder import ready_folder
from tools.train_progress import first_interrupt_noted

if TYPE_CHECKING:
    from spikemm.training import Progress

__all__ = ["SUFFIX", "checkpointed", "figures_of", "ready_weights", "today"]

SUFFIX = ".safetensors"


def ready_weights(out: Path) -> None:
    """Look at the place of the weights before the hours of work.

    Raises
    ------
    OptionError
        If `out` has another ending, or cannot be written.
    """
    if out.suffix != SUFFIX:
        raise OptionError(f"{out}: the name of weights ends in {SUFFIX}")
    ready_folder(out.parent)


@contextmanager
def checkpointed(out: Path, command: str) -> Iterator[tuple[Path, Callable[[], bool]]]:
    """Give the folder of checkpoints beside the weights, and what tells whether the user has asked for an end.

    The folder goes when what is done with it has succeeded; of what is broken off, `command` says how to go on.
    """
    checkpoints = out.with_suffix(".checkpoints")
    try:
        with first_interrupt_noted() as stop:
            yield checkpoints, stop
    except KeyboardInterrupt:
        if any(checkpoints.glob(f"*{SUFFIX}")):
            typer.echo(f"resume with: {command} --resume", err=True)
        raise
    for file in checkpoints.glob(f"*{SUFFIX}"):
        file.unlink()
    checkpoints.rmdir()


def figures_of(progress: "Progress") -> dict[str, str]:
    """Return the figures of a training's end, for its card."""
    return {
        "iterations": str(progress.iteration),
        "minutes": f"{progress.seconds / 60.0:.1f}",
        "held-out loss": f"{progress.held_out_loss:.4f}",
        **{name: f"{value:.2f}" for name, value in progress.figures.items()},
    }


def today() -> str:
    """Return the day, as 2025-01-31."""
    return datetime.now(UTC).date().isoformat()
