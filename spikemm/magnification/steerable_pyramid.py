"""A complex steerable pyramid: oriented octave bands of a picture, each with its quadrature partner."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch.nn.functional import pad

__all__ = ["ORIENTATIONS", "SteerablePyramid", "Subband"]

ORIENTATIONS = 4

FINEST = np.pi / 2.0
"""Middle of the finest band, in rad per px: a wavelength of 4 px."""

MARGIN = 8
"""Px by which frames are continued, mirrored, on every side: the transform is periodic."""


class Subband(NamedTuple):
    """What one band passes, on the part of the spectrum where it passes anything.

    Attributes
    ----------
    level : int
        Octaves below the finest.
    direction : tuple of float
        Unit vector x, y of its waves.
    mask : torch.Tensor
        (h, w) gain, 0 to 1, of the frequencies `rows` × `columns`.
    rows, columns : torch.Tensor
        (h,) and (w,) int64 frequencies.
    """

    level: int
    direction: tuple[float, float]
    mask: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor


class SteerablePyramid:
    """Divide frames of one size into complex oriented bands, and add changes of the bands to a frame.

    Parameters
    ----------
    height, width : int
        Size of the frames; any from 16×16.
    device : str
        Torch device of the frames.

    Attributes
    ----------
    bands : list of Subband
        All of them, finest first.
    padded : tuple of int
        Size inside, on which the bands are laid out.

    Notes
    -----
    Portilla and Simoncelli, *A Parametric Texture Model Based on Joint Statistics of Complex Wavelet Coefficients*,
    IJCV 2000, as Wadhwa et al. use it, in the frequency domain: raised cosines over the logarithm of the frequency,
    an octave apart, times raised cosines over its direction, 45° apart, on half of the plane. Their squares add up
    to 1 but below the coarsest band and beyond the finest, where pictures stay as they are. Only the rectangle of
    the spectrum that a band passes is transformed back, so that a band has few more samples than it needs; the
    carrier that this removes is the same in all frames, and phases are differences between frames.
    """

    def __init__(self, height: int, width: int, device: str) -> None:
        self._size = height, width
        self.padded = next_fast_len(height + 2 * MARGIN), next_fast_len(width + 2 * MARGIN)
        fy, fx = (2.0 * np.pi * np.fft.fftfreq(n) for n in self.padded)
        radius = np.hypot(fy[:, None], fx)
        octave = -np.log2(np.maximum(radius, 1e-9) / FINEST)
        angle = np.arctan2(fy[:, None], fx)
        levels = max(2, int(np.log2(min(height, width) / 4)) + 1)
        self.bands = []
        for level in range(levels):
            for k in range(ORIENTATIONS):
                direction = np.pi * k / ORIENTATIONS
                off = np.abs((angle - direction + np.pi) % (2.0 * np.pi) - np.pi)
                mask = _bump(octave - level) * _bump(off / (np.pi / ORIENTATIONS))
                place = float(np.cos(direction)), float(np.sin(direction))
                self.bands.append(_subband(level, place, mask, device))

    def split(self, frame: torch.Tensor) -> list[torch.Tensor]:
        """Return the (h, w) complex coefficients of an (H, W) frame in every band."""
        (high, wide), (h, w) = self.padded, self._size
        around = MARGIN, wide - w - MARGIN, MARGIN, high - h - MARGIN
        spectrum = torch.fft.fft2(pad(frame[None], around, mode="reflect")[0])
        return [torch.fft.ifft2(spectrum[b.rows][:, b.columns] * b.mask) for b in self.bands]

    def add(self, frame: torch.Tensor, changes: list[torch.Tensor]) -> torch.Tensor:
        """Return the (H, W) frame whose coefficients are `changes` more than those of `frame`, as near as can be."""
        spectrum = torch.zeros(self.padded, dtype=torch.complex64, device=frame.device)
        for band, change in zip(self.bands, changes, strict=True):
            spectrum[band.rows[:, None], band.columns] += torch.fft.fft2(change) * band.mask
        h, w = self._size
        whole = torch.fft.ifft2(spectrum).real
        inner: torch.Tensor = whole[MARGIN : MARGIN + h, MARGIN : MARGIN + w]
        return frame + 2.0 * inner


def _bump(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a raised cosine, 1 at 0 and 0 from ±1 on; the squares of neighbours at distance 1 add up to 1."""
    bump: NDArray[np.float64] = np.where(np.abs(x) < 1.0, np.cos(0.5 * np.pi * x), 0.0)
    return bump


def _subband(level: int, direction: tuple[float, float], mask: NDArray[np.float64], device: str) -> Subband:
    rows, columns = (_run(np.asarray(mask.any(axis=axis))) for axis in (1, 0))
    part = torch.from_numpy(mask[rows][:, columns].astype(np.float32)).to(device)
    return Subband(level, direction, part, *(torch.from_numpy(i).to(device) for i in (rows, columns)))


def _run(used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the indices of the shortest stretch, around the end if need be, that holds all `used`; a fast length."""
    n = len(used)
    places = np.flatnonzero(used)
    gaps = np.diff(np.append(places, places[0] + n))
    first = int(places[(int(gaps.argmax()) + 1) % len(places)])
    length = min(n, int(next_fast_len(n - int(gaps.max()) + 1)))
    return (first + np.arange(length)) % n
