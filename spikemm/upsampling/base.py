"""What every upsampler is, and the part that all of them share: sizes, checks, the unmagnified twins."""

from abc import ABC, abstractmethod
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError
from spikemm.separable import SeparableOperator

__all__ = ["SeparableUpsampler", "Upsampler", "enlarged_size", "mirrored_sum"]


def enlarged_size(size: int, scale: float) -> int:
    """Return the number of pixels that a row of `size` pixels becomes."""
    return round(size * scale)


def mirrored_sum(weights: NDArray[np.float64], first: int, size: int) -> NDArray[np.float64]:
    """Fold weights on pixels beyond the border onto those that a mirror at the border shows.

    Parameters
    ----------
    weights : numpy.ndarray
        (rows, columns) float64, of the pixels `first`, `first` + 1, … of an endless row.
    first : int
        Number of the first column's pixel, below 0 where it lies left of the picture.
    size : int
        Number of pixels in the picture.

    Returns
    -------
    numpy.ndarray
        (rows, size) float64.
    """
    place = (np.arange(weights.shape[1]) + first) % (2 * size)
    fold = np.zeros((weights.shape[1], size))
    fold[np.arange(weights.shape[1]), np.minimum(place, 2 * size - 1 - place)] = 1.0
    return np.asarray(weights @ fold, dtype=np.float64)


class Upsampler(ABC):
    """A stage that makes frames larger; a method adds `_enlarge` and `reset`.

    The outer edges of the picture stay where they are: output pixel i of n covers input pixels i·N/n to (i + 1)·N/n.

    Parameters
    ----------
    scale : float
        Factor from 1 up.
    height, width : int
        Size of the frames that go in.
    device : str
        Torch device of the frames.

    Raises
    ------
    OptionError
        If `scale` is below 1 or not finite.
    """

    def __init__(self, *, scale: float, height: int, width: int, device: str = "cpu") -> None:
        if not (isfinite(scale) and scale >= 1.0):
            raise OptionError(f"an upsampling scale of {scale:g} is not possible: take 1 or more")
        self._device = device
        self._size = height, width
        self._shape = enlarged_size(height, scale), enlarged_size(width, scale)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames that come out."""
        return self._shape

    def push(self, batch: FrameBatch) -> FrameBatch:
        """Return the batch with larger frames, same instants; `raw`, where there, is made larger as well.

        Pixels that are not finite count as black. A gap restarts a method that has a memory.

        Raises
        ------
        ShapeError
            If the frames are not of the size stated at the start.
        """
        if batch.gap:
            self.reset()
        raw = None if batch.raw is None else self._enlarge(self._checked(batch.raw), twins=True)
        return FrameBatch(self._enlarge(self._checked(batch.pixels), twins=False), batch.steps, batch.gap, raw)

    def _checked(self, frames: torch.Tensor) -> torch.Tensor:
        if frames.shape[1:] != self._size:
            raise ShapeError(f"frames are {tuple(frames.shape[1:])}, expected {self._size}")
        return torch.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0)

    @abstractmethod
    def reset(self) -> None:
        """Forget everything before: the next frame is a first one."""

    @abstractmethod
    def _enlarge(self, frames: torch.Tensor, *, twins: bool) -> torch.Tensor:
        """Map (n, H, W) finite frames to (n, *shape); `twins` are the unmagnified ones, a sequence of their own."""


class SeparableUpsampler(Upsampler):
    """An upsampler that is one linear map of every frame on its own, O = A·Y·Bᵀ; a method adds `_matrix`.

    It has no memory, so it neither flickers nor lags, and commutes with every linear filter in time.

    Parameters
    ----------
    scale : float
        Factor from 1 up.
    height, width : int
        Size of the frames that go in.
    device : str
        Torch device of the frames.

    Raises
    ------
    OptionError
        If `scale` is below 1 or not finite.
    """

    def __init__(self, *, scale: float, height: int, width: int, device: str = "cpu") -> None:
        super().__init__(scale=scale, height=height, width=width, device=device)
        self._operator = SeparableOperator(self._matrix(height, scale), self._matrix(width, scale), device)

    def reset(self) -> None:
        """Forget nothing: there is no memory."""

    def _enlarge(self, frames: torch.Tensor, *, twins: bool) -> torch.Tensor:
        return self._operator(frames)

    @abstractmethod
    def _matrix(self, size: int, scale: float) -> NDArray[np.float64]:
        """Return the (enlarged_size(size, scale), size) matrix that enlarges a row of `size` pixels."""
