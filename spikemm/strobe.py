"""A stroboscope in sensor time: windows taken so that a fast vibration is shown as a slow one.

Flashes come at the rate f − a, whole numbers of them apart. A vibration of f goes through one cycle and a little more
from flash to flash, and what is more makes a cycles a second: it appears at the frequency a. More generally a tone at
f + δ appears at a + δ, a negative one being shown backwards, and what is slow appears as slow as it is; tones that are
half the frame rate and more off fold back, as with every stroboscope.
"""

from dataclasses import dataclass
from math import ceil, floor, isfinite

from spikemm.exceptions import OptionError

__all__ = ["Flashes", "Strobe", "longest_hop"]

_LEAST_FRAMES = 4
"""Frames that an apparent cycle must have: fewer show no motion."""


@dataclass(frozen=True, slots=True)
class Strobe:
    """Which vibration is shown, and how slow.

    Attributes
    ----------
    frequency_hz : float
        Frequency f of the vibration.
    apparent_hz : float
        Frequency a at which it appears, in sensor time.

    Raises
    ------
    OptionError
        If `apparent_hz` is not above 0, or `frequency_hz` is less than five times as high.
    """

    frequency_hz: float
    apparent_hz: float = 1.0

    def __post_init__(self) -> None:
        if not (isfinite(self.apparent_hz) and self.apparent_hz > 0.0):
            raise OptionError(f"an apparent frequency of {self.apparent_hz:g} Hz shows no motion: take more than 0")
        least = (1 + _LEAST_FRAMES) * self.apparent_hz
        if not (isfinite(self.frequency_hz) and self.frequency_hz >= least):
            raise OptionError(
                f"a vibration of {self.frequency_hz:g} Hz cannot be strobed to {self.apparent_hz:g} Hz, which takes "
                f"{least:g} Hz or more: lower apparent_hz, or show it without a strobe"
            )

    @property
    def flash_hz(self) -> float:
        """Rate of the flashes, f − a."""
        return self.frequency_hz - self.apparent_hz

    @property
    def time_scale(self) -> float:
        """Seconds that a second of the vibration takes to be shown, f / a."""
        return self.frequency_hz / self.apparent_hz

    def seconds(self, steps: int, rate_hz: float) -> float:
        """Time from one frame to another: whole flashes, which steps are only near to."""
        return max(1, round(steps * self.flash_hz / rate_hz)) / self.flash_hz

    def slow_seconds(self, seconds: float) -> float:
        """Time constant of what counts as slow: `seconds`, or two apparent cycles where they are longer."""
        return max(seconds, 2.0 / self.apparent_hz)

    def shown_band(self, band_hz: tuple[float, float], frame_rate_hz: float) -> tuple[float, float]:
        """Where a band of the scene appears.

        Parameters
        ----------
        band_hz : tuple of float
            Limits of the scene's vibration, Hz.
        frame_rate_hz : float
            Frames per second of sensor time.

        Returns
        -------
        tuple of float
            Limits in Hz of sensor time, above 0.

        Raises
        ------
        OptionError
            If the band has not got f in it, and reaches down to f − a, where it cannot be told from what stands still,
            or up to half the frame rate above that.

        Notes
        -----
        A tone at f + δ appears at a + δ, so a band is shifted by the rate of the flashes and not divided by the time
        scale. Most of a usual band is lost by that: with f = 497 and a = 1, what vibrates at 490 Hz is shown backwards
        at 6 Hz, and what does at 496 Hz stands still. Of a band around f, what is within an octave of a is kept. That
        keeps out what stands still, and a filter of an octave each way leaves f itself as it is in size and phase.
        """
        low, high = (limit - self.flash_hz for limit in band_hz)
        if low <= self.apparent_hz <= high:
            return max(low, 0.5 * self.apparent_hz), min(high, 2.0 * self.apparent_hz)
        if not 0.0 < low < high < frame_rate_hz / 2.0:
            raise OptionError(
                f"a band of {band_hz[0]:g} to {band_hz[1]:g} Hz is not shown by a strobe at {self.frequency_hz:g} Hz "
                f"and {frame_rate_hz:.3g} frames a second: take one with that frequency in it, or one between "
                f"{self.flash_hz:g} and {self.flash_hz + frame_rate_hz / 2.0:g} Hz"
            )
        return low, high


@dataclass(frozen=True, slots=True)
class Flashes:
    """The sensor times of a strobe's flashes, as whole steps.

    A step is off by half a step at most, which is f / (2 · rate) of a cycle, and errors do not add up: each flash is
    rounded by itself.

    Attributes
    ----------
    strobe : Strobe
        Which vibration, and how slow.
    rate_hz : float
        Steps per second.
    origin : float
        Time of one of the flashes, in steps and parts of one.

    Raises
    ------
    OptionError
        If the vibration is faster than half of `rate_hz`.
    """

    strobe: Strobe
    rate_hz: float
    origin: float = 0.0

    def __post_init__(self) -> None:
        if 2.0 * self.strobe.frequency_hz > self.rate_hz:
            raise OptionError(
                f"a vibration of {self.strobe.frequency_hz:g} Hz is not seen at {self.rate_hz:g} steps a second: "
                f"strobe one up to {self.rate_hz / 2.0:g} Hz"
            )

    @property
    def period(self) -> float:
        """Steps from flash to flash."""
        return self.rate_hz / self.strobe.flash_hz

    def first_from(self, step: int) -> int:
        """Return the step of the first flash that is not before `step`."""
        return max(step, self._step(ceil((step - 0.5 - self.origin) / self.period)))

    def following(self, step: int, hop: int) -> int:
        """Return the step of the first flash that is at least `hop` steps after the one at `step`."""
        return self._step(self._number(step) + ceil(hop / self.period))

    def distance(self, hop: int) -> int:
        """Return the whole steps from one flash to the `following` one; the rest of a step adds one now and then."""
        return floor(ceil(hop / self.period) * self.period)

    def moved(self, strobe: Strobe, step: int) -> "Flashes":
        """Return the flashes of another strobe that go on with the same phase from the flash at `step`."""
        return Flashes(strobe, self.rate_hz, self.origin + self._number(step) * self.period)

    def _number(self, step: int) -> int:
        return round((step - self.origin) / self.period)

    def _step(self, number: int) -> int:
        return floor(self.origin + number * self.period + 0.5)


def longest_hop(rate_hz: float, apparent_hz: float) -> int:
    """Return the most steps between frames that still show `apparent_hz`: four frames a cycle."""
    return floor(rate_hz / (_LEAST_FRAMES * apparent_hz))
