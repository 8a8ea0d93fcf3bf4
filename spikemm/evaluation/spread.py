"""Mean and standard deviation of a series that is never kept."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spread"]


class Spread:
    """Mean and standard deviation over time of arrays of one shape, or of numbers (Welford, 1962).

    Attributes
    ----------
    count : int
        How many were pushed.
    mean : numpy.ndarray
        Their mean, of their shape.
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares = 0, np.zeros(()), np.zeros(())

    def push(self, value: NDArray[np.floating] | float) -> None:
        """Take the next one."""
        self.count += 1
        away = value - self.mean
        self.mean = self.mean + away / self.count
        self._squares = self._squares + away * (value - self.mean)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation so far, n in the denominator."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)))
