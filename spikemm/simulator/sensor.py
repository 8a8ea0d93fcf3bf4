"""What the camera adds to the light, and what happens in the room; every fault and disturbance has a unit."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.simulator.texture import Plane, ramp

__all__ = ["Disturbances", "Sensor"]

_SWAY_HZ = np.array([0.31, 0.53, 0.89, 1.47, 2.43])
_SHADOW_PERIOD_PX = 320.0
_SHADOW_WIDTH_PX = 90.0
_SHADOW_EDGE_PX = 36.0
_SHADOW_SLANT = 0.35


@dataclass(frozen=True)
class Sensor:
    """The camera's pixels. Light of 1 fills a pixel to its threshold in one step; a pixel fires at most once a step.

    Attributes
    ----------
    light : float
        Factor on the scene's light (aperture, lamp): 0.1 is a tenth of the light.
    fixed_pattern : float
        Standard deviation of the pixels' gains, as a fraction; each pixel keeps its own.
    dark_current : float
        Mean charge without light, spikes per step.
    dark_spread : float
        Standard deviation of the dark current between pixels, as a fraction of it.
    temporal_noise : float
        Standard deviation of one step's charge at a light of 1, as a fraction of the threshold; like photon noise it
        goes with the square root of the light (of the scene at rest, in even light). 0 leaves the quantisation of
        firing as the only noise.
    """

    light: float = 1.0
    fixed_pattern: float = 0.05
    dark_current: float = 0.0005
    dark_spread: float = 0.3
    temporal_noise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = 100.0 if field.name == "light" else 1.0
            _require(field.name, getattr(self, field.name), limit)

    def gains(self, pixels: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw every pixel's gain, the scene's light included."""
        spread = 1.0 + self.fixed_pattern * rng.standard_normal(pixels)
        return (self.light * np.maximum(spread, 0.0)).astype(np.float32)

    def dark(self, pixels: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw every pixel's dark current, spikes per step."""
        spread = 1.0 + self.dark_spread * rng.standard_normal(pixels)
        return (self.dark_current * np.maximum(spread, 0.0)).astype(np.float32)


@dataclass(frozen=True)
class Disturbances:
    """What moves or changes besides the measured vibration; everything is off by default.

    Attributes
    ----------
    shadow_depth : float
        Fraction of the light that a soft slanted shadow takes away; it wanders to the right.
    shadow_speed : float
        Speed of the shadow, px/s.
    air_px : float
        Root mean square of the slow, random sway (0.3 to 2.5 Hz) of the twig in the background, px.
    desk_px, desk_hz, desk_angle_deg : float
        Amplitude (px, at most 0.5), frequency and direction (0 right, 90 down) of a shake of the whole picture.
    flicker : float
        Amplitude of the lamps' flicker, as a fraction of the light.
    flicker_hz : float
        Its frequency.
    """

    shadow_depth: float = 0.0
    shadow_speed: float = 60.0
    air_px: float = 0.0
    desk_px: float = 0.0
    desk_hz: float = 18.0
    desk_angle_deg: float = 90.0
    flicker: float = 0.0
    flicker_hz: float = 100.0

    def __post_init__(self) -> None:
        for name, limit in (("shadow_depth", 1.0), ("air_px", 5.0), ("desk_px", 0.5), ("flicker", 1.0)):
            _require(name, getattr(self, name), limit)
        for name in ("desk_hz", "flicker_hz", "shadow_speed"):
            _require(name, getattr(self, name), 10_000.0)
        if not math.isfinite(self.desk_angle_deg):
            raise OptionError(f"desk_angle_deg is {self.desk_angle_deg}; it must be a finite number")

    @property
    def none(self) -> bool:
        """Whether nothing is disturbed."""
        return not (self.shadow_depth or self.air_px or self.desk_px or self.flicker)

    def lamp(self, seconds: Plane) -> Plane:
        """Return the factor on the light at each time (s) that the flicker makes."""
        return 1.0 + self.flicker * np.sin(math.tau * self.flicker_hz * seconds)

    def shake(self, seconds: Plane) -> Plane:
        """Return the desk's displacement at each time (s), as a fraction of its amplitude."""
        return np.sin(math.tau * self.desk_hz * seconds)

    def shake_px(self, fraction: float) -> tuple[float, float]:
        """Return the displacement of the picture, px to the right and down."""
        angle = math.radians(self.desk_angle_deg)
        return self.desk_px * fraction * math.cos(angle), self.desk_px * fraction * math.sin(angle)

    def sway(self, seconds: float, seed: int) -> float:
        """Return the twig's displacement (px) at a time (s); `seed` chooses the gusts."""
        rng = np.random.default_rng((seed, 0xA1))
        phases = rng.uniform(0.0, math.tau, _SWAY_HZ.size)
        waves = np.sin(math.tau * _SWAY_HZ * seconds + phases)
        return float(self.air_px * math.sqrt(2.0 / _SWAY_HZ.size) * waves.sum())

    def shade(self, height: int, width: int, seconds: float) -> NDArray[np.float32]:
        """Return the (H, W) factor on the light that the shadow makes at a time (s)."""
        y, x = np.ogrid[0:height, 0:width]
        phase = (x + _SHADOW_SLANT * y - self.shadow_speed * seconds) % _SHADOW_PERIOD_PX
        away = np.abs(phase - 0.5 * _SHADOW_PERIOD_PX) - 0.5 * _SHADOW_WIDTH_PX
        dark = 1.0 - ramp(away, -0.5 * _SHADOW_EDGE_PX, 0.5 * _SHADOW_EDGE_PX)
        return (1.0 - self.shadow_depth * dark).astype(np.float32)


def _require(name: str, value: float, limit: float) -> None:
    if not 0.0 <= value <= limit:
        raise OptionError(f"{name} is {value}; it must lie between 0 and {limit:g}")
