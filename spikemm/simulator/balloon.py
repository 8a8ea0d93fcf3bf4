"""The balloon: its flanks bulge out and in against each other, as the membrane of a struck balloon does."""

import numpy as np

from spikemm.simulator.backdrop import paint_backdrop, paint_desk_top
from spikemm.simulator.texture import Plane, blob, box, cover, noise, over, ramp, stripe

__all__ = ["REGIONS", "paint_balloon"]

REGIONS = ((146.0, 72.0, 28.0, 72.0, 180.0), (242.0, 72.0, 28.0, 72.0, 0.0))
"""Left and right flank: x, y, width, height in scene units, and the phase in degrees."""

_X, _Y, _WIDTH, _HEIGHT = 208.0, 106.0, 74.0, 88.0
_DOTS = (
    (-50, -24, 7), (-52, 4, 8), (-46, 30, 7), (-30, -52, 9), (-26, -12, 10), (-24, 20, 9), (-22, 56, 8),
    (0, -34, 11), (2, 4, 12), (0, 42, 10), (4, -68, 8), (28, -52, 9), (27, -14, 10), (26, 24, 9), (24, 58, 7),
    (51, -28, 7), (52, 0, 8), (48, 28, 7), (41, 50, 5),
)  # fmt: skip


def paint_balloon(x: Plane, y: Plane, move_px: float, sway_px: float) -> Plane:
    """Paint the scene with the right flank moved by `move_px` to the right and the left one as far to the left.

    Beyond 30 scene units from the axis the flanks move rigidly; between them the membrane stretches smoothly, and above
    and below the balloon's body the motion dies out.
    """
    light = paint_desk_top(paint_backdrop(x, y, sway_px), x, y, 222.0, -5000.0, 5000.0)
    light = _paint_string(light, x, y)
    side = 2.0 * ramp(x, _X - 30.0, _X + 30.0) - 1.0
    height = 1.0 - ramp(np.abs(y - _Y), 0.55 * _HEIGHT, _HEIGHT + 6.0)
    moved = x - move_px * side * height
    return over(light, _skin(moved, y), cover(_outline(moved, y)))


def _outline(x: Plane, y: Plane) -> Plane:
    dx, dy = (x - _X) / _WIDTH, (y - _Y) / _HEIGHT
    narrow = 1.0 + 0.16 * ramp(dy, 0.0, 1.0)
    body = (np.hypot(dx * narrow, dy) - 1.0) * _WIDTH
    knot = box(x - _X, y - _Y - _HEIGHT - 3.0, 2.2 + 0.0, 6.0, 1.5)
    lip = box(x - _X, y - _Y - _HEIGHT - 8.0, 6.5, 2.2, 1.5)
    return np.minimum(np.minimum(body, knot), lip)


def _skin(x: Plane, y: Plane) -> Plane:
    dx, dy = x - _X, y - _Y
    facing = np.sqrt(np.clip(1.0 - (dx / (1.06 * _WIDTH)) ** 2 - (dy / (1.06 * _HEIGHT)) ** 2, 0.0, 1.0))
    light = 0.10 + 0.27 * facing * (1.0 - 0.0022 * (dx + dy))
    rubber = 0.020 * noise(x, y, 2.6, 3.4, 71) + 0.018 * noise(x, y, 7.0, 7.0, 72)
    printed = _print(dx, dy)
    light = over(light + rubber, 0.05 + 0.10 * facing, 0.85 * printed)
    gloss = 0.34 * blob(dx + 30.0, dy + 40.0, 11.0, 17.0) + 0.22 * blob(dx + 33.0, dy + 48.0, 4.0, 6.0)
    return light + gloss + 0.10 * blob(dx - 40.0, dy - 52.0, 16.0, 9.0)


def _print(dx: Plane, dy: Plane) -> Plane:
    ink = 0.0 * dx
    for number, (at_x, at_y, size) in enumerate(_DOTS):
        radius, turn = np.hypot(dx - at_x, dy - at_y), np.arctan2(dy - at_y, dx - at_x)
        petals = size * (0.72 + 0.20 * np.cos(5.0 * turn + number) * np.tanh((radius / 3.0) ** 2))
        ink = np.maximum(ink, cover(radius - petals) - cover(radius - 0.28 * size))
    return ink


def _paint_string(below: Plane, x: Plane, y: Plane) -> Plane:
    low = _Y + _HEIGHT + 8.0
    swing = _X + 5.0 * np.sin((y - low) / 12.0) * ramp(y, low, low + 20.0)
    thread = stripe(x - swing, 0.7) * cover(low - y) * cover(y - 238.0)
    weight = cover(box(x - _X - 4.0, y - 238.0, 15.0, 9.0, 2.0))
    lit = 0.40 + 0.05 * stripe(y - 231.0, 1.0) - 0.004 * (x - _X) + 0.02 * noise(x, y, 3.0, 3.0, 81)
    shadow = 1.0 - 0.45 * blob(x - _X - 10.0, y - 248.0, 24.0, 6.0)
    return over(over(below, 0.42 + 0.06 * np.sin(y * 1.4), thread) * shadow, lit, weight)
