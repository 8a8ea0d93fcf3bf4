"""The mean over what was seen lately."""

import math

import torch

__all__ = ["RunningMean"]


class RunningMean:
    """Average pictures over time, forgetting over `memory_steps`; until those have passed all count the same.

    Parameters
    ----------
    memory_steps : float
        Time constant in steps of the sensor.

    Attributes
    ----------
    value : torch.Tensor or None
        The mean; None before the first picture.
    span_steps : int
        From the first picture to the last.
    """

    def __init__(self, memory_steps: float) -> None:
        self._memory_steps = memory_steps
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.value: torch.Tensor | None = None
        self._seen = 0
        self._first = self._last = 0

    @property
    def span_steps(self) -> int:
        """Steps from the first picture to the last."""
        return self._last - self._first

    def push(self, picture: torch.Tensor, step: int) -> torch.Tensor:
        """Take in a picture of any shape, later than the last one, and return the mean."""
        if self.value is None:
            self._first, self.value = step, picture
        self._seen += 1
        fresh = -math.expm1((self._last - step) / self._memory_steps)
        self._last = step
        self.value = self.value.lerp(picture, max(fresh, 1.0 / self._seen))
        return self.value
