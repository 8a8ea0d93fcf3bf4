"""The newest samples of an evenly sampled stream."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RollingRecord"]


class RollingRecord:
    """Keep the last `length` samples of any shape, oldest first; memory is that of `length` samples.

    Parameters
    ----------
    length : int
        Samples of a full record.
    shape : tuple of int
        Shape of a sample.
    """

    def __init__(self, length: int, shape: tuple[int, ...]) -> None:
        self.length = length
        self._ring = np.zeros((length, *shape), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self.count = self._next = 0

    @property
    def full(self) -> bool:
        """Whether `length` samples came since the reset."""
        return self.count == self.length

    @property
    def nbytes(self) -> int:
        """Memory that the samples take."""
        return prod(self._ring.shape) * self._ring.itemsize

    def push(self, samples: NDArray[Any]) -> None:
        """Append (n, *shape) samples."""
        kept = samples[-self.length :]
        before_end = min(len(kept), self.length - self._next)
        self._ring[self._next : self._next + before_end] = kept[:before_end]
        self._ring[: len(kept) - before_end] = kept[before_end:]
        self._next = (self._next + len(kept)) % self.length
        self.count = min(self.count + len(samples), self.length)

    def samples(self) -> NDArray[np.float32]:
        """Return a copy of the (count, *shape) samples, oldest first."""
        if not self.full:
            return self._ring[: self.count].copy()
        return np.concatenate((self._ring[self._next :], self._ring[: self._next]))
