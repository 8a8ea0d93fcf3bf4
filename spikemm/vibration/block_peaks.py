"""The dominant peak in the spectrum of every block, where two halves of the block agree on it."""

from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from spikemm.response import KEPT

__all__ = ["FALSE_ALARMS", "BlockPeaks", "dominant_peaks"]

FALSE_ALARMS = 0.01
"""Maps of a still picture, as a share, in which noise alone may show somewhere."""

_AGREEMENT = 0.3
"""Halves of a block agree whose amplitudes differ by less than this times their sum. A pixel of a constant light fires
in a rhythm, which makes lines in the spectrum far above the other noise; but seldom the same in both halves."""

_ALONE = 2.0
"""How many times the floor a block must reach of which no neighbour has the same frequency."""

_ALIKE = 0.01
_LEAST_CYCLES = 3
_FEWEST_BINS = 16
"""Bins from which a block's noise must be known, or it claims nothing."""

_TRUE = 0.01
"""Part of a block's whole way in the record below which nothing is claimed: the light of a texture is not quite linear
in its displacement, so a slow drift of a pixel or more leaves traces at all low frequencies."""

_NOWHERE = -9
_OTHER_DIRECTION = 3.0
"""Standard deviations above which the direction of less texture counts."""

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class BlockPeaks:
    """Dominant peak of every block.

    Attributes
    ----------
    hz, px : numpy.ndarray
        (rows, columns) float32: frequency, and amplitude along the longest axis of the motion, of which an
        edge shows the part across it; 0 without a peak.
    floor_px : numpy.ndarray
        (rows, columns) float32: the least amplitude that can be claimed at the frequency of the peak, or where the
        spectrum comes nearest to one; 0 where there is nothing to measure on, or nothing steady.
    """

    hz: NDArray[np.float32]
    px: NDArray[np.float32]
    floor_px: NDArray[np.float32]

    @property
    def strongest(self) -> tuple[float, float]:
        """Amplitude (px) and frequency of the strongest block, the latter the mean of all that have about the same."""
        block = np.unravel_index(self.px.argmax(), self.px.shape)
        alike = self.px * (np.abs(self.hz - self.hz[block]) <= _ALIKE * self.hz[block])
        power = np.square(alike, dtype=np.float64)
        return float(self.px[block]), float((power * self.hz).sum() / max(float(power.sum()), 1e-12))


def dominant_peaks(
    displacement: Floats,
    fps: float,
    *,
    textured: NDArray[np.bool_],
    steady: NDArray[np.bool_],
    kept: Floats,
    band_hz: tuple[float, float] | None = None,
) -> BlockPeaks:
    """Find the motion of largest amplitude in every block.

    Parameters
    ----------
    displacement : numpy.ndarray
        (n, 2, rows, 2, columns) px along two directions of every half block, evenly sampled.
    fps : float
        Samples per second.
    textured : numpy.ndarray
        (2, rows, columns) bool: whether a direction can be measured.
    steady : numpy.ndarray
        (rows, columns) bool: whether a block still shows what its displacement is measured by; others claim nothing.
    kept : numpy.ndarray
        (⌊n/2⌋ + 1, rows, columns) part of an amplitude that the frames keep at each frequency of the spectrum.
    band_hz : tuple of float, optional
        Only peaks inside are looked at.

    Notes
    -----
    Hann window, a line through the samples taken off. Half the sum of the halves' spectra holds motion and noise, half
    the difference noise alone, as much of it. Peaks are interpolated between bins as those of a Hann window are.
    """
    spectrum = _spectrum(displacement)
    mean, differ = 0.5 * (spectrum[:, :, 0] + spectrum[:, :, 1]), 0.5 * np.abs(spectrum[:, :, 0] - spectrum[:, :, 1])
    size, kept = np.abs(mean), np.moveaxis(kept, 0, -1)
    agree = differ < _AGREEMENT * size
    shows = _shows(len(displacement), kept)
    inside = shows & _within(len(displacement), fps, band_hz)
    sigma = _noise(differ, agree, shows)
    factor = _floor_factor(int(inside.any((0, 1)).sum()), int(textured.sum()))
    least = np.maximum(factor * sigma, _TRUE * np.ptp(displacement.mean(3), axis=0))
    shown = inside & textured[..., None]
    claimed = shown & agree & _summits(size) & (size > least[..., None]) & steady[..., None]
    direction, peak, there = _candidates(size, kept, np.where(textured, least, np.inf), shown, claimed)
    floor = np.take_along_axis(least, direction[None], 0)[0]
    there = there & ((_at(size, direction, peak) > _ALONE * floor) | _accompanied(np.where(there, peak, _NOWHERE)))
    hz, px = _interpolated(mean, direction, peak, sigma, fps / len(displacement))
    left = np.maximum(np.take_along_axis(kept, peak[..., None], -1)[..., 0], KEPT)
    known = textured.any(0) & np.isfinite(floor) & steady
    found = (np.where(there, hz, 0.0), np.where(there, px / left, 0.0), np.where(known, floor / left, 0.0))
    return BlockPeaks(*(values.astype(np.float32) for values in found))


def _candidates(
    size: Floats, kept: Floats, least: Floats, shown: NDArray[np.bool_], claimed: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Direction and bin of the largest motion claimed, or else where least is needed; and whether one is."""
    direction, peak = _largest(np.where(claimed, size / np.maximum(kept, KEPT), 0.0))
    there = _at(claimed, direction, peak)
    better = least.argmin(0)
    highest = np.take_along_axis(np.where(shown, size, 0.0).argmax(-1), better[None], 0)[0]
    return np.where(there, direction, better), np.where(there, peak, highest), there


def _spectrum(displacement: Floats) -> Any:
    """Amplitude spectrum (2, rows, 2, columns, m) as (2, rows, halves, columns, m)."""
    samples = np.ascontiguousarray(np.moveaxis(displacement, 0, -1), np.float32)
    count = samples.shape[-1]
    ramp = (np.arange(count) - 0.5 * (count - 1)).astype(np.float32)
    samples -= samples.mean(-1, keepdims=True)
    samples -= ((samples @ ramp) / (ramp @ ramp))[..., None] * ramp
    window = np.hanning(count + 1)[:-1].astype(np.float32)
    samples *= window * (2.0 / window.sum())
    return np.asarray(rfft(samples, axis=-1))


def _shows(count: int, kept: Floats) -> NDArray[np.bool_]:
    """Bins (rows, columns, m) that may hold a peak: what the frames keep of them can be corrected."""
    bins = np.arange(count // 2 + 1)
    return np.asarray((bins >= _LEAST_CYCLES) & (2 * (bins + 1) < count) & (kept >= KEPT))


def _within(count: int, fps: float, band_hz: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Bins (m,) inside a band."""
    low, high = band_hz or (0.0, fps)
    hz = np.arange(count // 2 + 1) * (fps / count)
    return np.asarray((hz >= low) & (hz <= high))


def _noise(differ: Floats, agree: NDArray[np.bool_], shows: NDArray[np.bool_]) -> Floats:
    """Return the standard deviation (2, rows, columns) of either part of a bin, where the halves disagree.

    Frames whose windows overlap have less noise where they show no vibration either, so those bins do not count.
    """
    bins = ~agree & shows
    power = (differ * differ * bins).sum(-1) / np.maximum(bins.sum(-1), 1)
    return np.asarray(np.where(bins.sum(-1) >= _FEWEST_BINS, np.sqrt(0.5 * power), np.inf))


def _summits(size: Floats) -> NDArray[np.bool_]:
    """Bins that are above both neighbours: the slope that a drift leaves in the lowest bins is no peak."""
    summit = np.zeros(size.shape, bool)
    summit[..., 1:-1] = (size[..., 1:-1] >= size[..., :-2]) & (size[..., 1:-1] > size[..., 2:])
    return summit


def _floor_factor(bins: int, directions: int) -> float:
    """Amplitude in standard deviations that noise exceeds in one of all bins of a map with `FALSE_ALARMS`; 3 at least.

    The amplitude of a bin of noise is Rayleigh distributed: P(> kσ) = exp(−k²/2).
    """
    return max(3.0, sqrt(2.0 * log(max(bins * directions, 1) / FALSE_ALARMS)))


def _largest(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Direction and bin, (rows, columns) each, of the largest of (2, rows, columns, m)."""
    bins = values.argmax(-1)
    direction = np.take_along_axis(values, bins[..., None], -1)[..., 0].argmax(0)
    return direction, np.take_along_axis(bins, direction[None], 0)[0]


def _at(values: NDArray[Any], direction: NDArray[np.intp], bins: NDArray[np.intp]) -> Any:
    """Pick one of (2, rows, columns, m) for every block."""
    rows, columns = np.indices(bins.shape)
    return values[direction, rows, columns, bins]


def _interpolated(
    mean: NDArray[Any],
    direction: NDArray[np.intp],
    peak: NDArray[np.intp],
    sigma: Floats,
    bin_hz: float,
) -> tuple[Floats, Floats]:
    """Frequency and amplitude (rows, columns) of the peaks, both directions taken together."""
    peak = np.clip(peak, 1, mean.shape[-1] - 2)
    before, at, after = (np.abs(_at(mean, direction, peak + shift)) for shift in (-1, 0, 1))
    side = np.where(after > before, 1.0, -1.0)
    ratio = np.maximum(before, after) / np.maximum(at, 1e-12)
    offset = np.clip((2.0 * ratio - 1.0) / (ratio + 1.0), 0.0, 0.5)
    both = np.stack([_at(mean, np.full_like(direction, k), peak) for k in (0, 1)])
    both[np.abs(both) < _OTHER_DIRECTION * sigma] = 0.0
    longest = 0.5 * ((np.abs(both) ** 2).sum(0) + np.abs((both**2).sum(0)))
    return (peak + side * offset) * bin_hz, np.sqrt(longest) * (1.0 - offset**2) / np.sinc(offset)


def _accompanied(peak: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether one of the eight neighbours has its peak (`_NOWHERE`: none) in the same bin or next to it."""
    rows, columns = peak.shape
    wide = np.pad(peak, 1, constant_values=10 * _NOWHERE)
    around = [wide[y : y + rows, x : x + columns] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.asarray((np.abs(np.stack(around) - peak) <= 1).any(0))
