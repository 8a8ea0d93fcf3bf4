"""What a training tells on the console while it runs: a heading, then a line of figures for every report."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from spikemm.training import Progress

__all__ = ["ProgressTable", "first_interrupt_noted"]

_OF_NETWORK, _DB = ": network (dB)", " (dB)"


class ProgressTable:
    """Call it with every report of a training."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def __call__(self, progress: Progress) -> None:
        """Print one line, the first time below a heading."""
        if not self._columns:
            names = list(progress.figures)
            self._columns = [name for name in names if name.endswith(_OF_NETWORK)] or names
            _head(progress, self._columns)
        figures = "".join(f"{progress.figures[name]:7.{1 if name.endswith(_DB) else 2}f}" for name in self._columns)
        typer.echo(
            f"{progress.part:5.0%}{progress.iteration:11d}{progress.seconds:9.0f}{progress.loss:9.3f}"
            f"{progress.held_out_loss:10.3f}{figures}"
        )


def _head(progress: Progress, columns: list[str]) -> None:
    """Say what the columns are; what a pixel knows of itself stays the same all along, and is said here only."""
    if network := [name.removesuffix(_OF_NETWORK) for name in columns if name.endswith(_OF_NETWORK)]:
        own = [
            f"{name.removesuffix(_DB)} {value:.1f}" for name, value in progress.figures.items() if name not in columns
        ]
        typer.echo(f"PSNR (dB) of the network, last columns: {'; '.join(network)}")
        typer.echo(f"PSNR (dB) of the pixel itself, to compare: {'; '.join(own)}")
    elif columns:
        typer.echo(f"last columns: {'; '.join(columns)}")
    typer.echo(f"{'done':>5}{'iteration':>11}{'seconds':>9}{'loss':>9}{'held out':>10}")


@contextmanager
def first_interrupt_noted() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C of the block only be noted, so that an iteration is not torn apart; the second interrupts.

    Yields
    ------
    callable
        Whether there was one.
    """
    noted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        noted = True
        signal.signal(signal.SIGINT, before)
        # Not print: the interruption may have come in the middle of one.
        os.write(2, b"ends after this iteration; Ctrl-C again: at once\n")

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: noted
    finally:
        signal.signal(signal.SIGINT, before)
