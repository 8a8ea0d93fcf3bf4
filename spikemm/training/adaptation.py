"""Fit a trained network to recordings of one rig, and stop before it learns them by heart."""

from collections.abc import Callable
from dataclasses import dataclass

from spikemm.training.loop import Progress, Sitting, Training

__all__ = ["Adapted", "adapt"]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What became of it.

    Attributes
    ----------
    before, after : Progress
        How the network did before, and at its best; the training is left there.
    """

    before: Progress
    after: Progress

    @property
    def gained(self) -> bool:
        """Whether the loss on what is held out is lower than before."""
        return self.after.held_out_loss < self.before.held_out_loss


def adapt(
    training: Training,
    *,
    minutes: float | None = None,
    every: int = 50,
    patience: int = 6,
    on_progress: Callable[[Progress], None] | None = None,
) -> Adapted:
    """Train as long as the loss on what is held out falls, and go back to where it was lowest.

    Parameters
    ----------
    training : Training
        Ends up in its best state, which may be the one it has now.
    minutes : float, optional
        Time at most.
    every : int
        Iterations between looks at what is held out.
    patience : int
        Looks without a lower loss after which it ends.
    on_progress : callable, optional
        Called at every look.

    Raises
    ------
    OptionError
        If the time is not above 0.
    WeightsError
        If the loss is no longer a finite number.
    """
    sitting = Sitting(training, minutes, on_progress)
    before = best = sitting.report()
    state, waited = training.state(), 0
    while sitting.part < 1.0 and waited < patience:
        sitting.step()
        if training.iteration % every and sitting.part < 1.0:
            continue
        now = sitting.report()
        waited += 1
        if now.held_out_loss < best.held_out_loss:
            best, state, waited = now, training.state(), 0
    training.restore(state)
    return Adapted(before, best)
