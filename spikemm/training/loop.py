"""The loop around any training: time limit, reports, and checkpoints from which it goes on after a kill."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import NoReturn, Protocol

import numpy as np

from spikemm.exceptions import OptionError, WeightsError
from spikemm.weights.checkpoint import TrainingState, load_checkpoint, save_checkpoint

__all__ = ["Progress", "Sitting", "Training", "train"]


class Training(Protocol):
    """What can be trained.

    Attributes
    ----------
    iterations : int
        How many there are in all.
    iteration : int
        How many are done.
    seconds : float
        Time that they took, earlier sittings included.
    """

    iterations: int
    iteration: int
    seconds: float

    def step(self, part: float) -> float:
        """Do one iteration, `part` of the training (0 to 1) being done, and return its loss."""

    def held_out_loss(self) -> float:
        """Return the loss on what is not trained on."""

    def figures(self) -> dict[str, float]:
        """Return figures against truth by name, units in the name."""

    def state(self) -> TrainingState:
        """Copy what the next iteration depends on."""

    def restore(self, state: TrainingState) -> None:
        """Go back, or on, to a state."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Attributes
    ----------
    iteration : int
        Iterations done.
    part : float
        Part of the training that is done, 0 to 1.
    seconds : float
        Time spent, earlier sittings included.
    loss : float
        Mean loss since the last report; before the first iteration that of what is held out.
    held_out_loss : float
        On what is not trained on.
    figures : dict of str to float
        Figures against truth by name.
    """

    iteration: int
    part: float
    seconds: float
    loss: float
    held_out_loss: float
    figures: dict[str, float]


def train(
    training: Training,
    *,
    minutes: float | None = None,
    checkpoints: Path | None = None,
    resume: bool = False,
    checkpoint_s: float = 60.0,
    report_s: float = 30.0,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train to the last iteration, or until the time is up.

    Parameters
    ----------
    training : Training
        Ends up trained.
    minutes : float, optional
        Time for all sittings together. What follows the part that is done, as the learning rate does, then follows
        whichever of time and iterations is further; so the result depends on the machine's speed.
    checkpoints : Path, optional
        Folder of the checkpoints. The last one is written at the end.
    resume : bool
        Go on from the newest checkpoint there, if there is one.
    checkpoint_s, report_s : float
        Seconds between checkpoints and between calls of `on_progress`.
    on_progress : callable, optional
        Called before the first iteration and after the last, too.
    stop : callable
        Asked after every iteration whether to break off; the checkpoint is then written first.

    Returns
    -------
    Progress
        The last.

    Raises
    ------
    OptionError
        If the time is not above 0.
    WeightsError
        If there is a checkpoint and `resume` is not set, or it is damaged or of another training; if the loss is no
        longer a finite number.
    KeyboardInterrupt
        If `stop` says so.
    """
    if checkpoints is not None:
        _start(training, checkpoints, resume)
    sitting = Sitting(training, minutes, on_progress)
    last_checkpoint = last_report = perf_counter()
    sitting.report()
    while sitting.part < 1.0:
        if stop():
            _break_off(training, checkpoints)
        sitting.step()
        now = perf_counter()
        if checkpoints is not None and now - last_checkpoint >= checkpoint_s:
            save_checkpoint(checkpoints, training.state())
            last_checkpoint = perf_counter()
        if now - last_report >= report_s:
            sitting.report()
            last_report = perf_counter()
    if checkpoints is not None:
        save_checkpoint(checkpoints, training.state())
    return sitting.report()


def _start(training: Training, folder: Path, resume: bool) -> None:
    state = load_checkpoint(folder)
    if state is None:
        return
    if not resume:
        raise WeightsError(
            f"{folder} holds a checkpoint of iteration {state.iteration}: resume from it, or delete the folder"
        )
    training.restore(state)


def _break_off(training: Training, folder: Path | None) -> NoReturn:
    # Nothing is lost before the first iteration, and a checkpoint would only keep the next training from starting anew.
    if folder is not None and training.iteration:
        save_checkpoint(folder, training.state())
    raise KeyboardInterrupt


class Sitting:
    """One process's share of a training: counts its time, and gathers losses between reports.

    Parameters
    ----------
    training : Training
    minutes : float or None
        Time for all sittings together.
    on_progress : callable or None
        Called at every report.

    Raises
    ------
    OptionError
        If the time is not above 0.
    """

    def __init__(
        self, training: Training, minutes: float | None, on_progress: Callable[[Progress], None] | None
    ) -> None:
        if minutes is not None and not minutes > 0.0:
            raise OptionError(f"{minutes:g} minutes are no time to train: take more than 0")
        self._training = training
        self._seconds = None if minutes is None else 60.0 * minutes
        self._on_progress = on_progress
        self._before = training.seconds
        self._began = perf_counter()
        self._losses: list[float] = []

    @property
    def part(self) -> float:
        """Part of the training that is done, 0 to 1."""
        done = self._training.iteration / self._training.iterations
        return min(1.0, done if self._seconds is None else max(done, self._training.seconds / self._seconds))

    def step(self) -> None:
        """Do one iteration.

        Raises
        ------
        WeightsError
            If the loss is no longer a finite number.
        """
        loss = self._training.step(self.part)
        if not np.isfinite(loss):
            raise WeightsError(f"the loss is {loss} after {self._training.iteration} iterations: lower learning_rate")
        self._losses.append(loss)
        self._training.seconds = self._before + perf_counter() - self._began

    def report(self) -> Progress:
        """Judge the network as it is now, and tell."""
        held_out = self._training.held_out_loss()
        loss = float(np.mean(self._losses)) if self._losses else held_out
        self._losses.clear()
        training = self._training
        progress = Progress(training.iteration, self.part, training.seconds, loss, held_out, training.figures())
        if self._on_progress is not None:
            self._on_progress(progress)
        return progress
