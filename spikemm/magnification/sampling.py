"""Sub-pixel sampling of frames by cubic B-splines."""

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.separable import SeparableOperator

__all__ = ["SplineSampler", "sample_field"]


def _interpolation_matrix(size: int) -> NDArray[np.float64]:
    """Matrix from samples to the coefficients of the cubic B-spline through them, mirrored at the ends."""
    samples = (
        np.diag(np.full(size, 4.0 / 6.0)) + np.diag(np.full(size - 1, 1 / 6), 1) + np.diag(np.full(size - 1, 1 / 6), -1)
    )
    samples[0, 1] = samples[-1, -2] = 2.0 / 6.0
    return np.linalg.inv(samples)


def _pair(position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two positions between pixels, and the second one's weight, whose linear samples make a cubic B-spline sample."""
    base = position.floor()
    f = position - base
    square = f * f
    cube = square * f
    w1 = (4.0 - 6.0 * square + 3.0 * cube) / 6.0
    w3 = cube / 6.0
    second = w3 + (1.0 + 3.0 * (f + square - cube)) / 6.0
    return base - 1.0 + w1 / (1.0 - second), base + 1.0 + w3 / second, second


class SplineSampler:
    """Sample frames of one size anywhere, by the cubic B-spline through their pixels.

    Parameters
    ----------
    height, width : int
        Size of the frames.
    device : str
        Torch device of the frames.

    Notes
    -----
    Coefficients by a banded matrix, then a sample as a weighted mean of four linear ones (Sigg and Hadwiger, *GPU
    Gems 2*, ch. 20). Keys cubics with a = −0.75 (torch's and OpenCV's) shift a smooth picture by 0.342 px when
    asked for 0.3; splines don't.
    """

    def __init__(self, height: int, width: int, device: str) -> None:
        self._coefficients = SeparableOperator(_interpolation_matrix(height), _interpolation_matrix(width), device)
        self._y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
        self._x = torch.arange(width, device=device, dtype=torch.float32)
        self._grid = torch.empty((1, height, width, 2), device=device)
        self._scale = 2.0 / (width - 1), 2.0 / (height - 1)

    def warp(self, frame: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Return frame(y − shift): content moves by `shift`.

        Parameters
        ----------
        frame : torch.Tensor
            (H, W) float32.
        shift : torch.Tensor
            (2, H, W) float32, x and y in px, at the places where the content arrives.
        """
        coefficients = self._coefficients(frame[None])
        x0, x1, wx = _pair(self._x - shift[0])
        y0, y1, wy = _pair(self._y - shift[1])
        x0, x1 = (x * self._scale[0] - 1.0 for x in (x0, x1))
        y0, y1 = (y * self._scale[1] - 1.0 for y in (y0, y1))
        upper = torch.lerp(self._linear(coefficients, x0, y0), self._linear(coefficients, x1, None), wx)
        lower = self._linear(coefficients, None, y1)
        lower = torch.lerp(self._linear(coefficients, x0, None), lower, wx)
        return torch.lerp(upper, lower, wy)

    def _linear(self, coefficients: torch.Tensor, x: torch.Tensor | None, y: torch.Tensor | None) -> torch.Tensor:
        """Sample linearly at (x, y); None keeps the last call's, since filling the grid costs as much as sampling."""
        if x is not None:
            self._grid[0, ..., 0] = x
        if y is not None:
            self._grid[0, ..., 1] = y
        return torch.nn.functional.grid_sample(
            coefficients[None], self._grid, mode="bilinear", padding_mode="reflection", align_corners=True
        )[0, 0]


def sample_field(field: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sample a (C, H, W) field linearly at the places (x, y), in cells; beyond its border it is constant."""
    height, width = field.shape[1:]
    grid = torch.stack((x * (2.0 / max(width - 1, 1)) - 1.0, y * (2.0 / max(height - 1, 1)) - 1.0), dim=-1)[None]
    return torch.nn.functional.grid_sample(
        field[None], grid, mode="bilinear", padding_mode="border", align_corners=True
    )[0]
