"""The tuning fork: two steel prongs that move in antiphase, on a resonance box."""

import numpy as np

from spikemm.simulator.backdrop import paint_backdrop, paint_desk_top
from spikemm.simulator.texture import Plane, bar, blob, box, cover, noise, over, ramp, stripe

__all__ = ["REGIONS", "paint_fork"]

REGIONS = ((150.0, 32.0, 28.0, 76.0, 180.0), (222.0, 32.0, 28.0, 76.0, 0.0))
"""Left and right prong: x, y, width, height in scene units, and the phase in degrees."""

_CENTRE, _PRONG, _HALF = 200.0, 36.0, 19.0
_TOP, _STRAIGHT, _BEND = 18.0, 116.0, 150.0


def paint_fork(x: Plane, y: Plane, move_px: float, sway_px: float) -> Plane:
    """Paint the scene with the right prong moved by `move_px` to the right and the left one as far to the left.

    Above y = 116 (scene units) the prongs move rigidly; from there the motion dies out smoothly towards the yoke.
    """
    light = paint_desk_top(paint_backdrop(x, y, sway_px), x, y, 226.0, -5000.0, 5000.0)
    light = _paint_box(light, x, y)
    side = np.where(x < _CENTRE, -1.0, 1.0)
    moved = x - move_px * side * (1.0 - ramp(y, _STRAIGHT, _BEND + 14.0))
    return over(light, _metal(moved, y), _outline(moved, y))


def _outline(x: Plane, y: Plane) -> Plane:
    across = np.abs(x - _CENTRE)
    prong = box(across - _PRONG, y - 0.5 * (_TOP + _BEND), _HALF, 0.5 * (_BEND - _TOP), 3.0)
    yoke = np.maximum(np.abs(np.hypot(across, y - _BEND + 2.0) - _PRONG) - _HALF, _BEND - 2.0 - y)
    stem = box(x - _CENTRE, y - 212.0, 8.0, 26.0)
    return cover(np.minimum(np.minimum(prong, yoke), stem))


def _metal(x: Plane, y: Plane) -> Plane:
    across = np.abs(x - _CENTRE)
    radius = np.where(y > _BEND - 2.0, np.hypot(across, y - _BEND + 2.0), across)
    turned = np.where(y > 202.0, (x - _CENTRE) / 8.0, (_PRONG - radius) / _HALF)
    gloss = 0.34 * np.exp(-(((turned + 0.38) / 0.24) ** 2)) + 0.16 * np.exp(-(((turned - 0.55) / 0.14) ** 2))
    rim = 0.11 * np.clip(np.abs(turned), 0.0, 1.2) ** 4
    grain = 0.034 * noise(x, y, 2.3, 17.0, 31) + 0.020 * noise(x, y, 3.1, 3.1, 32) + 0.018 * noise(x, y, 12.0, 7.0, 33)
    tip = 0.12 * stripe(y - _TOP - 2.0, 1.2, 1.0)
    return 0.20 + gloss - rim + grain + tip - _engraving(x, y)


def _engraving(x: Plane, y: Plane) -> Plane:
    rings = sum(stripe(y - at, 0.9) for at in (112.0, 116.0, 120.0))
    across = x - _CENTRE - _PRONG
    marks = sum(bar(across - dx, y - dy, w, h) for dx, dy, w, h in _STAMP)
    return 0.09 * rings * stripe(np.abs(x - _CENTRE) - _PRONG, _HALF) + 0.17 * np.tanh(1.3 * marks)


# The stamp "A 3" on the right prong, out of bars: centre x, centre y, half width, half height.
_STAMP = (
    (-6, 66, 0.9, 8), (2, 66, 0.9, 8), (-2, 58, 4.9, 0.9), (-2, 66, 4.9, 0.9),
    (6, 88, 0.9, 8), (1, 80, 5.9, 0.9), (2, 88, 4.0, 0.9), (1, 96, 5.9, 0.9),
)  # fmt: skip


def _paint_box(below: Plane, x: Plane, y: Plane) -> Plane:
    covered = cover(box(x - _CENTRE, y - 234.0, 84.0, 18.0, 3.0))
    wood = 0.36 + 0.03 * noise(x, y, 40.0, 2.8, 41) + 0.015 * noise(x, y, 8.0, 2.4, 42)
    wood = wood * (1.0 - 0.5 * ramp(y, 219.0, 223.0)) + 0.10 * stripe(y - 218.0, 1.0)
    hole = cover(np.hypot((x - _CENTRE - 46.0) / 1.6, y - 238.0) - 7.0, 1.0)
    lit = over(wood, 0.05, hole)
    shadow = 1.0 - 0.4 * blob(np.maximum(np.abs(x - _CENTRE) - 80.0, 0.0), np.minimum(y - 244.0, 0.0), 16.0, 12.0)
    return over(below * shadow, lit, covered)
