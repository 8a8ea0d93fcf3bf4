"""Where the picture moved: a regularised gradient estimate of displacement on a coarse grid."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d, interpolate, pad

from spikemm.separable import BandedMatrix

__all__ = ["CELL", "Measurement", "MotionEstimator", "smooth_cells", "spread_cells"]

CELL = 4
"""Side of a cell of the displacement grid, in px."""

PRIOR_PX = 0.25
"""How far the motion may be from that of its surroundings: the Tikhonov weight is the noise over this, squared."""

DARK = 1e-5
"""Gradients below this, in spikes per step per px, say nothing."""

NOISE_AVERAGED = 0.1
"""Part of a smoothed pixel's noise variance that is left in a cell's weighted mean, for white noise."""

SATURATED = 0.98

STRAIGHT = 1e-3
"""Tikhonov weight as part of the structure tensor's trace."""

CURVED = 0.25
"""Part of the explained power that may be left over because pictures are not planes: it is no noise."""

ROUNDS = 2
"""Fits to the light, each with less weight for what the one before could not explain: weights by the change itself,
with which the first has to make do, favour pixels that a flicker has moved little, and leave a tenth of it."""

REACH_PX, LOST_PX = 2.5, 5.0
"""Displacements from the reference up to the first are measured; beyond the second nothing counts as measured."""

COARSER = 4
"""Levels above the cells, each of half the size: flat places take the motion of what lies within 64 px."""

_SMOOTHING = (1.0, 5.0, 10.0, 10.0, 5.0, 1.0)
_SLOPE = (-0.0875, -0.7375, 0.7375, 0.0875)
"""A derivative within 0.5 % of ik·cos(k/2) for k up to 1 rad/px; beyond, the smoothing leaves little."""


def smooth_cells(cells: torch.Tensor) -> torch.Tensor:
    """Smooth (C, h, w) cells by [1 2 1]/4 both ways, their borders repeated."""
    x = pad(cells[None], (1, 1, 1, 1), mode="replicate")[0]
    x = x[:, :, :-1] + x[:, :, 1:]
    x = x[:, :, :-1] + x[:, :, 1:]
    x = x[:, :-1] + x[:, 1:]
    return (x[:, :-1] + x[:, 1:]) / 16.0


def _every_second(size: int, rows: int, taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix that applies an even number of taps between pixels 2j and 2j + 1, the border repeated."""
    matrix = np.zeros((rows, size))
    places = 2 * np.arange(rows)[:, None] + np.arange(len(taps)) - (len(taps) // 2 - 1)
    np.add.at(matrix, (np.arange(rows)[:, None], places.clip(0, size - 1)), taps)
    return matrix


class _Differentiator:
    """Smooth frames (σ = 1.1 px) and their derivatives, at every second pixel of whole cells."""

    def __init__(self, height: int, width: int, device: str) -> None:
        smoothing = np.array(_SMOOTHING) / 32.0
        slope = np.convolve(_SLOPE, np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0)
        self.shape = 2 * -(-height // CELL), 2 * -(-width // CELL)
        (self._sy, self._dy), (self._sx, self._dx) = (
            [BandedMatrix(_every_second(size, rows, taps), device) for taps in (smoothing, slope)]
            for size, rows in zip((height, width), self.shape, strict=True)
        )

    def __call__(self, frame: torch.Tensor) -> torch.Tensor:
        """Return smooth picture and derivatives along x and y, (3, h, w), of an (H, W) frame."""
        upright = self._sy.rows_of(frame[None])
        across = self._dy.rows_of(frame[None])
        return torch.cat((self._sx.columns_of(upright), self._dx.columns_of(upright), self._sx.columns_of(across)))


@dataclass(frozen=True, slots=True)
class _Reference:
    seen: torch.Tensor
    level_weight: torch.Tensor


class Measurement(NamedTuple):
    """Displacement of a frame against the reference, on cells of 4×4 px.

    Attributes
    ----------
    displacement : torch.Tensor
        (2, h, w) x and y in px of the scene (the response divided out), that of the surroundings where the picture
        says nothing.
    structure : torch.Tensor
        (3, h, w) the structure tensor xx, xy, yy that the estimate was solved with.
    residual : torch.Tensor
        (h, w) mean square of what the displacement does not explain.
    decided : torch.Tensor
        (h, w) how many components of the motion the cell's own data decide, 0 to 2.
    levelled : torch.Tensor
        (2h, 2w) the smoothed frame at every second pixel, in the light of the reference.
    """

    displacement: torch.Tensor
    structure: torch.Tensor
    residual: torch.Tensor
    decided: torch.Tensor
    levelled: torch.Tensor


class MotionEstimator:
    """Weighted least squares on the brightness constancy of smoothed frames (Lucas and Kanade 1981), in one step.

    The gradient in the normal equations is ⅔ of the reference's and ⅓ of the frame's, which makes the one step a
    Padé approximant: a sine of k rad/px moved by d is measured as 3·sin(kd)/(k·(2 + cos(kd))), 0.6 % low at kd =
    1. Every pixel's gradient is multiplied by what the front end keeps of a vibration there, so that bright and
    dark pixels, with their windows of different length, agree on the displacement of the scene. A global gain and
    offset, fitted away from edges, takes the lighting out first.

    Parameters
    ----------
    height, width : int
        Size of the frames; padded inside to whole cells.
    device : str
        Torch device of the frames.
    """

    def __init__(self, height: int, width: int, device: str) -> None:
        self._differentiate = _Differentiator(height, width, device)
        self._reference: _Reference | None = None

    @property
    def shown(self) -> torch.Tensor:
        """(2, 2h, 2w) change of the smoothed picture by 1 px of the scene's motion in x and y."""
        assert self._reference is not None, "no reference yet"
        return self._reference.seen[1:] * self._response

    @property
    def level(self) -> torch.Tensor:
        """(2h, 2w) the smoothed reference."""
        assert self._reference is not None, "no reference yet"
        return self._reference.seen[0]

    def retake(self, frame: torch.Tensor) -> None:
        """Make `frame` (H, W) the reference."""
        seen = self._differentiate(frame)
        energy = (seen[1:] ** 2).sum(0)
        weight = (seen[0] < SATURATED) / (1.0 + energy / (energy.mean() + DARK**2))
        self._reference = _Reference(seen, weight / weight.sum().clamp(min=1e-6))

    def respond(self, response: torch.Tensor) -> None:
        """State the part of a vibration's amplitude (H, W) that each pixel of the reference keeps."""
        high, wide = (2 * n - m for n, m in zip(self._differentiate.shape, response.shape, strict=True))
        beyond = pad(response[None, None], (0, wide, 0, high), mode="replicate")
        self._response = avg_pool2d(beyond, 2)[0, 0]

    def measure(self, frame: torch.Tensor, noise: torch.Tensor, rest: torch.Tensor | float = 1.0) -> Measurement:
        """Measure the displacement from the reference to `frame`.

        Parameters
        ----------
        frame : torch.Tensor
            (H, W) float32.
        noise : torch.Tensor
            (h, w) variance of a smoothed pixel: weighs the data against the prior.
        rest : torch.Tensor or float
            (2h, 2w), or one number for all, 0 to 1: how far a pixel is at rest, and tells of the light.
        """
        reference = self._reference
        assert reference is not None, "no reference yet"
        seen = self._differentiate(frame)
        gain, offset = _lighting(seen[0], reference, rest)
        seen = seen * gain
        seen[0] += offset
        return _solve(self._moments(seen, reference), noise, seen[0])

    def _moments(self, seen: torch.Tensor, reference: _Reference) -> torch.Tensor:
        """Means over cells: gradients xx, xy, yy, the change times x and y, the change squared."""
        change = reference.seen[0] - seen[0]
        rx, ry = self._response * reference.seen[1:]
        mx, my = self._response * torch.lerp(reference.seen[1:], seen[1:], 1.0 / 3.0)
        products = (rx * mx, 0.5 * (rx * my + ry * mx), ry * my, rx * change, ry * change, change * change)
        return smooth_cells(avg_pool2d(torch.stack(products)[None], CELL // 2)[0])


def _lighting(
    smooth: torch.Tensor, reference: _Reference, rest: torch.Tensor | float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain and offset that give `smooth` the level and contrast that the reference has away from edges."""
    a, b = smooth, reference.seen[0]
    left = a - b
    usual = 9.0 * (left[::2, ::2] ** 2).median() + DARK**2
    for _ in range(ROUNDS):
        # What came in or left must not count as light: pixels that are further off than most weigh little.
        w = rest * reference.level_weight / (1.0 + left * left / usual)
        w = w / w.sum().clamp(min=1e-6)
        mean_a, mean_b = (w * a).sum(), (w * b).sum()
        spread_a, spread_b = (w * a * a).sum() - mean_a**2, (w * b * b).sum() - mean_b**2
        gain = ((spread_b.clamp(min=0) + 1e-8) / (spread_a.clamp(min=0) + 1e-8)).sqrt()
        offset = mean_b - gain * mean_a
        left = torch.addcmul(offset - b, a, gain)
    return gain, offset


def _solve(moments: torch.Tensor, noise: torch.Tensor, levelled: torch.Tensor) -> Measurement:
    """Solve from coarse to fine: what a level's own data leave open, the coarser level fills in."""
    moments = _definite(moments)
    levels = [(moments, noise[None])]
    for _ in range(COARSER):
        finer, finer_noise = levels[-1]
        levels.append((smooth_cells(_halved(finer)), _halved(finer_noise)))
    displacement = torch.zeros_like(levels[-1][0][:2])
    for level, (m, n) in reversed(list(enumerate(levels))):
        displacement = _within_reach(_towards(_resized(displacement, m), m, n[0] * 0.25**level))
    explained = (displacement * _product(moments, displacement)).sum(0)
    residual = moments[5] - 2.0 * (displacement * moments[3:5]).sum(0) + (1.0 - CURVED) * explained
    return Measurement(displacement, moments[:3], residual.clamp(min=0), _decided(moments, noise), levelled)


def _definite(moments: torch.Tensor) -> torch.Tensor:
    """Make the structure tensor positive: mixing two frames' gradients may not, where they show different things."""
    xx, yy = moments[0].clamp(min=0), moments[2].clamp(min=0)
    most = (xx * yy).sqrt()
    return torch.cat((torch.stack((xx, torch.minimum(torch.maximum(moments[1], -most), most), yy)), moments[3:]))


def _within_reach(displacement: torch.Tensor) -> torch.Tensor:
    """Fade displacements out that are too large to be measured by gradients."""
    length = (displacement * displacement).sum(0).sqrt()
    return displacement * ((LOST_PX - length) / (LOST_PX - REACH_PX)).clamp(0.0, 1.0)


def _prior(moments: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Tikhonov weight; its part that grows with the gradients keeps a straight edge solvable in float32."""
    return noise * (NOISE_AVERAGED / PRIOR_PX**2) + DARK**2 + STRAIGHT * (moments[0] + moments[2])


def _towards(guess: torch.Tensor, moments: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Least squares with a Tikhonov term that pulls towards `guess`."""
    prior = _prior(moments, noise)
    a, c, xy = moments[0].clamp(min=0) + prior, moments[2].clamp(min=0) + prior, moments[1]
    x, y = moments[3:5] - _product(moments, guess)
    determinant = (a * c - xy * xy).clamp(min=DARK**4)
    return guess + torch.stack((c * x - xy * y, a * y - xy * x)) / determinant


def _product(moments: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Structure tensor times a field of vectors."""
    xx, xy, yy = moments[:3]
    return torch.stack((xx * field[0] + xy * field[1], xy * field[0] + yy * field[1]))


def _decided(moments: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """How many of the two components of motion the data decide, rather than the prior."""
    prior = _prior(moments, noise)
    a, c, square = moments[0].clamp(min=0), moments[2].clamp(min=0), moments[1] ** 2
    determinant = ((a + prior) * (c + prior) - square).clamp(min=DARK**4)
    return (a * (c + prior) + c * (a + prior) - 2.0 * square).clamp(min=0) / determinant


def _halved(cells: torch.Tensor) -> torch.Tensor:
    return avg_pool2d(cells[None], 2, ceil_mode=True, count_include_pad=False)[0]


def _resized(cells: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if cells.shape[1:] == like.shape[1:]:
        return cells
    return interpolate(cells[None], size=tuple(like.shape[1:]), mode="bilinear", align_corners=False)[0]


def spread_cells(cells: torch.Tensor) -> torch.Tensor:
    """Add to every cell a faint share of ever wider surroundings, which decides only where it is itself empty."""
    wide = smooth_cells(cells)
    total = wide
    for level in range(COARSER):
        wide = smooth_cells(_halved(wide))
        total = total + 0.01 ** (level + 1) * _resized(wide, cells)
    return total
