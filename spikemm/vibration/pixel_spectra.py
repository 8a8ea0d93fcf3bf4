"""Spectra of a region's single pixels, at the few bins where a vibration stands little above what pixels do alone."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from spikemm.vibration.region_bits import RegionBits

__all__ = ["MOST_BINS", "MOST_PIXELS", "PixelSpectra"]

MOST_BINS, MOST_PIXELS = 64, 1 << 14
"""Bins that are looked at, and pixels of the largest region for which that is worth its time."""

Floats = NDArray[np.floating]
Complex = NDArray[np.complexfloating]


class PixelSpectra:
    """Every pixel as a part of its region.

    Parameters
    ----------
    bits : RegionBits
        The region.
    weights : numpy.ndarray
        (4, pixels): what a spike of each pixel adds to the projections.
    read : callable
        Reads the packed steps once more, in chunks.
    """

    def __init__(self, bits: RegionBits, weights: Floats, read: Callable[[], Iterable[NDArray[np.uint8]]]) -> None:
        self._bits = bits
        self._weights = weights
        self._read = read

    @property
    def pixels(self) -> int:
        """Pixels of the region."""
        return int(self._weights.shape[1])

    def at(self, bins: NDArray[np.int64], window: Floats, shown: Floats) -> Complex:
        """Return the transform of what single pixels show.

        Parameters
        ----------
        bins : numpy.ndarray
            (m,) of the transform of all n steps.
        window : numpy.ndarray
            (n,) what every step is multiplied by.
        shown : numpy.ndarray
            (2, 4) what a projection shows of x and y, px.

        Returns
        -------
        numpy.ndarray
            (2, m, pixels) complex64.
        """
        steps = len(window)
        spectra = np.zeros((len(bins), self.pixels), np.complex64)
        counts = np.zeros(self.pixels)
        at = 0
        for packed in self._read():
            spikes = self._bits.unpack(packed)
            turns = np.outer(bins, np.arange(at, at + len(spikes)) % steps) % steps
            wave = (np.exp(-2j * np.pi / steps * turns) * window[at : at + len(spikes)]).astype(np.complex64)
            spectra += (wave.real @ spikes) + 1j * (wave.imag @ spikes)
            counts += window[at : at + len(spikes)] @ spikes
            at += len(spikes)
        # The mean is taken off before, so that its side lobes do not reach the bins.
        means = (counts / window.sum()).astype(np.float32)
        spectra -= np.fft.rfft(window)[bins].astype(np.complex64)[:, None] * means
        return np.asarray((shown @ self._weights).astype(np.float32)[:, None] * spectra)
