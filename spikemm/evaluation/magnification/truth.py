"""The scene as it would look with its motion magnified, and where it must stand still."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from spikemm.simulator import Disturbances, Scene

__all__ = ["MagnifiedTruth"]

Region = tuple[int, int, int, int]

_SIZES_PX = ((16, 16), (32, 32), (64, 64), (16, 48), (48, 16), (16, 80), (80, 16), (32, 80), (80, 32))
_STRIDE_PX = 4
_CLEARANCE_PX = 6
_BLOCKS = 2
_UNCHANGED = 1e-3
_FACTORS = (-1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0)


class MagnifiedTruth:
    """Pictures of a scene painted with `alpha` times its motion.

    Parameters
    ----------
    scene : Scene
    rate_hz : float
        Steps per second.
    room : Disturbances, optional
        Whose flicker is in the pictures as well: it is light, not motion.

    Attributes
    ----------
    scene : Scene
    rate_hz : float
    rest : numpy.ndarray
        (H, W) float32, the scene undisplaced in even light, spikes per step.
    peak : float
        Its brightest light.
    """

    def __init__(self, scene: Scene, rate_hz: float, room: Disturbances | None = None) -> None:
        self.scene, self.rate_hz = scene, rate_hz
        self._room = room or Disturbances()
        # Amplitude and frequency do not change what a displacement of so many px looks like: one cache for all.
        self._painted = replace(scene, hz=0.0, px=1.0, motions=())
        self.rest = _paint(self._painted, 0.0)
        self.peak = float(self.rest.max())

    def displacement(self, step: float) -> float:
        """Return the scene's true displacement at a step, in px, as a motion of phase 0 has it."""
        return self.scene.px * self.scene.factor(step, self.rate_hz)

    def at(self, step: float, alpha: float) -> NDArray[np.float32]:
        """Return the picture (H, W) of a step with the motion magnified, spikes per step."""
        lamp = np.float32(self._room.lamp(np.array([step / self.rate_hz]))[0])
        return np.asarray(_paint(self._painted, round(alpha * self.displacement(step), 6)) * lamp)

    def still_blocks(self, alpha: float) -> list[Region]:
        """Return where nothing moves, though the motion is magnified: the blocks with most texture.

        Returns
        -------
        list of tuple of int
            x, y, width, height of up to two blocks of at least 16×16 px, 6 px clear of all that changes.
        """
        reach = alpha * self.scene.px
        changed = np.zeros(self.rest.shape, bool)
        for factor in _FACTORS:
            change = np.abs(_paint(self._painted, round(factor * reach, 6)) - self.rest)
            changed |= change > _UNCHANGED * self.peak
        return _textured(self.rest, binary_dilation(changed, iterations=_CLEARANCE_PX))


@lru_cache(maxsize=400)
def _paint(scene: Scene, displacement_px: float) -> NDArray[np.float32]:
    picture = scene.frame(displacement_px)
    picture.flags.writeable = False
    return picture


def _textured(picture: NDArray[np.float32], taken: NDArray[np.bool_]) -> list[Region]:
    """Choose blocks that do not overlap; first the one with most texture in its weaker direction."""
    down, right = (np.asarray(slope) for slope in np.gradient(picture.astype(np.float64)))
    sums = [_integral(plane) for plane in (right * right, right * down, down * down, taken.astype(np.float64))]
    rows = range(_CLEARANCE_PX, picture.shape[0] - _CLEARANCE_PX, _STRIDE_PX)
    columns = range(_CLEARANCE_PX, picture.shape[1] - _CLEARANCE_PX, _STRIDE_PX)
    places = []
    for width, height in _SIZES_PX:
        for y in (y for y in rows if y + height <= picture.shape[0] - _CLEARANCE_PX):
            for x in (x for x in columns if x + width <= picture.shape[1] - _CLEARANCE_PX):
                xx, xy, yy, covered = (_inside(plane, x, y, width, height) for plane in sums)
                if covered < 0.5:
                    places.append((0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy), (x, y, width, height)))
    chosen: list[Region] = []
    for _, place in sorted(places, reverse=True):
        if len(chosen) < _BLOCKS and not any(_overlap(place, other) for other in chosen):
            chosen.append(place)
    return chosen


def _integral(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.pad(plane.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _inside(integral: NDArray[np.float64], x: int, y: int, width: int, height: int) -> float:
    corners = integral[y + height, x + width] - integral[y, x + width] - integral[y + height, x] + integral[y, x]
    return float(corners)


def _overlap(a: Region, b: Region) -> bool:
    return abs(2 * (a[0] - b[0]) + a[2] - b[2]) < a[2] + b[2] and abs(2 * (a[1] - b[1]) + a[3] - b[3]) < a[3] + b[3]
