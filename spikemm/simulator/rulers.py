"""The short and the long ruler: clamped to a desk at their left, swinging up and down at their right."""

from dataclasses import dataclass

import numpy as np

from spikemm.simulator.backdrop import paint_backdrop, paint_desk_top
from spikemm.simulator.texture import Plane, bar, blob, box, cover, noise, over, ramp, stripe

__all__ = ["LONG", "SHORT", "Ruler"]

# The seven bars of a digit: centre x, centre y, half width, half height, in units of half a digit's width.
_BARS = ((0, -2, 1, 0), (1, -1, 0, 1), (1, 1, 0, 1), (0, 2, 1, 0), (-1, 1, 0, 1), (-1, -1, 0, 1), (0, 0, 1, 0))
_DIGITS = ("012345", "12", "01346", "01236", "1256", "02356", "023456", "012", "0123456", "012356")


@dataclass(frozen=True)
class Ruler:
    """A ruler and where its motion is rigid; all lengths in scene units (400 × 250).

    Attributes
    ----------
    edge, tip : float
        Where it leaves the desk and where it ends.
    y, half_height : float
        Its centre line, and half of its height.
    rigid : float
        From here to the tip it moves as one piece; towards the desk's edge the motion dies out smoothly.
    centimetre : float
        Distance of two long marks.
    metal : bool
        Steel, or wood.
    """

    edge: float
    tip: float
    y: float
    half_height: float
    rigid: float
    centimetre: float
    metal: bool

    @property
    def region(self) -> tuple[float, float, float, float]:
        """The rigid part, five units inside the outline: x, y, width, height."""
        return (
            self.rigid + 2.0,
            self.y - self.half_height + 5.0,
            self.tip - self.rigid - 7.0,
            2.0 * self.half_height - 10.0,
        )

    def paint(self, x: Plane, y: Plane, move_px: float, sway_px: float) -> Plane:
        """Paint the scene with the ruler's free end moved down by `move_px`."""
        light = paint_desk_top(paint_backdrop(x, y, sway_px), x, y, self.y + self.half_height, -5000.0, self.edge)
        moved = y - move_px * ramp(x, self.edge + 4.0, self.rigid) - self.y
        middle, half = 0.5 * (self.tip - 20.0), 0.5 * (self.tip + 20.0)
        blade = cover(box(x - middle, moved, half, self.half_height, 2.5))
        light = over(light, self._blade(x, moved), blade)
        return self._clamp(light, x, y)

    def _blade(self, x: Plane, y: Plane) -> Plane:
        grain = (
            0.030 * noise(x, y, 26.0, 3.0, 51) + 0.016 * noise(x, y, 3.0, 3.0, 52) + 0.014 * noise(x, y, 40.0, 9.0, 53)
        )
        gloss = blob(y + 0.3 * self.half_height, 0.0 * x, 0.35 * self.half_height, 1.0)
        sheen = 0.10 * np.sin(x / 31.0) * gloss if self.metal else 0.0 * x
        base = (0.34 + 0.10 * gloss if self.metal else 0.44 + 0.05 * gloss) + sheen + grain
        lip = 0.10 * stripe(y - self.half_height + 2.0, 0.9) + 0.12 * stripe(y + self.half_height - 1.5, 0.8)
        marks, digits = self._marks(x, y), self._digits(x, y)
        ink = marks + digits - marks * digits
        return over(base - lip, 0.07, 0.9 * ink)

    def _marks(self, x: Plane, y: Plane) -> Plane:
        top = y + self.half_height
        along = (x - self.edge) / self.centimetre
        marks = 0.0 * x
        for parts, length in ((1, 0.52), (2, 0.40), (10, 0.28)):
            pitch = self.centimetre / parts
            if pitch >= 4.0:
                away = (along * parts - np.round(along * parts)) * pitch
                mark = stripe(away, 0.75) * cover(top - 2.0 * length * self.half_height)
                marks = marks + mark - marks * mark
        return marks * cover(2.0 - top)

    def _digits(self, x: Plane, y: Plane) -> Plane:
        ink = 0.0 * x
        unit = 0.15 * self.half_height
        for number in range(1, int((self.tip - self.edge) / self.centimetre)):
            at = x - self.edge - number * self.centimetre - 2.6 * unit
            for segment in _DIGITS[number % 10]:
                bx, by, w, h = _BARS[int(segment)]
                drawn = bar(at - bx * unit, y - 0.42 * self.half_height - by * unit, w * unit + 0.8, h * unit + 0.8)
                ink = ink + drawn - ink * drawn
        return ink

    def _clamp(self, below: Plane, x: Plane, y: Plane) -> Plane:
        centre = self.edge - 42.0
        body = np.minimum(
            box(x - centre, y - self.y + self.half_height + 5.0, 26.0, 7.0, 2.5),
            box(x - centre, y - self.y + self.half_height + 34.0, 8.0, 26.0, 2.0),
        )
        handle = box(x - centre, y - self.y + self.half_height + 58.0, 30.0, 3.6, 3.0)
        turned = (x - centre) / 8.0
        thread = 0.05 * np.sin(2.0 * np.pi * (y + 0.25 * x) / 5.0)
        iron = 0.07 + 0.20 * np.exp(-(((turned + 0.4) / 0.35) ** 2)) + thread * blob(x - centre, 0.0 * y, 5.0, 1.0)
        edge = 0.10 * stripe(y - self.y + self.half_height + 10.5, 0.9) + 0.10 * stripe(
            y - self.y + self.half_height + 60.0, 0.9
        )
        iron = iron + edge + 0.012 * noise(x, y, 2.6, 2.6, 61)
        shadow = 1.0 - 0.35 * cover(box(x - centre - 6.0, y - self.y + self.half_height - 3.0, 30.0, 6.0, 3.0), 3.0)
        return over(below * shadow, iron, cover(np.minimum(body, handle)))


SHORT = Ruler(edge=128.0, tip=318.0, y=132.0, half_height=21.0, rigid=236.0, centimetre=30.0, metal=True)
LONG = Ruler(edge=92.0, tip=388.0, y=138.0, half_height=17.0, rigid=290.0, centimetre=24.0, metal=False)
