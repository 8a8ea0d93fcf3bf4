"""How the local phase of every band of a Riesz pyramid moved against a reference."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d, interpolate

from spikemm.magnification.motion import DARK, smooth_cells
from spikemm.magnification.riesz_pyramid import RieszPyramid
from spikemm.separable import BandedMatrix

__all__ = ["CELL", "Bands", "CellInterpolator", "LocalPhase", "LocalPhaseMeter", "phase_angle"]

CELL = 4
"""Side of a cell, over which phases are averaged, in px of the level."""

WAVE_NUMBER = 1.4
"""Middle of a band, in rad per px of its level."""

NOISE_SAY = 4.0
"""Weight of the coarser level's word where a band is as strong as the noise; more makes faint textures stiff."""

LEAK = 1e-3
"""Part of a finer band's power that may show up in a coarser one without being a structure of it."""

STRAIGHT = 1e-3
"""Weight of the coarser level's word, as part of the band's power: decides along straight edges."""

QUIET = 0.25
"""Part of the picture that is surely as quiet as noise."""

RISE = 1.03
"""Growth a frame of the noise that is believed while nothing as quiet is seen."""

OPPOSED, AGREED = -0.3, 0.3
"""Cosine of the phase that is out of reach, and one that is within."""

EXPECTED, TOO_FAR = 2.0, 3.0
"""Phase in rad that the coarser level predicts: measured below the first, ambiguous above the second."""

STRETCH = 2.5
"""Most by which sin φ is stretched to φ."""


class Bands(NamedTuple):
    """A frame divided: bands (h, w) and their gradients (2, h, w), finest first."""

    values: list[torch.Tensor]
    slopes: list[torch.Tensor]


class LocalPhase(NamedTuple):
    """Phase of one level against the reference, on cells of 4×4 of its px.

    Attributes
    ----------
    displacement : torch.Tensor
        (2, h, w) x and y in px of the full frame: the phase over the local wave number.
    wave : torch.Tensor
        (3, h, w) xx, xy, yy of the squared local wave vector, rad² per px².
    power : torch.Tensor
        (h, w) the band's power.
    cosine : torch.Tensor
        (h, w) cosine of the phase, averaged; low where the picture is another one.
    weight : torch.Tensor
        (h, w) mean square by which a displacement of 1 px would stand out of the noise.
    """

    displacement: torch.Tensor
    wave: torch.Tensor
    power: torch.Tensor
    cosine: torch.Tensor
    weight: torch.Tensor


def phase_angle(wave: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Phase in rad (h, w) by which a (2, h, w) shift turns waves of the (3, h, w) squared wave vector."""
    x, y = shift
    square: torch.Tensor = wave[0] * x * x + 2.0 * wave[1] * x * y + wave[2] * y * y
    return square.clamp(min=0.0).sqrt()


class CellInterpolator:
    """Linear interpolation from the cells of one level to its pixels."""

    def __init__(self, height: int, width: int, device: str) -> None:
        self._rows, self._columns = (BandedMatrix(_hat(size), device, block=8) for size in (height, width))

    def __call__(self, cells: torch.Tensor) -> torch.Tensor:
        """Map (C, h, w) cells to (C, H, W) pixels."""
        return self._rows.rows_of(self._columns.columns_of(cells))


def _hat(size: int) -> NDArray[np.float64]:
    cells = -(-size // CELL)
    place = ((np.arange(size) + 0.5) / CELL - 0.5).clip(0, cells - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))


class LocalPhaseMeter:
    """Measure the phases of all levels against a reference, from coarse to fine.

    With I a band and R = ∇I/k its Riesz transform, quaternions r = I + iRx + jRy of reference and frame have the
    product I₀I + R₀·R + (I₀R − IR₀), whose real part is A²·cos φ and whose vector part is A²·sin φ along the local
    orientation (Wadhwa et al., 2014). Both are averaged over a neighbourhood, amplitude and all. Where orientations
    differ within it, the mean of the vectors is not the vector of the mean motion, so the displacement whose phases
    they are is solved for, by least squares; it is pulled to the coarser level's where the band is as faint as the
    noise, runs along a straight edge, or is turned too far to tell.

    Parameters
    ----------
    pyramid : RieszPyramid
        Of the frames.
    reference : Bands
        What phases are measured against; may be set anew.
    """

    def __init__(self, pyramid: RieszPyramid, reference: Bands) -> None:
        self._levels = len(pyramid.shapes) - 1
        self._noise = [torch.full((), torch.inf, device=reference.values[0].device)] * self._levels
        self.reference = reference

    @property
    def reference(self) -> Bands:
        """The frame that phases are measured against."""
        return self._reference

    @reference.setter
    def reference(self, bands: Bands) -> None:
        self._reference = bands
        pairs = zip(bands.values[: self._levels], bands.slopes, strict=False)
        self._powers = [_averaged(_powers(i, g, i.new_empty((4, *i.shape)))) for i, g in pairs]

    def measure(self, bands: Bands) -> list[LocalPhase]:
        """Return the phase of every level, finest first."""
        found: list[LocalPhase] = []
        finer = [torch.zeros_like(self._powers[0][3]), *(p[3] for p in self._powers[:-1])]
        coarser = torch.zeros_like(self._powers[-1][:2])
        for level in reversed(range(self._levels)):
            shape = self._powers[level].shape[1:]
            coarser = interpolate(coarser[None], size=tuple(shape), mode="bilinear", align_corners=False)[0]
            leak = interpolate(LEAK * finer[level][None, None], size=tuple(shape), mode="area")[0, 0]
            found.append(self._level(level, bands, coarser, leak))
            coarser = found[-1].displacement
        return found[::-1]

    def _level(self, level: int, bands: Bands, guess: torch.Tensor, leak: torch.Tensor) -> LocalPhase:
        band, slope = bands.values[level], bands.slopes[level]
        before, slope_before = self.reference.values[level], self.reference.slopes[level]
        square = (WAVE_NUMBER * 0.5**level) ** 2
        fields = band.new_empty((7, *band.shape))
        torch.mul(before, slope, out=fields[:2]).addcmul_(band, slope_before, value=-1.0)
        torch.mul(before, band, out=fields[2]).mul_(square)
        fields[2].addcmul_(slope[0], slope_before[0]).addcmul_(slope[1], slope_before[1])
        _powers(band, slope, fields[3:])
        means = _averaged(fields)
        powers = means[3:] + self._powers[level]
        xx, _, yy, ii = powers
        energy = 0.5 * (square * ii + xx + yy)
        cosine = (means[2] / energy.clamp(min=DARK**2)).clamp(-1.0, 1.0)
        wave = powers[:3] / ii.clamp(min=DARK**2)
        noise = torch.nan_to_num(self._noise[level], posinf=0.0)
        prior = NOISE_SAY * noise / (2.0 * square) + square * leak + STRAIGHT * (xx + yy) + DARK**2
        sure = _reliable(cosine, phase_angle(wave, guess))
        displacement = guess + _solved(_stretched(means[:2], cosine), powers[:3], guess, sure, prior)
        left = 2.0 * (energy - means[2]) - square * ii * phase_angle(wave, displacement) ** 2
        # Against itself the reference has no noise.
        if bands is not self.reference:
            self._learn(level, left)
        weight = sure * 2.0 * square * (xx + yy) / (self._noise[level] + DARK**2)
        return LocalPhase(displacement, wave, energy, cosine, weight)

    def _learn(self, level: int, left: torch.Tensor) -> None:
        """Follow the least of what the phases do not explain: at times a motion is small, and noise is all there is."""
        seen = left[left > DARK**2]
        # Dark and saturated places are without noise, and tell nothing of the others.
        quiet = seen.kthvalue(1 + int(QUIET * len(seen))).values if len(seen) else torch.zeros_like(self._noise[level])
        self._noise[level] = torch.minimum(quiet.clamp(min=DARK**2), RISE * self._noise[level])


def _powers(band: torch.Tensor, slope: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Fill (4, h, w): the gradient's xx, xy, yy and the band squared."""
    torch.mul(slope[0], slope, out=out[:2])
    torch.mul(slope[1], slope[1], out=out[2])
    torch.mul(band, band, out=out[3])
    return out


def _averaged(fields: torch.Tensor) -> torch.Tensor:
    return smooth_cells(avg_pool2d(fields[None], CELL, ceil_mode=True, count_include_pad=False)[0])


def _reliable(cosine: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    near: torch.Tensor = ((TOO_FAR - expected) / (TOO_FAR - EXPECTED)).clamp(0.0, 1.0)
    return near * ((cosine - OPPOSED) / (AGREED - OPPOSED)).clamp(0.0, 1.0)


def _stretched(sine: torch.Tensor, cosine: torch.Tensor) -> torch.Tensor:
    """Turn A²·sin φ into A²·φ."""
    phase = torch.acos(cosine.clamp(max=1.0 - 1e-6))
    return sine * (phase / phase.sin().clamp(min=1e-3)).clamp(max=STRETCH)


def _solved(
    phase: torch.Tensor, squares: torch.Tensor, guess: torch.Tensor, sure: torch.Tensor, prior: torch.Tensor
) -> torch.Tensor:
    """Least squares for what the displacement is more than `guess`, with a Tikhonov term of weight `prior`."""
    xx, xy, yy = sure * squares
    x = sure * phase[0] - xx * guess[0] - xy * guess[1]
    y = sure * phase[1] - xy * guess[0] - yy * guess[1]
    a, c = xx + prior, yy + prior
    determinant = (a * c - xy * xy).clamp(min=DARK**4)
    more: torch.Tensor = torch.stack((c * x - xy * y, a * y - xy * x)) / determinant
    return more
