"""Upsampling by interpolation between pixel centres: the baselines that better methods are compared with."""

from collections.abc import Callable
from functools import lru_cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from spikemm.upsampling.base import SeparableUpsampler, enlarged_size, mirrored_sum

__all__ = ["Bicubic", "Lanczos", "Linear", "interpolation_matrix"]

_LANCZOS_LOBES = 3
_KEYS_SLOPE = -0.5

Plane = NDArray[np.float64]


def _triangle(distance: Plane) -> Plane:
    return np.maximum(1.0 - distance, 0.0)


def _keys(distance: Plane) -> Plane:
    """Cubic convolution, the one slope at −1 that continues every parabola as it is (Keys 1981, eq. 15)."""
    a = _KEYS_SLOPE
    near = ((a + 2.0) * distance - (a + 3.0)) * distance**2 + 1.0
    far = a * (((distance - 5.0) * distance + 8.0) * distance - 4.0)
    return np.where(distance < 1.0, near, np.where(distance < 2.0, far, 0.0))


def _lanczos(distance: Plane) -> Plane:
    """Sinc under a sinc window (Duchon 1979)."""
    window = np.where(distance < _LANCZOS_LOBES, np.sinc(distance / _LANCZOS_LOBES), 0.0)
    return np.asarray(np.sinc(distance) * window)


_KERNELS: dict[str, tuple[Callable[[Plane], Plane], int]] = {
    "linear": (_triangle, 1),
    "bicubic": (_keys, 2),
    "lanczos": (_lanczos, _LANCZOS_LOBES),
}
"""Weight by distance (input px), and the distance from which on it is 0."""


@lru_cache(maxsize=64)
def interpolation_matrix(kernel: str, size: int, scale: float) -> NDArray[np.float64]:
    """Matrix that takes a row of `size` pixels to its values at the centres of smaller pixels.

    Parameters
    ----------
    kernel : {'linear', 'bicubic', 'lanczos'}
        Triangle, Keys' cubic with a = −0.5, or Lanczos with three lobes.
    size : int
        Number of input pixels.
    scale : float
        Factor from 1 up.

    Returns
    -------
    numpy.ndarray
        (round(size·scale), size) float64. Rows sum to 1, so that a flat picture stays flat; beyond the border the
        picture is mirrored.

    Notes
    -----
    Input pixel j lies at j, output pixel i of n at (i + ½)·size/n − ½. With a = −0.5 Keys' cubic reproduces straight
    lines; the common a = −0.75 does not, and moves a smooth picture by 0.34 px where 0.3 px are asked for.
    """
    weight_at, reach = _KERNELS[kernel]
    large = enlarged_size(size, scale)
    centres = (np.arange(large) + 0.5) * size / large - 0.5
    first, last = floor(centres[0]) - reach, ceil(centres[-1]) + reach
    weights = weight_at(np.abs(centres[:, None] - np.arange(first, last + 1)))
    return mirrored_sum(weights / weights.sum(axis=1, keepdims=True), first, size)


class Linear(SeparableUpsampler):
    """Bilinear interpolation, the ablation's LISR: no overshoot, and the blurriest of all."""

    def _matrix(self, size: int, scale: float) -> NDArray[np.float64]:
        return interpolation_matrix("linear", size, scale)


class Bicubic(SeparableUpsampler):
    """Keys' cubic convolution with a = −0.5 (R. Keys, IEEE Trans. ASSP 29(6), 1981)."""

    def _matrix(self, size: int, scale: float) -> NDArray[np.float64]:
        return interpolation_matrix("bicubic", size, scale)


class Lanczos(SeparableUpsampler):
    """Lanczos interpolation with three lobes (C. Duchon, J. Applied Meteorology 18, 1979)."""

    def _matrix(self, size: int, scale: float) -> NDArray[np.float64]:
        return interpolation_matrix("lanczos", size, scale)
