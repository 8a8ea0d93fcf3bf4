"""Shapes and skins of random form: what random scenes are painted with."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.simulator.texture import Plane, bar, blob, box, cover, noise

__all__ = ["Shape", "Skin", "draw_shape", "draw_skin"]

_EDGE_PX = 5.0
_THIN_PX = 2.5
"""Half of the least width at which a shape covers its middle whole: thinner, its outlines would meet in a kink."""

_SMALLEST_PX, _LARGEST = 3.0, 0.5
_FORMS = ("ellipse", "box", "polygon", "bar", "ring", "petals")
_FORM_ODDS = (0.26, 0.26, 0.24, 0.10, 0.05, 0.09)
_TEXTURES = 24
"""Different lattices of noise in all; random places, turns and grains on them make the textures."""

_FINEST_PX, _COARSEST_PX = 2.2, 30.0


def _turned(x: Plane, y: Plane, turn: float) -> tuple[Plane, Plane]:
    along, across = math.cos(turn), math.sin(turn)
    return x * along + y * across, y * along - x * across


@dataclass(frozen=True)
class Shape:
    """An outline at a place.

    Attributes
    ----------
    form : str
        One of ellipse, box, polygon, bar, ring, petals.
    x, y : float
        Its middle, px.
    radius : float
        Nothing of it is much further from the middle, px.
    turn : float
        Radians.
    aspect : float
        How slim it is, 0 to 1: the small over the large half axis.
    count : int
        Corners of a polygon, petals.
    """

    form: str
    x: float
    y: float
    radius: float
    turn: float
    aspect: float
    count: int

    def near(self, x: Plane, y: Plane) -> NDArray[np.bool_]:
        """Tell which points are so near that the soft outline can touch them."""
        inside: NDArray[np.bool_] = np.hypot(x - self.x, y - self.y) < self.radius + _EDGE_PX
        return inside

    def distance(self, x: Plane, y: Plane) -> Plane:
        """Return the signed distance from the outline (px), negative inside; far from it a bound of its sign."""
        x, y = _turned(x - self.x, y - self.y, self.turn)
        match self.form:
            case "box" | "bar":
                return box(x, y, *self._halves)
            case "polygon":
                polygon: Plane = np.max(self._sides(x, y), axis=0)
                return polygon
            case "ring":
                return np.maximum(np.hypot(x, y) - self.radius, self._hole - np.hypot(x, y))
            case "petals":
                return self._petals(x, y)
            case _:
                return self._ellipse(x, y)

    def covered(self, x: Plane, y: Plane) -> Plane:
        """Return how much of each point is covered, 0 to 1, smooth at corners too."""
        match self.form:
            case "box" | "bar":
                return bar(*_turned(x - self.x, y - self.y, self.turn), *self._halves)
            case "polygon":
                sides = self._sides(*_turned(x - self.x, y - self.y, self.turn))
                polygon: Plane = np.prod([cover(side) for side in sides], axis=0)
                return polygon
            case "ring":
                away = np.hypot(x - self.x, y - self.y)
                return cover(away - self.radius) - cover(away - self._hole)
            case _:
                return cover(self.distance(x, y))

    @property
    def _halves(self) -> tuple[float, float]:
        if self.form == "bar":
            return self.radius, 0.7 + 4.0 * self.aspect
        long = self.radius / math.hypot(1.0, self.aspect)
        return max(long, _THIN_PX), max(long * self.aspect, _THIN_PX)

    @property
    def _hole(self) -> float:
        return max(_THIN_PX, self.radius * (1.0 - self.aspect))

    def _sides(self, x: Plane, y: Plane) -> list[Plane]:
        turns = math.tau * np.arange(self.count) / self.count
        inner = max(_THIN_PX, self.radius * math.cos(math.pi / self.count))
        return [math.cos(turn) * x + math.sin(turn) * y - inner for turn in turns]

    def _petals(self, x: Plane, y: Plane) -> Plane:
        away = np.hypot(x, y)
        depth = max(0.0, min(0.7 * self.aspect, 1.0 - _THIN_PX / self.radius))
        # At the middle, where all angles meet, the petals fade.
        waves = (1.0 - np.cos(self.count * np.arctan2(y, x))) * np.tanh((0.5 * away) ** 2)
        petals: Plane = away - self.radius * (1.0 - 0.5 * depth * waves)
        return petals

    def _ellipse(self, x: Plane, y: Plane) -> Plane:
        small = max(self.radius * self.aspect, _THIN_PX)
        # Divided by the gradient of the implicit form, so that the outline is equally soft all around.
        reach = np.hypot(x / self.radius, y / small)
        slope = np.hypot(x / self.radius**2, y / small**2) / np.maximum(reach, 1e-9)
        ellipse: Plane = (reach - 1.0) / np.maximum(slope, 1.0 / self.radius)
        return ellipse


@dataclass(frozen=True)
class Skin:
    """Light on a surface: a shade that changes smoothly, times grain of several sizes and stripes.

    Attributes
    ----------
    light : float
        Spikes per step.
    slope : tuple of float
        Relative change of the light per px to the right and down.
    gloss : tuple of float
        x, y, size (px) and relative height of a highlight.
    grains : tuple
        Of each: relative depth, the two cell sizes (px), turn, shift (px) and seed of the noise.
    stripes : tuple of float
        Relative depth, period (px), turn, hardness of the edges.
    """

    light: float
    slope: tuple[float, float]
    gloss: tuple[float, float, float, float]
    grains: tuple[tuple[float, float, float, float, float, int], ...]
    stripes: tuple[float, float, float, float]

    def __call__(self, x: Plane, y: Plane) -> Plane:
        """Return the light at points (px), spikes per step."""
        at_x, at_y, size, height = self.gloss
        shade = np.tanh(self.slope[0] * (x - at_x) + self.slope[1] * (y - at_y))
        light = 1.0 + 0.6 * shade + height * blob(x - at_x, y - at_y, size, size)
        for depth, cell_x, cell_y, turn, shift, seed in self.grains:
            along, across = _turned(x, y, turn)
            light = light + depth * noise(along + shift, across - shift, cell_x, cell_y, seed)
        depth, period, turn, hardness = self.stripes
        if depth > 0.0:
            wave = np.sin(math.tau / period * _turned(x, y, turn)[0])
            light = light + depth * np.tanh(hardness * wave) / math.tanh(hardness)
        return self.light * np.maximum(light, 0.1)


def draw_shape(rng: np.random.Generator, height: int, width: int) -> Shape:
    """Draw a shape whose middle lies in a picture of this size (px); small ones are many (density r⁻²)."""
    largest = max(2.0 * _SMALLEST_PX, _LARGEST * min(height, width))
    share = rng.random()
    radius = 1.0 / ((1.0 - share) / _SMALLEST_PX + share / largest)
    form = str(rng.choice(_FORMS, p=_FORM_ODDS))
    if form == "bar":
        radius = max(radius, rng.uniform(6.0, largest))
    return Shape(
        form,
        x=rng.uniform(0.0, width),
        y=rng.uniform(0.0, height),
        radius=radius,
        turn=rng.uniform(0.0, math.tau),
        aspect=rng.uniform(0.25, 0.95),
        count=int(rng.integers(3, 8)),
    )


def draw_skin(rng: np.random.Generator, height: int, width: int) -> Skin:
    """Draw a surface in a picture of this size (px): a fifth smooth, the others with grain, stripes or both."""
    kind = rng.random()
    grains = () if kind < 0.2 else tuple(_draw_grain(rng) for _ in range(int(rng.integers(1, 4))))
    stripes = (0.0, 1.0, 0.0, 1.0)
    if kind > 0.80:
        period = math.exp(rng.uniform(math.log(5.0), math.log(30.0)))
        # Harder edges than this would be thinner than a pixel can show.
        stripes = (rng.uniform(0.1, 0.5), period, rng.uniform(0.0, math.tau), rng.uniform(0.5, period / 5.0))
    return Skin(
        light=math.exp(rng.uniform(math.log(0.04), math.log(0.6))),
        slope=(float(rng.normal(0.0, 0.01)), float(rng.normal(0.0, 0.01))),
        gloss=(
            float(rng.uniform(0.0, width)),
            float(rng.uniform(0.0, height)),
            float(rng.uniform(5.0, 40.0)),
            float(rng.uniform(0.0, 0.6)),
        ),
        grains=grains,
        stripes=stripes,
    )


def _draw_grain(rng: np.random.Generator) -> tuple[float, float, float, float, float, int]:
    cell = math.exp(rng.uniform(math.log(_FINEST_PX), math.log(_COARSEST_PX)))
    longer = cell * math.exp(rng.exponential(0.5))
    seed = int(rng.integers(1000, 1000 + _TEXTURES))
    return (
        float(rng.uniform(0.04, 0.35)),
        cell,
        longer,
        float(rng.uniform(0.0, math.tau)),
        float(rng.uniform(0.0, 1000.0)),
        seed,
    )
