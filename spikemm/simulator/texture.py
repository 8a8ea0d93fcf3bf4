"""Brushes that the pictures are painted with: soft shapes and smooth random textures.

Every brush is a fixed continuous function of the coordinates, smooth on the scale of a pixel. Painting it at shifted
coordinates is therefore an exact shift by any fraction of a pixel; nothing is ever resampled.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

__all__ = ["Plane", "bar", "blob", "box", "cover", "noise", "over", "ramp", "stripe"]

Plane = NDArray[np.float64]
"""One value (or coordinate, in px) for every pixel that is painted; any shape."""

_SOFTNESS_PX = 0.9
_LATTICE = 128


def cover(distance: Plane, softness: float = _SOFTNESS_PX) -> Plane:
    """Return how much of a pixel a shape covers, 0 to 1.

    Parameters
    ----------
    distance : ndarray
        Signed distance from the shape's outline in px, negative inside.
    softness : float
        Standard deviation of the Gaussian blur of the outline, px; the default is about that of a lens and a pixel.
    """
    covered: Plane = special.ndtr(-distance / softness)
    return covered


def over(below: Plane, light: Plane | float, covered: Plane) -> Plane:
    """Lay `light` over `below` where it covers."""
    return below + (light - below) * covered


def box(x: Plane, y: Plane, half_width: float, half_height: float, radius: float = 0.0) -> Plane:
    """Return the signed distance (px) from a rounded rectangle around the origin."""
    dx = np.abs(x) - (half_width - radius)
    dy = np.abs(y) - (half_height - radius)
    outside = np.hypot(np.maximum(dx, 0.0), np.maximum(dy, 0.0))
    distance: Plane = outside + np.minimum(np.maximum(dx, dy), 0.0) - radius
    return distance


def stripe(x: Plane, half_width: float, softness: float = _SOFTNESS_PX) -> Plane:
    """Return the coverage of an endless stripe around 0, smooth however thin it is."""
    return cover(-half_width - x, softness) - cover(half_width - x, softness)


def bar(x: Plane, y: Plane, half_width: float, half_height: float) -> Plane:
    """Return the coverage of a rectangle around the origin, smooth however thin it is."""
    return stripe(x, half_width) * stripe(y, half_height)


def blob(x: Plane, y: Plane, width: float, height: float) -> Plane:
    """Return a Gaussian spot of height 1; `width` and `height` are its standard deviations in px."""
    return np.exp(-0.5 * ((x / width) ** 2 + (y / height) ** 2))


def ramp(x: Plane, start: float, stop: float) -> Plane:
    """Rise smoothly (two continuous derivatives) from 0 at `start` to 1 at `stop`, flat outside."""
    t = np.clip((x - start) / (stop - start), 0.0, 1.0)
    return t * t * t * (t * (6.0 * t - 15.0) + 10.0)


def noise(x: Plane, y: Plane, cell_x: float, cell_y: float, seed: int) -> Plane:
    """Return a smooth random texture of mean 0 and standard deviation about 1.

    A cubic B-spline over random coefficients, periodic over 128 cells.

    Parameters
    ----------
    x, y : ndarray
        Coordinates, px.
    cell_x, cell_y : float
        Grain of the texture, px. Two pixels and more keep it far below the Nyquist frequency.
    seed : int
        Which texture.
    """
    sampled: Plane = ndimage.map_coordinates(
        _coefficients(seed), [y / cell_y, x / cell_x], order=3, mode="grid-wrap", prefilter=False
    )
    return sampled


@lru_cache(maxsize=64)
def _coefficients(seed: int) -> Plane:
    # The cubic B-spline's squared weights average 0.479 along each axis.
    return np.random.default_rng(seed).normal(0.0, 1.0 / 0.479, (_LATTICE, _LATTICE))
