"""The noise of a spectrum, told from its bins alone."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["FALSE_ALARM", "NoiseFloor"]

FALSE_ALARM = 1e-4
"""Probability that noise alone shows a peak anywhere in one record."""

_FIRST_BINS, _LEAST_BINS = 12, 24
_WIDTH = 0.2
_STEEPEST = 4.0
_UNCERTAIN = 1.15
"""The level is told from a few dozen bins, so now and then it is told too low."""

_GUARD, _AROUND = 3, 12
_MEDIAN = np.log(2.0)
"""Median of a noise bin's power over its mean."""

Floats = NDArray[np.floating]


class NoiseFloor:
    """Noise of a tapered spectrum as a smooth function of frequency.

    Parameters
    ----------
    power : numpy.ndarray
        (m,) squared modulus of the transform of n tapered samples, strong tones taken out.
    taper : numpy.ndarray
        (n,) the taper.
    fps : float
        Samples per second.

    Attributes
    ----------
    threshold : float
        How many times its mean noise a bin's power must be for noise to reach it with `FALSE_ALARM` in either axis.

    Notes
    -----
    Medians of bands, a fifth of their frequency wide or 24 bins, joined by lines in the logarithm: a power law is
    exact, a tone that was missed does not count.
    """

    def __init__(self, power: Floats, taper: Floats, fps: float) -> None:
        self._power = power
        self._fps = fps
        self._seconds = len(taper) / fps
        self._energy = float((taper**2).sum())
        self._per_amplitude = 2.0 * np.sqrt(self._energy) / float(taper.sum())
        self.threshold = _UNCERTAIN * float(np.log(2.0 * len(power) / FALSE_ALARM))
        edges = _edges(len(power))
        pairs = list(pairwise(edges))
        self._centres = np.log([0.5 * (low + high - 1) / self._seconds for low, high in pairs])
        self._levels = np.log([np.median(power[low:high]) / _MEDIAN + 1e-300 for low, high in pairs])
        if len(pairs) > 1:
            self._extend()

    def _extend(self) -> None:
        """Go on below the first band's centre with the slope of the first two, where that rises towards 0 Hz."""
        slope = (self._levels[1] - self._levels[0]) / (self._centres[1] - self._centres[0])
        lowest = np.log(1.0 / self._seconds)
        level = self._levels[0] + np.clip(slope, -_STEEPEST, 0.0) * (lowest - self._centres[0])
        self._centres = np.concatenate(([lowest], self._centres))
        self._levels = np.concatenate(([level], self._levels))

    def at(self, hz: Floats) -> Floats:
        """Return the mean power of a noise bin at each frequency."""
        return np.asarray(np.exp(np.interp(np.log(np.maximum(hz, 1e-9)), self._centres, self._levels)))

    def around(self, hz: float) -> float:
        """Return the larger of the medians on both sides of a frequency: the foot of a slope is no peak."""
        bin_ = round(hz * self._seconds)
        below = self._power[max(1, bin_ - _GUARD - _AROUND) : max(1, bin_ - _GUARD + 1)]
        above = self._power[bin_ + _GUARD : bin_ + _GUARD + _AROUND]
        return max(float(np.median(side)) / _MEDIAN if side.size else 0.0 for side in (below, above))

    def density(self, hz: Floats) -> Floats:
        """Return the one-sided amplitude density, px/√Hz."""
        return np.asarray(np.sqrt(2.0 * self.at(hz) / (self._energy * self._fps)))

    def error(self, hz: Floats) -> Floats:
        """Return the standard error of a fitted amplitude, px: the density over √seconds, the Cramér–Rao bound."""
        return np.asarray(self.density(hz) / np.sqrt(self._seconds))

    def amplitude(self, hz: Floats) -> Floats:
        """Return the amplitude whose bin reaches the threshold, px."""
        return np.asarray(self._per_amplitude * np.sqrt(self.threshold * self.at(hz) / self._energy))


def _edges(bins: int) -> list[int]:
    """Bands of bins from 1 on, of a constant width first, of a constant ratio then."""
    edges = [1]
    while edges[-1] < bins:
        narrow = min(max(edges[-1], _FIRST_BINS), _LEAST_BINS)
        edges.append(edges[-1] + max(narrow, round(_WIDTH * edges[-1])))
    if len(edges) > 2 and edges[-1] > bins:
        edges.pop()
    edges[-1] = bins
    return edges
