"""Scenes whose motion is known exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.simulator import balloon, fork, rulers
from spikemm.simulator.backdrop import twig_mask
from spikemm.simulator.texture import Plane

__all__ = ["SCENES", "Motion", "Paint", "Scene", "check_size", "make_scene"]

_WIDTH, _HEIGHT = 400.0, 250.0
_SMALLEST_PX = 16
_LARGEST_PX = 16_384
_FURTHEST_PX = 10.0
_DARKEST = 0.005
_FLAT = 0.5
_MOTIONLESS = ("still", "flat")


Paint = Callable[[Plane, Plane, float, float], Plane]
"""What paints a scene: x, y, the motion's and the twig's displacement, all in scene units; light in spikes per step."""


@dataclass(frozen=True)
class Motion:
    """A region that moves as one piece: ``px · sin(2π · hz · t + phase)`` along one direction.

    Attributes
    ----------
    region : tuple of int
        x, y, width, height in px of the upright picture; x to the right, y down, pixel centres at whole numbers.
    hz : float
        Frequency in true Hz.
    px : float
        Amplitude: half of peak to peak, px.
    angle_deg : float
        Direction of positive displacement: 0 is to the right, 90 is down.
    phase_deg : float
        Phase at step 0.
    """

    region: tuple[int, int, int, int]
    hz: float
    px: float
    angle_deg: float
    phase_deg: float

    def displacement(self, seconds: float) -> tuple[float, float]:
        """Return the displacement to the right and down (px) at a time since step 0."""
        along = self.px * math.sin(math.tau * self.hz * seconds + math.radians(self.phase_deg))
        angle = math.radians(self.angle_deg)
        return along * math.cos(angle), along * math.sin(angle)


@dataclass(frozen=True)
class _Kind:
    hz: float
    px: float
    angle_deg: float
    regions: tuple[tuple[float, float, float, float, float], ...]
    paint: Paint


_KINDS = {
    "tuning-fork": _Kind(310.0, 0.3, 0.0, fork.REGIONS, fork.paint_fork),
    "short-ruler": _Kind(120.0, 0.4, 90.0, ((*rulers.SHORT.region, 0.0),), rulers.SHORT.paint),
    "long-ruler": _Kind(40.0, 0.6, 90.0, ((*rulers.LONG.region, 0.0),), rulers.LONG.paint),
    "balloon": _Kind(200.0, 0.25, 0.0, balloon.REGIONS, balloon.paint_balloon),
    "still": _Kind(0.0, 0.0, 0.0, fork.REGIONS, fork.paint_fork),
    "flat": _Kind(0.0, 0.0, 0.0, (), lambda x, y, move_px, sway_px: np.full_like(x, _FLAT)),
}

SCENES = tuple(_KINDS)
"""The names that `make_scene` knows."""


@dataclass(frozen=True)
class Scene:
    """A picture with one known vibration; made by `make_scene` or `random_scene`.

    The light of a frame is in spikes per step of a sensor without any fault, between about 0.03 and 0.7. It is painted
    from continuous functions at the moved coordinates, so a displacement of any fraction of a pixel is exact.

    Attributes
    ----------
    name : str
    height, width : int
        Size of the picture, px.
    hz, px : float
        Frequency (Hz) and amplitude (px) of the motion; both 0 for ``still`` and ``flat``.
    motions : tuple of Motion
        The regions that move as one piece; elsewhere on the object the motion dies out smoothly.
    paint : callable
        Paints the picture at given points: x, y, the motion's and the twig's displacement, in scene units.
    canvas : tuple of float
        Width and height of the painted picture in scene units; it is scaled to fit into `width` and `height`.
    """

    name: str
    height: int
    width: int
    hz: float
    px: float
    motions: tuple[Motion, ...]
    paint: Paint
    canvas: tuple[float, float] = (_WIDTH, _HEIGHT)

    def factor(self, step: float, rate_hz: float) -> float:
        """Return the motion's displacement at `step`, which may be fractional, as a fraction of its amplitude."""
        return float(self.factors(np.array([step], np.float64), rate_hz)[0])

    def factors(self, steps: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
        """Return what `factor` does for each of many steps."""
        cycles: NDArray[np.float64] = np.fmod(self.hz * steps / rate_hz, 1.0)
        return np.sin(math.tau * cycles)

    def frame(
        self,
        factor: float = 0.0,
        *,
        magnification: float = 1.0,
        sway_px: float = 0.0,
        shake_px: tuple[float, float] = (0.0, 0.0),
    ) -> NDArray[np.float32]:
        """Paint the scene at one instant.

        Parameters
        ----------
        factor : float
            Displacement as a fraction of the amplitude, usually from `factor`; a motion of phase 180° moves by −factor.
        magnification : float
            Total factor on the motion, for the truth that a magnified frame is compared with.
        sway_px : float
            Displacement of the twig in the background, px to the right.
        shake_px : tuple of float
            Displacement of the whole picture, px to the right and down.

        Returns
        -------
        ndarray
            (H, W) float32, light in spikes per step.
        """
        y, x = np.mgrid[0 : self.height, 0 : self.width].astype(np.float64)
        return self.light(x, y, factor * magnification, sway_px=sway_px, shake_px=shake_px)

    def light(
        self,
        x: Plane,
        y: Plane,
        factor: float,
        *,
        sway_px: float = 0.0,
        shake_px: tuple[float, float] = (0.0, 0.0),
    ) -> NDArray[np.float32]:
        """Paint only the points at `x`, `y` (px, any shape); the options are those of `frame`."""
        scale, left, top = self._placement()
        painted = np.zeros(np.shape(x))
        offsets = _subpixels(scale)
        for down in offsets:
            for right in offsets:
                scene_x = (x + right - shake_px[0] - left) / scale
                scene_y = (y + down - shake_px[1] - top) / scale
                light = self.paint(scene_x, scene_y, factor * self.px / scale, sway_px / scale)
                painted += np.clip(light, _DARKEST, 1.0)
        return (painted / len(offsets) ** 2).astype(np.float32)

    def sways(self, x: Plane, y: Plane, reach_px: float) -> NDArray[np.bool_]:
        """Tell which of the points (px) change when the twig sways by up to `reach_px`."""
        scale, left, top = self._placement()
        return twig_mask((x - left) / scale, (y - top) / scale, (reach_px + 1.0) / scale + 4.0)

    def _placement(self) -> tuple[float, float, float]:
        wide, high = self.canvas
        scale = min(self.width / wide, self.height / high)
        return scale, 0.5 * (self.width - 1 - scale * wide), 0.5 * (self.height - 1 - scale * high)


def make_scene(
    name: str,
    *,
    height: int = 250,
    width: int = 400,
    frequency_hz: float | None = None,
    amplitude_px: float | None = None,
) -> Scene:
    """Make one of the paper's four scenes, ``still``, or ``flat``: even light, for calibration.

    Parameters
    ----------
    name : str
        One of `SCENES`.
    height, width : int
        Size of the picture, from 16 to 16,384 px each; the picture is scaled to fit.
    frequency_hz, amplitude_px : float, optional
        Other than the scene's own: tuning-fork 310 Hz and 0.3 px, short-ruler 120 Hz and 0.4 px, long-ruler 40 Hz and
        0.6 px, balloon 200 Hz and 0.25 px. The amplitude is in px of the picture whatever its size, at most 10.

    Raises
    ------
    OptionError
        If the name is unknown, a number is out of range, or ``still`` or ``flat`` is asked to move.
    """
    kind = _KINDS.get(name)
    if kind is None:
        raise OptionError(f"unknown scene {name!r}; choose one of {', '.join(SCENES)}")
    check_size(height, width)
    if name in _MOTIONLESS and not (frequency_hz is None and amplitude_px is None):
        raise OptionError(f"the scene {name!r} does not move; leave frequency and amplitude out, or choose tuning-fork")
    hz = kind.hz if frequency_hz is None else frequency_hz
    px = kind.px if amplitude_px is None else amplitude_px
    if not (math.isfinite(hz) and hz >= 0.0):
        raise OptionError(f"frequency is {hz} Hz; it must be a finite number of at least 0")
    if not 0.0 <= px <= _FURTHEST_PX:
        raise OptionError(f"amplitude is {px} px; it must lie between 0 and {_FURTHEST_PX:g}")
    still = Scene(name, height, width, hz, px, (), kind.paint)
    return replace(still, motions=tuple(_motion(still, kind.angle_deg, place) for place in kind.regions))


def check_size(height: int, width: int) -> None:
    """Raise OptionError unless a picture can have this size (px)."""
    if min(height, width) < _SMALLEST_PX:
        raise OptionError(f"a picture of {height}×{width} px is too small; the least is {_SMALLEST_PX}×{_SMALLEST_PX}")
    if max(height, width) > _LARGEST_PX:
        raise OptionError(f"a picture of {height}×{width} px is too large; a side has at most {_LARGEST_PX} px")


def _motion(scene: Scene, angle_deg: float, place: tuple[float, float, float, float, float]) -> Motion:
    scale, left, top = scene._placement()
    x, y, wide, high, phase_deg = place
    first_x, first_y = math.ceil(x * scale + left), math.ceil(y * scale + top)
    last_x, last_y = math.floor((x + wide) * scale + left), math.floor((y + high) * scale + top)
    region = (first_x, first_y, max(1, last_x - first_x), max(1, last_y - first_y))
    return Motion(region, scene.hz, scene.px, angle_deg, phase_deg)


def _subpixels(scale: float) -> NDArray[np.float64]:
    # A picture smaller than the painted one averages over each pixel's area, or fine detail would alias; below a
    # quarter of its size there is no detail left that more than four points a side would save.
    count = min(4, max(1, math.ceil(1.0 / scale - 1e-9)))
    return (np.arange(count) + 0.5) / count - 0.5
