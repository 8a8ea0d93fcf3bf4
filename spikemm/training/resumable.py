"""What lets a training go on from a checkpoint."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from spikemm.exceptions import WeightsError
from spikemm.weights.checkpoint import TrainingState

__all__ = ["Resumable"]


class Resumable(ABC):
    """A training whose next iteration depends on its network, its optimiser and the iteration's number alone.

    Attributes
    ----------
    network : torch.nn.Module
    iteration : int
        How many are done.
    seconds : float
        Time that they took.
    """

    network: nn.Module
    _optimizer: torch.optim.Optimizer
    iteration: int
    seconds: float

    @property
    @abstractmethod
    def _identity(self) -> dict[str, Any]:
        """Everything that must be the same for a checkpoint to fit, by name."""

    def state(self) -> TrainingState:
        """Copy what the next iteration depends on."""
        return TrainingState.capture(
            self.network,
            self._optimizer,
            iteration=self.iteration,
            options=self._identity,
            notes={"seconds": self.seconds},
        )

    def restore(self, state: TrainingState) -> None:
        """Go on from a state.

        Raises
        ------
        WeightsError
            If it is that of a training with other options.
        """
        for name, value in self._identity.items():
            if state.options.get(name) != value:
                raise WeightsError(
                    f"the checkpoint of iteration {state.iteration} was made with {name} {state.options.get(name)}, "
                    f"not {value}: give the same, or train into another folder"
                )
        state.restore(self.network, self._optimizer)
        self.iteration, self.seconds = state.iteration, state.notes["seconds"]
