"""The batch of frames that stages hand to one another."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["FrameBatch"]


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Consecutive frames of one stream.

    Attributes
    ----------
    pixels : torch.Tensor
        (n, H, W) float32, light in spikes per step.
    steps : numpy.ndarray
        (n,) int64, the centre of each frame's window in sensor steps.
    gap : int
        Steps of the sensor that are missing right before the first frame; 0 when it follows the last batch.
        Stages with a memory restart at a gap.
    raw : torch.Tensor or None
        (n, H, W) float32, the same instants before magnification.
    """

    pixels: torch.Tensor
    steps: NDArray[np.int64]
    gap: int = 0
    raw: torch.Tensor | None = None
