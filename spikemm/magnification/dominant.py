"""The frequency that dominates inside a band, found while the stream runs, and what it lets one undo."""

from cmath import exp
from math import acos, sin, tau

import torch

__all__ = ["DominantFrequency"]

MEMORY_FRAMES = 32
CHANGE = 0.003
"""Relative change below which the frequency is left as it is."""

LEAST_GAIN = 0.7
"""A filter's gain that is smaller than this, at the band's limits, is not undone further."""

LEAST_SINE = 0.25
"""So near to half the frame rate two samples no longer tell the phase."""


class DominantFrequency:
    """Follow the frequency of a band-passed field by three neighbouring samples.

    A sine sampled every T seconds has x₊ + x₋ = 2·cos(2πfT)·x, at every sample; least squares over the field and
    the last frames give the frequency, of several a mean weighted by power.

    Parameters
    ----------
    band_hz : tuple of float
        The band that was passed; the frequency stays inside.
    initial_hz : float
        The frequency until there is a motion to measure.

    Attributes
    ----------
    hz : float
        The frequency, changed in steps of at least 0.3 %.
    """

    def __init__(self, band_hz: tuple[float, float], initial_hz: float) -> None:
        self.hz = initial_hz
        self._band = band_hz
        self._last: torch.Tensor | None = None
        self._before: torch.Tensor | None = None
        self._sums: torch.Tensor | None = None
        self._seconds = 0.0
        self._count = 0

    def undo(self, moved: torch.Tensor, gain: complex, seconds: float) -> torch.Tensor:
        """Divide the filter's complex `gain` at `hz` out of the field; call before `step` with the same field.

        c0·x + c1·x₋ with c0 + c1·exp(−2πifT) = 1/gain puts amplitude and phase of that frequency right.
        """
        inverse = 1.0 / gain
        inverse *= min(1.0, 1.0 / (LEAST_GAIN * abs(inverse)))
        turn = tau * self.hz * seconds
        if self._last is None or sin(turn) < LEAST_SINE:
            return moved * abs(inverse)
        c1 = -inverse.imag / sin(turn)
        c0 = (inverse - c1 * exp(-1j * turn)).real
        return c0 * moved + c1 * self._last

    def step(self, moved: torch.Tensor, weight: torch.Tensor, seconds: float) -> bool:
        """Take the next (2, h, w) field, weighted by (h, w); return whether `hz` changed.

        Another sampling interval than before starts the correlation anew.
        """
        before, last = self._before, self._last
        self._before, self._last = last, moved
        if abs(seconds - self._seconds) > 1e-9:
            self._before, self._sums, self._seconds, self._count = None, None, seconds, 0
            return False
        if before is None or last is None:
            return False
        pair = 0.5 * (weight * (last * (moved + before)).sum(0)).sum()
        own = (weight * (last * last).sum(0)).sum()
        sums = torch.stack((pair, own))
        self._count += 1
        share = 1.0 / min(self._count, MEMORY_FRAMES)
        self._sums = sums if self._sums is None else torch.lerp(self._sums, sums, share)
        both, alone = self._sums.tolist()
        if alone < 1e-12 or self._count < MEMORY_FRAMES // 4:
            return False
        hz = acos(max(-1.0, min(1.0, both / alone))) / (tau * seconds)
        hz = max(self._band[0], min(self._band[1], hz))
        if abs(hz / self.hz - 1.0) < CHANGE:
            return False
        self.hz = hz
        return True
