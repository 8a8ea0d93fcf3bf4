"""Telling a sensor's pattern from the scene's texture: the texture moves, the pattern does not.

In the logarithm of light, a pixel shows p(x) + L(x − d(t)): its own gain, and a scene moved by d. For small d that is
p + L − d·∇L, so what a pixel's light does over time along with the motion is the gradient of the scene alone, whatever
the gain; and what its mean's gradient has beyond that is the gradient of the pattern.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

__all__ = ["USUAL_PATTERN", "Evidence", "gather_evidence", "high_pass", "solve_pattern"]

Map = NDArray[np.float64]

USUAL_PATTERN = 0.05
"""Standard deviation of the gains of a spike camera's pixels: what is believed before the recording is seen."""

_LARGEST = 3.0 * USUAL_PATTERN

_NEAR_PX = 0.6
"""Displacements much beyond this are left out: the picture is no plane over them."""

_SLOPE_ERROR, _SLOPE_FLOOR = 0.2, 0.02
"""What a measured gradient may be wrong by beside its noise: a part of itself, and (per px) a constant."""

_FALSE, _TRUE = 0.25, 0.5
"""Part of the smoothed mean picture's gradient that follows the motion: below the first, what was taken for motion is
none (a shadow, say); above the second it is trusted."""

_DETAIL_PX, _SMOOTH_PX, _AROUND_PX = 11, 3, 13
_ROUNDS = 60
_DRAWS = 4


class Evidence(NamedTuple):
    """What the recording says of the pattern's gradient, between four pixels each.

    Attributes
    ----------
    across, down : numpy.ndarray
        (H − 1, W − 1) its components, in logarithm of gain per px.
    xx, xy, yy : numpy.ndarray
        (H − 1, W − 1) inverse of their covariance; 0 where nothing moved.
    """

    across: Map
    down: Map
    xx: Map
    xy: Map
    yy: Map


def high_pass(pictures: Map) -> Map:
    """Take the mean of some 15 px around off every pixel of (n, H, W) pictures: shadows and flicker go with it."""
    return pictures - _mean_around(pictures, _DETAIL_PX)


def gather_evidence(pictures: Map, moved: Map, weight: Map) -> Evidence:
    """Regress every pixel's light on the motion.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W) logarithm of the light, high-passed.
    moved : numpy.ndarray
        (n, 2, H, W) displacement in px, x and y.
    weight : numpy.ndarray
        (n, H, W) of each pixel's light, 0 to 1.
    """
    weight = weight * np.exp(-(moved**2).sum(1) / (2.0 * _NEAR_PX**2))
    total = weight.sum(0) + 1e-6
    mean = (weight * pictures).sum(0) / total
    x, y = ((d - (weight * d).sum(0) / total) for d in (moved[:, 0], moved[:, 1]))
    change = pictures - mean
    xx, xy, yy = ((weight * a * b).sum(0) for a, b in ((x, x), (x, y), (y, y)))
    ridge = 1e-3 * (xx + yy) + 1e-3
    along = (weight * x * change).sum(0), (weight * y * change).sum(0)
    determinant = (xx + ridge) * (yy + ridge) - xy * xy
    slope_x = ((yy + ridge) * along[0] - xy * along[1]) / determinant
    slope_y = ((xx + ridge) * along[1] - xy * along[0]) / determinant
    left = (weight * (change - x * slope_x - y * slope_y) ** 2).sum(0) / total
    noise = np.maximum(left, 1e-6)
    information = _limited(
        (xx / noise, xy / noise, yy / noise), _SLOPE_ERROR**2 * (slope_x**2 + slope_y**2) + _SLOPE_FLOOR**2
    )
    return _trusted((_across(mean), _down(mean)), (_between(slope_x, 1), _between(slope_y, 0)), information)


def solve_pattern(evidence: Evidence, seed: int = 0) -> tuple[Map, Map]:
    """Find the pattern that has the measured gradient, shrunk towards none where little is known.

    Returns
    -------
    pattern, error : numpy.ndarray
        (H, W) logarithm of the gain, and its standard error.

    Notes
    -----
    The mean of a Gaussian posterior: the prior is white, with `USUAL_PATTERN` as its standard deviation; conjugate
    gradients. The error is that of a few patterns drawn from the prior and estimated from the gradients that this
    evidence would have had of them, averaged over 5×5 px.
    """
    pattern = _solve(evidence, _transposed(evidence, evidence.across, evidence.down))
    rng = np.random.default_rng(seed)
    missed, there = np.zeros_like(pattern), np.zeros_like(pattern)
    for _ in range(_DRAWS):
        drawn = USUAL_PATTERN * rng.standard_normal(pattern.shape)
        seen = _transposed(evidence, _across(drawn), _down(drawn)) + _noise_of(evidence, rng)
        missed += (_solve(evidence, seen) - drawn) ** 2
        there += drawn**2
    error = USUAL_PATTERN * np.sqrt(uniform_filter(missed, 5) / uniform_filter(there, 5))
    return np.clip(pattern, -_LARGEST, _LARGEST), error


def _limited(information: tuple[Map, Map, Map], variance: Map) -> tuple[Map, Map, Map]:
    """Add an isotropic variance to an inverse covariance (2×2, symmetric): (I⁻¹ + v)⁻¹ = I (1 + v I)⁻¹."""
    xx, xy, yy = information
    determinant = np.maximum(xx * yy - xy * xy, 0.0)
    divisor = 1.0 + variance * (xx + yy) + variance**2 * determinant
    return (xx + variance * determinant) / divisor, xy / divisor, (yy + variance * determinant) / divisor


def _trusted(mean: tuple[Map, Map], slope: tuple[Map, Map], information: tuple[Map, Map, Map]) -> Evidence:
    """Keep the evidence where the picture's own gradient follows the motion, in its direction."""
    xx, xy, yy = (_four(part) for part in information)
    trace = xx + yy + 1e-9

    def energy(a: tuple[Map, ...], b: tuple[Map, ...]) -> Map:
        along = (xx * a[0] * b[0] + xy * (a[0] * b[1] + a[1] * b[0]) + yy * a[1] * b[1]) / trace
        return _mean_around(along, _AROUND_PX)

    smooth_mean, smooth_slope = (tuple(_mean_around(part, _SMOOTH_PX) for part in pair) for pair in (mean, slope))
    follows = -energy(smooth_mean, smooth_slope) / (energy(smooth_mean, smooth_mean) + 1e-12)
    trust = np.clip((follows - _FALSE) / (_TRUE - _FALSE), 0.0, 1.0)
    return Evidence(mean[0] + slope[0], mean[1] + slope[1], trust * xx, trust * xy, trust * yy)


def _mean_around(values: Map, size: int) -> Map:
    """Mean of about 1.4 `size` px around, by two boxes, in the last two axes."""
    sizes = (1,) * (values.ndim - 2) + (size, size)
    mean: Map = uniform_filter(uniform_filter(values, sizes), sizes)
    return mean


def _four(values: Map) -> Map:
    """Mean of the four pixels around every point between them."""
    return 0.25 * (values[:-1, :-1] + values[1:, :-1] + values[:-1, 1:] + values[1:, 1:])


def _across(values: Map) -> Map:
    """Differentiate along x, between four pixels."""
    return 0.5 * (values[:-1, 1:] - values[:-1, :-1] + values[1:, 1:] - values[1:, :-1])


def _down(values: Map) -> Map:
    return _across(values.T).T


def _between(slope: Map, axis: int) -> Map:
    """Mean of a derivative from one pixel to the next along `axis`, as differences see it; and of two across it."""
    if axis == 0:
        return _between(slope.T, 1).T
    wide = np.pad(slope, ((0, 0), (1, 1)), mode="edge")
    mean = (13.0 * (wide[:, 1:-2] + wide[:, 2:-1]) - wide[:, :-3] - wide[:, 3:]) / 24.0
    return 0.5 * (mean[:-1] + mean[1:])


def _transposed(evidence: Evidence, across: Map, down: Map) -> Map:
    """Weigh a gradient by the evidence and bring it back to pixels, as the normal equations do."""
    return _back(evidence.xx * across + evidence.xy * down, evidence.xy * across + evidence.yy * down)


def _back(across: Map, down: Map) -> Map:
    """Transpose of `_across` and `_down`."""
    out = np.zeros((across.shape[0] + 1, across.shape[1] + 1))
    out[:-1, :-1] -= 0.5 * (across + down)
    out[:-1, 1:] += 0.5 * (across - down)
    out[1:, :-1] -= 0.5 * (across - down)
    out[1:, 1:] += 0.5 * (across + down)
    return out


def _noise_of(evidence: Evidence, rng: np.random.Generator) -> Map:
    """Draw what the evidence's own error adds to the right-hand side of the normal equations."""
    first, second = rng.standard_normal((2, *evidence.xx.shape))
    root = np.sqrt(evidence.xx)
    cross = evidence.xy / np.maximum(root, 1e-12)
    rest = np.sqrt(np.maximum(evidence.yy - cross**2, 0.0))
    return _back(root * first, cross * first + rest * second)


def _solve(evidence: Evidence, wanted: Map) -> Map:
    """Conjugate gradients on the normal equations."""
    found, left = np.zeros_like(wanted), wanted.copy()
    search, power = left.copy(), float((left * left).sum())
    start = power
    for _ in range(_ROUNDS):
        if power <= 1e-12 * start:
            break
        image = _transposed(evidence, _across(search), _down(search)) + search / USUAL_PATTERN**2
        step = power / float((search * image).sum())
        found += step * search
        left -= step * image
        last, power = power, float((left * left).sum())
        search = left + power / last * search
    return found
