"""What stands still behind the moving object: a wall, a desk, and a twig that an air current may sway."""

import numpy as np
from numpy.typing import NDArray

from spikemm.simulator.texture import Plane, blob, box, cover, noise, over, ramp, stripe

__all__ = ["paint_backdrop", "paint_desk_top", "twig_mask"]

_FAR = 5000.0
_LEAVES = ((4, 22, 40), (21, 34, -46), (5, 46, 34), (25, 58, -38), (8, 71, 46), (27, 83, -30), (16, 97, 8))


def paint_backdrop(x: Plane, y: Plane, sway_px: float) -> Plane:
    """Paint the wall and the twig.

    Parameters
    ----------
    x, y : ndarray
        Scene coordinates: 400 wide and 250 high, whatever the picture's size in pixels.
    sway_px : float
        Displacement of the twig's lower half to the right, in scene units.
    """
    return _paint_twig(_paint_wall(x, y), x, y, sway_px)


def twig_mask(x: Plane, y: Plane, reach: float) -> NDArray[np.bool_]:
    """Tell which points the twig can cover or touch when it sways by up to `reach` scene units."""
    inside: NDArray[np.bool_] = (x < 52.0 + reach) & (y < 122.0)
    return inside


def paint_desk_top(below: Plane, x: Plane, y: Plane, top: float, left: float, right: float) -> Plane:
    """Lay a wooden desk over `below`, its front edge at height `top`, from `left` to `right` (scene units)."""
    centre, half = 0.5 * (left + right), 0.5 * (right - left)
    covered = cover(box(x - centre, y - top - _FAR, half, _FAR, 3.0))
    shadow = 1.0 - 0.45 * blob(np.maximum(np.abs(x - centre) - half, 0.0), np.minimum(y - top, 0.0), 14.0, 9.0)
    rings = noise(x, y + 3.0 * noise(x, y, 60.0, 30.0, 21), 46.0, 3.1, 22)
    wood = 0.26 + 0.035 * rings + 0.02 * noise(x, y, 9.0, 2.6, 23)
    lip = 0.12 * stripe(y - top - 2.5, 1.2, 1.0) - 0.10 * stripe(y - top - 15.0, 1.0, 1.2)
    front = 1.0 - 0.35 * ramp(y, top + 12.0, top + 18.0)
    return over(below * shadow, (wood + lip) * front, covered)


def _paint_wall(x: Plane, y: Plane) -> Plane:
    vignette = 1.0 - 0.30 * (((x - 170.0) / 260.0) ** 2 + ((y - 90.0) / 210.0) ** 2)
    window = blob(x - 300.0, y - 40.0, 70.0, 60.0) + 0.6 * blob(x - 120.0, y - 70.0, 60.0, 70.0)
    plaster = (
        0.010 * noise(x, y, 2.6, 2.6, 11) + 0.012 * noise(x, y, 9.0, 9.0, 12) + 0.012 * noise(x, y, 34.0, 34.0, 13)
    )
    return (0.15 + 0.07 * window) * np.clip(vignette, 0.35, 1.0) + plaster


def _paint_twig(below: Plane, x: Plane, y: Plane, sway_px: float) -> Plane:
    near = twig_mask(x, y, abs(sway_px) + 4.0)
    light = below.copy()
    light[near] = _paint_leaves(below[near], x[near], y[near], sway_px)
    return light


def _paint_leaves(below: Plane, x: Plane, y: Plane, sway_px: float) -> Plane:
    x = x - sway_px * ramp(y, 0.0, 48.0)
    bend = 15.0 + 5.0 * np.sin(y / 34.0)
    light = over(below, 0.09, cover(box(x - bend, y - 98.0 + _FAR, 1.1, _FAR)))
    for number, (left, top, degrees) in enumerate(_LEAVES):
        light = _paint_leaf(light, x - left, y - top, np.deg2rad(degrees), 0.30 + 0.02 * (number % 3))
    return light


def _paint_leaf(below: Plane, x: Plane, y: Plane, turn: float, light: float) -> Plane:
    along = x * np.sin(turn) + y * np.cos(turn)
    across = x * np.cos(turn) - y * np.sin(turn)
    outline = np.hypot(along / 12.0, across / 5.2) - 1.0
    veins = 0.10 * stripe(across, 0.5) + 0.035 * np.sin((along - 0.8 * np.abs(across)) * 1.5)
    shade = light + 0.012 * across - veins
    return over(below, shade, cover(outline * 5.2))
