"""The displacement on which the parts of a region agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import median_filter
from scipy.signal.windows import tukey

from spikemm.vibration.noise import NoiseFloor
from spikemm.vibration.pixel_spectra import MOST_BINS, MOST_PIXELS, PixelSpectra
from spikemm.vibration.spectrum import TAPER

__all__ = ["Singles", "Spectra"]

_ROUNDS = 5
_TOGETHER = 16.0
"""Agreement of parts by which their motion is known."""

_DRIFT_BINS = 3
_OUTLYING, _FAR_OUTLYING = 2.0, 6.0
"""Residuals this many times the median are clipped."""

_UNSURE = 0.5
"""Part by which a share may be wrong: a residual that this explains is not clipped."""

_LEAST_HEARD = 0.3
_SINGLED_OUT, _FAINT = 20.0, 200.0
"""A vibration so many times the noise of the whole sum is told from single pixels: below the first their lines are
clipped as hard as groups' are, above the second no longer, since it is then the shares that are wrong, not the noise.
"""

_UNLIKE, _AROUND = 2.0, 63
"""In bins whose median residual is so much above that of the bins around only far outliers are clipped: most of what
is left over there is the parts' own response to a motion or a flicker, and clipping it would bend the response."""

Floats = NDArray[np.floating]
Complex = NDArray[np.complexfloating]


@dataclass(frozen=True, slots=True)
class Singles:
    """The pixels of a region, each a part of its own.

    Attributes
    ----------
    spectra : PixelSpectra
        Read where they are needed.
    shown : numpy.ndarray
        (2, 4) what a projection shows of x and y, px.
    shares : numpy.ndarray
        (pixels, 2, 2) what a unit displacement shows in each.
    lamp : numpy.ndarray
        (n, 1) gain of the light.
    """

    spectra: PixelSpectra
    shown: Floats
    shares: Floats
    lamp: Floats


class Spectra:
    """Spectra of many parts of a region that move as one.

    A pixel in even light fires at one frequency, as regular as a clock, so its noise is a comb of lines, and a bin of
    the spectrum of the whole region is noisy only because a few pixels have a line in it. Where nothing makes them
    irregular their parts can be told, and their lines clipped, which takes the noise down two to five times, in the
    dark ten times; noise that is in all pixels alike stays as it is.

    Parameters
    ----------
    parts : numpy.ndarray
        (n, parts, 2) float32; their sum is the displacement along x and y, px.

    Attributes
    ----------
    agreement : numpy.ndarray
        (bins, 2) from 0 to the number of parts: the squared sum of their complex amplitudes over the sum of their
        squares. 1 on average for spikes that have nothing to do with one another, however unequal they are, more than
        z by chance with e⁻ᶻ; for a motion of all of them nearly their number. After `agreed` that of the clipped parts.
    """

    def __init__(self, parts: NDArray[np.float32]) -> None:
        self._samples = len(parts)
        self._taper = tukey(len(parts), TAPER)
        weights = (self._taper / self._taper.sum()).astype(np.float32)
        weight, means = self._taper.astype(np.float32)[:, None], np.tensordot(weights, parts, axes=(0, 0))
        self._parts = [rfft((parts[..., i] - means[:, i]) * weight, axis=0) for i in range(2)]
        self.agreement: Floats = np.stack([_agreement(part) for part in self._parts], axis=1)
        self._moving = self.agreement > min(_TOGETHER, parts.shape[1] / 3.0)
        self._moving[:_DRIFT_BINS] = True

    def clear(self, px: Floats) -> Floats:
        """Return what of a displacement (n, 2) is in bins on which the parts agree, around its mean."""
        centred, tapered = self._tapered(px)
        ends = irfft(np.where(self._moving, rfft(centred, axis=0), 0.0), self._samples, axis=0)
        middle = irfft(np.where(self._moving, tapered, 0.0), self._samples, axis=0)
        return np.asarray(middle + (1.0 - self._taper[:, None]) * ends)

    def agreed(self, px: Floats, shares: Floats, known: Floats, singles: Singles) -> Floats:
        """Return the displacement on which the parts agree; where the taper fades, more and more the sum of the parts.

        Parameters
        ----------
        px : numpy.ndarray
            (n, 2) sum of the parts.
        shares : numpy.ndarray
            (parts, 2, 2) what a unit displacement shows in each part; their sum is one.
        known : numpy.ndarray
            (n, 2) the strong and slow motion, so that its side lobes do not pass for disagreement.
        singles : Singles
            The pixels, for bins in which a vibration is not far above the noise of the whole sum: there a group would
            be clipped as a whole, however few of its pixels have a line.
        """
        moved, whole = self._tapered(known)[1], self._tapered(px)[1]
        found = np.empty_like(moved)
        for axis in range(2):
            rest = self._parts[axis] - (moved @ shares[:, axis].T).astype(np.complex64)
            found[:, axis], self.agreement[:, axis] = _agreed(rest, shares[:, axis, axis], moved[:, axis])
        self._single_out(found, moved, whole, singles)
        middle = irfft(found, self._samples, axis=0)
        return np.asarray(middle + (1.0 - self._taper[:, None]) * self._tapered(px)[0])

    def _single_out(self, found: Complex, moved: Complex, whole: Complex, singles: Singles) -> None:
        """Find anew, from single pixels, what of `found` (bins, 2) is not far above the noise of the sum of all."""
        above = np.stack([_above(found[:, i], whole[:, i] - moved[:, i], self._taper) for i in range(2)], axis=1)
        faint = (self.agreement > _TOGETHER) & (above < _FAINT)
        faint[:_DRIFT_BINS] = False
        bins = np.flatnonzero(faint.any(axis=1))
        if not bins.size or singles.spectra.pixels > MOST_PIXELS:
            return
        bins = np.sort(bins[np.argsort(-np.where(faint[bins], np.abs(found[bins]), 0.0).max(axis=1))[:MOST_BINS]])
        parts = singles.spectra.at(bins, self._taper / singles.lamp[:, 0], singles.shown)
        for axis in range(2):
            mine = faint[bins, axis]
            here = bins[mine]
            rest = parts[axis, mine] - (moved[here] @ singles.shares[:, axis].T).astype(np.complex64)
            doubt = _UNSURE * np.maximum(1.0, above[here, axis] / _SINGLED_OUT)
            share = singles.shares[:, axis, axis]
            found[here, axis] = _clipped(rest, share, moved[here, axis], _FAR_OUTLYING, doubt)[0]

    def _tapered(self, px: Floats) -> tuple[Floats, Complex]:
        """Center (n, 2), and return the spectrum of the tapered samples beside it."""
        centred = px - np.average(px, axis=0, weights=self._taper)
        return centred, rfft(centred * self._taper[:, None], axis=0)


def _agreement(parts: Complex) -> Floats:
    """Return the squared sum of (bins, parts) over the sum of their squares."""
    squares = np.maximum((np.abs(parts) ** 2).sum(axis=1, dtype=np.float64), 1e-30)
    return np.asarray(np.abs(parts.sum(axis=1, dtype=np.complex128)) ** 2 / squares)


def _agreed(rest: Complex, share: Floats, known: Complex) -> tuple[Complex, Floats]:
    """Sum parts (bins, parts), their outlying residuals clipped (Huber); also how well they then agree.

    Their first component, `known` (bins,), has been taken off `rest`, and is in what is returned.
    """
    agreed, agreement, middle = _clipped(rest, share, known, _OUTLYING)
    unlike = middle > _UNLIKE * median_filter(middle, _AROUND, mode="nearest")
    agreed[unlike], agreement[unlike], _ = _clipped(rest[unlike], share, known[unlike], _FAR_OUTLYING)
    return agreed, agreement


def _above(found: Complex, rest: Complex, taper: Floats) -> Floats:
    """Return how many times the noise of `rest` each bin of `found` is."""
    power = np.abs(rest) ** 2
    noise = NoiseFloor(power, taper, 1.0).at(np.arange(len(power)) / len(taper))
    return np.asarray(np.abs(found) / np.sqrt(np.maximum(noise, 1e-30)))


def _clipped(
    rest: Complex, share: Floats, known: Complex, limit: float, doubt: float | Floats = _UNSURE
) -> tuple[Complex, Floats, Floats]:
    """Robust sum, agreement, and the median residual; a share may be wrong by `doubt`, one for all bins or for each."""
    share = share.astype(np.float32)
    unsure = np.atleast_1d(doubt).astype(np.float32)[:, None] * (np.abs(share) + np.float32(1.0 / len(share)))
    more = rest.sum(axis=1, dtype=np.complex128)
    for _ in range(_ROUNDS):
        residual = rest - more.astype(np.complex64)[:, None] * share
        modulus = np.abs(residual)
        middle = np.median(modulus, axis=1)
        within = limit * middle[:, None] + np.abs(known + more).astype(np.float32)[:, None] * unsure
        factor = np.minimum(1.0, within / np.maximum(modulus, np.float32(1e-30)))
        residual *= factor
        more = more + residual.sum(axis=1) / np.maximum((factor * share).sum(axis=1), _LEAST_HEARD)
    whole = known + more
    return whole, _agreement(residual + whole.astype(np.complex64)[:, None] * share), middle
