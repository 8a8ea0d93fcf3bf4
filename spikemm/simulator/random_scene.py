"""Random scenes to train networks on: shapes over shapes, some of which vibrate, each in its own direction."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.simulator.random_brush import Shape, Skin, draw_shape, draw_skin
from spikemm.simulator.scene import Motion, Scene, check_size
from spikemm.simulator.texture import Plane, over

__all__ = ["random_scene"]

_PX_PER_SHAPE = 350.0
"""Area of picture for every shape that is laid on it."""

_SLOWEST_HZ, _FASTEST_HZ = 20.0, 600.0
_SMALLEST_PX, _LARGEST_PX = 0.05, 1.5
_MOVING = 0.4
_REGION_PX = 12
_CLEAR_PX = 4.0
_BORDER_PX = 5
_DARKEST, _BRIGHTEST = 0.02, 0.75


@dataclass(frozen=True)
class _Layer:
    """A shape with its skin; it moves by `right` and `down` px for every px of the scene's amplitude."""

    shape: Shape
    skin: Skin
    right: float = 0.0
    down: float = 0.0

    def lay(self, below: Plane, x: Plane, y: Plane, move_px: float) -> Plane:
        x, y = x - self.right * move_px, y - self.down * move_px
        near = self.shape.near(x, y)
        if not near.any():
            return below
        light = below.copy()
        light[near] = over(below[near], self.skin(x[near], y[near]), self.shape.covered(x[near], y[near]))
        return light


@dataclass(frozen=True)
class _Painting:
    """A background and what lies on it, lowest first."""

    ground: Skin
    layers: tuple[_Layer, ...]

    def __call__(self, x: Plane, y: Plane, move_px: float, _sway_px: float) -> Plane:
        light = self.ground(x, y)
        for layer in self.layers:
            light = layer.lay(light, x, y, move_px)
        return np.clip(light, _DARKEST, _BRIGHTEST)


def random_scene(
    seed: int,
    *,
    height: int = 128,
    width: int = 128,
    frequency_hz: float | None = None,
    amplitude_px: float | None = None,
) -> Scene:
    """Paint a scene like no other: dead leaves of random form, light and texture on a still background.

    The brushes are those of the other scenes, continuous functions of the coordinates, so a shape that moves by any
    fraction of a pixel is exact. Four shapes of ten move rigidly, all with the scene's frequency, each in a direction
    of its own, with or against the others and with 0.3 to 1 of the amplitude.

    Parameters
    ----------
    seed : int
        Which scene.
    height, width : int
        Size of the picture, px.
    frequency_hz, amplitude_px : float, optional
        Default: drawn from 20 to 600 Hz and 0.05 to 1.5 px, evenly on a logarithmic scale.

    Returns
    -------
    Scene
        Its `motions` are the moving shapes that lie free: squares inside their outline that nothing else, nor the
        border, comes near. There may be none.

    Raises
    ------
    OptionError
        If the seed or the size is out of range.

    Notes
    -----
    Dead leaves: Lee, Mumford and Huang, "Occlusion models for natural images" (2001): here with sizes of density r⁻².
    """
    if seed < 0:
        raise OptionError(f"seed is {seed}; it must be 0 or above")
    check_size(height, width)
    rng = np.random.default_rng((seed, 0x5CE))
    hz = float(np.exp(rng.uniform(math.log(_SLOWEST_HZ), math.log(_FASTEST_HZ))))
    px = float(np.exp(rng.uniform(math.log(_SMALLEST_PX), math.log(_LARGEST_PX))))
    hz, px = hz if frequency_hz is None else frequency_hz, px if amplitude_px is None else amplitude_px
    count = max(4, round(height * width / _PX_PER_SHAPE))
    layers = tuple(_draw_layer(rng, height, width) for _ in range(count))
    scene = Scene(
        "random", height, width, hz, px, (), _Painting(draw_skin(rng, height, width), layers), (width, height)
    )
    return replace(scene, motions=_motions(scene, layers))


def _draw_layer(rng: np.random.Generator, height: int, width: int) -> _Layer:
    shape, skin = draw_shape(rng, height, width), draw_skin(rng, height, width)
    if rng.random() > _MOVING:
        return _Layer(shape, skin)
    angle, share = rng.uniform(0.0, math.tau), rng.uniform(0.3, 1.0)
    return _Layer(shape, skin, share * math.cos(angle), share * math.sin(angle))


def _motions(scene: Scene, layers: tuple[_Layer, ...]) -> tuple[Motion, ...]:
    """Find the moving shapes of which a square lies free of the shapes above."""
    y, x = np.mgrid[0.5 : scene.height, 0.5 : scene.width]
    free = np.zeros(x.shape, bool)
    free[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = True
    motions: list[Motion] = []
    for layer in reversed(layers):
        if math.hypot(layer.right, layer.down) > 0.0:
            motions += _motion(scene, layer, free & (layer.shape.distance(x, y) < -_CLEAR_PX - scene.px))
        free &= layer.shape.distance(x, y) > _CLEAR_PX + scene.px
    return tuple(reversed(motions))


def _motion(scene: Scene, layer: _Layer, inside: NDArray[np.bool_]) -> list[Motion]:
    region = _largest_square(inside)
    if region is None:
        return []
    share, angle = math.hypot(layer.right, layer.down), math.degrees(math.atan2(layer.down, layer.right))
    # A direction and its opposite are one line; the sign of the motion along it is its phase.
    against = angle < 0.0
    return [Motion(region, scene.hz, scene.px * share, angle % 180.0, 180.0 if against else 0.0)]


def _largest_square(inside: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return x, y, width, height of the largest square all inside, or None if it is below 12 px."""
    best = (0, 0, 0)
    sides = np.zeros((inside.shape[0] + 1, inside.shape[1] + 1), np.int64)
    for row, column in np.argwhere(inside):
        side = 1 + min(sides[row, column], sides[row, column + 1], sides[row + 1, column])
        sides[row + 1, column + 1] = side
        best = max(best, (int(side), int(row), int(column)))
    side, row, column = best
    return (column - side + 1, row - side + 1, side, side) if side >= _REGION_PX else None
