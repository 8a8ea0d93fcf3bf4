"""Causal filters along time, for samples whose distance in time may change.

Every filter is stepped with the time since the last sample, so that a change of hop changes its coefficients and
not its band. All states are linear in the samples; a filter's memory is two fields a section.
"""

from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch

from spikemm.exceptions import OptionError

__all__ = ["BandPass", "Difference", "SlowMeanRemoved", "TemporalFilter", "check_band"]


class TemporalFilter(Protocol):
    """One causal filter over fields of any shape; the first sample after `reset` defines rest."""

    settling_seconds: float

    def step(self, sample: torch.Tensor, seconds: float) -> torch.Tensor:
        """Take the next sample, `seconds` after the last one; return the filtered one. The first one gives zeros."""

    def reset(self) -> None:
        """Forget everything."""


class _Section(NamedTuple):
    """A resonator k·ω·s/(s² + k·ω·s + ω²) in trapezoidal form: warped centre `g` and damping `k`."""

    g: float
    k: float


class _Design(NamedTuple):
    sections: tuple[_Section, ...]
    gain: float


@lru_cache(maxsize=256)
def _design(low_hz: float, high_hz: float, seconds: float) -> _Design:
    low, high = np.tan(np.pi * low_hz * seconds), np.tan(np.pi * high_hz * seconds)
    width, centre_squared = high - low, low * high
    prototype = np.exp(0.75j * np.pi) * width
    root = np.sqrt(prototype * prototype - 4.0 * centre_squared + 0j)
    poles = (prototype + root) / 2.0, (prototype - root) / 2.0
    sections = tuple(_Section(float(abs(p)), float(-2.0 * p.real / abs(p))) for p in poles)
    return _Design(sections, float(width**2 / np.prod([s.g * s.k for s in sections])))


def _response(low_hz: float, high_hz: float, seconds: float, hz: np.ndarray | float) -> np.ndarray:
    design = _design(low_hz, high_hz, seconds)
    s = 1j * np.tan(np.pi * np.asarray(hz) * seconds)
    out = np.full(np.shape(hz), design.gain, dtype=np.complex128)
    for g, k in design.sections:
        out = out * (k * g * s) / (s * s + k * g * s + g * g)
    return out


def check_band(band_hz: tuple[float, float], frame_rate_hz: float) -> tuple[float, float]:
    """Return the limits as floats if a causal filter can have them.

    Raises
    ------
    OptionError
        Unless 0 < low < high < frame rate / 2.
    """
    low, high = (float(x) for x in band_hz)
    if not 0.0 < low < high:
        raise OptionError(f"a band of {low:g} to {high:g} Hz is empty: give 0 < low < high")
    if high >= frame_rate_hz / 2.0:
        raise OptionError(
            f"a band up to {high:g} Hz does not fit {frame_rate_hz:g} frames a second "
            f"(below {frame_rate_hz / 2.0:g} Hz): lower the band, or take more than {2.0 * high:g} frames a second"
        )
    return low, high


class BandPass:
    """Butterworth band-pass of order 2 a side, gain 1 and phase 0 at its centre.

    Parameters
    ----------
    low_hz, high_hz : float
        The limits, where half of the power passes, in Hz of the time that `step` is told.

    Notes
    -----
    Two resonators in trapezoidal (bilinear, pre-warped) form, whose states are those of the integrators: they stay
    meaningful when the sampling interval changes. At an interval that cannot hold the band the filter restarts and
    gives zeros. Source: V. Zavalishin, *The Art of VA Filter Design*, ch. 4.
    """

    def __init__(self, low_hz: float, high_hz: float) -> None:
        self.low_hz, self.high_hz = low_hz, high_hz
        self.settling_seconds = 1.5 / (high_hz - low_hz)
        self._states: list[list[torch.Tensor]] = []
        self._rest: torch.Tensor | None = None

    def centre_hz(self, seconds: float) -> float:
        """Frequency of gain 1 and phase 0: the geometric centre, in the bilinear transform's warped scale."""
        low, high = np.tan(np.pi * self.low_hz * seconds), np.tan(np.pi * self.high_hz * seconds)
        return float(np.arctan(np.sqrt(low * high)) / (np.pi * seconds))

    def passes(self, seconds: float) -> bool:
        """Whether samples every `seconds` can hold the band."""
        return 0.0 < seconds * self.high_hz < 0.5

    def response(self, hz: float, seconds: float) -> complex:
        """Complex gain at `hz` for samples every `seconds`."""
        return complex(_response(self.low_hz, self.high_hz, seconds, hz))

    def step(self, sample: torch.Tensor, seconds: float) -> torch.Tensor:
        """Take the next sample; return the filtered one."""
        if not self.passes(seconds):
            self.reset()
        if self._rest is None:
            self._rest = sample
            self._states = [[torch.zeros_like(sample), torch.zeros_like(sample)] for _ in range(2)]
            return torch.zeros_like(sample)
        design = _design(self.low_hz, self.high_hz, seconds)
        x = (sample - self._rest).mul_(design.gain)
        for section, state in zip(design.sections, self._states, strict=True):
            x = self._resonate(x, section, state)
        return x

    @staticmethod
    def _resonate(x: torch.Tensor, section: _Section, state: list[torch.Tensor]) -> torch.Tensor:
        g, k = section
        band = torch.add(state[0], x - state[1], alpha=g).mul_(1.0 / (1.0 + g * (g + k)))
        low = torch.add(state[1], band, alpha=g)
        # From a state s to 2·band − s, that is twice the way.
        state[0].lerp_(band, 2.0)
        state[1].lerp_(low, 2.0)
        return band.mul_(k)

    def reset(self) -> None:
        """Forget everything."""
        self._rest = None


class SlowMeanRemoved:
    """What stands out from a slow mean: a high-pass of order 1, so that drift is followed within `seconds`.

    Parameters
    ----------
    seconds : float
        Time constant of the mean.
    """

    def __init__(self, seconds: float) -> None:
        self.settling_seconds = 0.0
        self._seconds = seconds
        self._mean: torch.Tensor | None = None

    def step(self, sample: torch.Tensor, seconds: float) -> torch.Tensor:
        """Take the next sample; return it less the slow mean."""
        if self._mean is None:
            self._mean = sample
        self._mean = self._mean + (sample - self._mean) * (1.0 - float(np.exp(-seconds / self._seconds)))
        return sample - self._mean

    def reset(self) -> None:
        """Forget everything."""
        self._mean = None


class Difference:
    """What changed since the last sample."""

    def __init__(self) -> None:
        self.settling_seconds = 0.0
        self._last: torch.Tensor | None = None

    def step(self, sample: torch.Tensor, seconds: float) -> torch.Tensor:
        """Take the next sample; return it less the last one."""
        last, self._last = self._last, sample
        return torch.zeros_like(sample) if last is None else sample - last

    def reset(self) -> None:
        """Forget everything."""
        self._last = None
