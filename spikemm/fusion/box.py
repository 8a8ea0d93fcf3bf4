"""Means over squares of pixels."""

from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray

__all__ = ["box_mean", "grown", "neighbourhood"]

_CELL = 8


def box_mean(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """Return the mean over `size`×`size` pixels (odd) around each, of those inside the picture; (…, H, W)."""
    height, width = pictures.shape[-2:]
    flat = pictures.reshape(-1, height, width)
    if pictures.is_cuda:
        means = nnf.avg_pool2d(flat[:, None], size, 1, size // 2, count_include_pad=False)
    else:
        # Torch's pooling takes fifty times as long on a CPU; both are equal to rounding.
        means = torch.empty_like(flat)
        for picture, mean in zip(flat.numpy(), means.numpy(), strict=True):
            _sums(picture, size, mean)
        means *= _shares(height, width, size)
    return means.reshape(pictures.shape)


def _sums(picture: NDArray[np.float32], size: int, out: NDArray[np.float32]) -> None:
    cv2.boxFilter(picture, -1, (size, size), dst=out, normalize=False, borderType=cv2.BORDER_CONSTANT)


@lru_cache(maxsize=16)
def _shares(height: int, width: int, size: int) -> torch.Tensor:
    """One over how many pixels of each square lie inside."""
    counts = np.ones((height, width), np.float32)
    _sums(np.ones_like(counts), size, counts)
    return torch.from_numpy(1.0 / counts)


def grown(marked: torch.Tensor, size: int) -> torch.Tensor:
    """Return 1 where any pixel of the `size`×`size` around is marked, else 0; (H, W)."""
    return (box_mean(marked.float(), size) > 0.0).float()


def neighbourhood(marked: torch.Tensor, cells: int) -> torch.Tensor:
    """Return the share of marked pixels in the `cells`×`cells` cells of 8×8 pixels around each pixel's own; (H, W)."""
    share = nnf.avg_pool2d(marked.float()[None, None], _CELL, ceil_mode=True)
    wide = nnf.avg_pool2d(share, cells, 1, cells // 2, count_include_pad=False)
    return nnf.interpolate(wide, scale_factor=_CELL)[0, 0, : marked.shape[0], : marked.shape[1]]
