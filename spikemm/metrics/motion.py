"""Displacements of a region, and the vibration in them."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from spikemm.exceptions import OptionError
from spikemm.metrics.pictures import as_array

__all__ = ["Sine", "displacement", "fit_sine"]

_SMOOTHING_PX = 1.0
_ROUNDS = 30
_EXPLAINED = 0.05
_STRAIGHT = 1e-3
_NEAR = np.stack(np.meshgrid(np.arange(-7, 8), np.arange(-7, 8)), axis=-1).reshape(-1, 2).astype(np.float64)


class Sine(NamedTuple):
    """offset + amplitude·sin(2πft + phase), with the root mean square of what is left over."""

    amplitude: float
    phase: float
    offset: float
    residual: float


def displacement(
    frames: torch.Tensor | NDArray[np.floating],
    roi: tuple[int, int, int, int],
    reference: torch.Tensor | NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Displacement of the picture inside a region, one shift for the whole region.

    Parameters
    ----------
    frames : array
        (n, H, W).
    roi : tuple of int
        x, y, width, height of the region in the reference, in px; at least 8×8 and inside the frame.
    reference : array, optional
        (H, W), the first frame by default.

    Returns
    -------
    numpy.ndarray
        (n, 2) x and y in px, content to the right and down positive.

    Raises
    ------
    OptionError
        If the region is too small or not inside the frames.

    Notes
    -----
    Gauss–Newton on slightly smoothed frames (σ = 1 px), sampled by cubic splines, gain and offset of the light
    fitted along; begun at the last frame's displacement and, where that fails, at the best whole-pixel shift near
    it, so that several px are right as well. Along a structure without contrast the displacement is the smallest
    that explains the picture (Lucas and Kanade, 1981).
    """
    stack = as_array(frames)
    x, y, width, height = roi
    inside = x >= 0 and y >= 0 and x + width <= stack.shape[2] and y + height <= stack.shape[1]
    if min(width, height) < 8 or not inside:
        raise OptionError(
            f"region {roi} must be 8×8 or more and inside the frames of {stack.shape[2]}×{stack.shape[1]}"
        )
    start = stack[0] if reference is None else as_array(reference)
    smooth = gaussian_filter(start, _SMOOTHING_PX, mode="nearest")
    window = np.s_[y : y + height, x : x + width]
    gradient = np.stack([g[window].ravel() for g in _gradient(smooth)], axis=1)
    visible = _visible(gradient)
    level = smooth[window]
    basis = np.column_stack((gradient @ visible, level.ravel(), np.ones(level.size)))
    inverse = np.linalg.pinv(basis, rcond=1e-4)[:2]
    points = np.mgrid[window].astype(np.float64)
    found, last = np.zeros((len(stack), 2)), np.zeros(2)
    for i, frame in enumerate(stack):
        moved = gaussian_filter(frame, _SMOOTHING_PX, mode="nearest")
        coefficients = spline_filter(moved, mode="mirror")
        shift, left = _refine(coefficients, level.ravel(), inverse, points, last)
        if left > _EXPLAINED * level.var():
            guess = visible @ _whole_pixels(moved, level, roi, last, visible)
            shift, _ = _refine(coefficients, level.ravel(), inverse, points, guess)
        found[i] = last = shift
    return found


def _visible(gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Projection on the directions in which a movement shows: all, but for a straight edge only across it."""
    values, vectors = np.linalg.eigh(gradient.T @ gradient)
    shown = vectors[:, values > max(_STRAIGHT * values[1], 1e-20)]
    return np.asarray(shown @ shown.T)


def _gradient(smooth: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivatives along x and y of the cubic spline through the pixels."""
    grid = np.mgrid[0 : smooth.shape[0], 0 : smooth.shape[1]].astype(np.float64)
    coefficients = spline_filter(smooth, mode="mirror")
    step = 1e-3 * np.eye(2)
    dx, dy = (_sample(coefficients, grid, s) - _sample(coefficients, grid, -s) for s in step)
    return dx / 2e-3, dy / 2e-3


def _sample(
    coefficients: NDArray[np.float64], points: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    places = points + shift[::-1, None, None]
    return np.asarray(map_coordinates(coefficients, places, order=3, mode="mirror", prefilter=False))


def _whole_pixels(
    moved: NDArray[np.float64],
    level: NDArray[np.float64],
    roi: tuple[int, int, int, int],
    last: NDArray[np.float64],
    visible: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Best whole-pixel shift near `last`, up to a gain and offset of the light."""
    x, y, width, height = roi
    best, least = last, np.inf
    for shift in np.round(last) + _NEAR:
        left, top = int(x + shift[0]), int(y + shift[1])
        hidden = float(np.abs(shift - visible @ shift).max())
        if hidden > 0.75 or left < 0 or top < 0 or left + width > moved.shape[1] or top + height > moved.shape[0]:
            continue
        part = moved[top : top + height, left : left + width]
        error = float(np.var(part - level)) + 1e-12 * float(((shift - last) ** 2).sum())
        if error < least:
            best, least = shift, error
    return best


def _refine(
    coefficients: NDArray[np.float64],
    level: NDArray[np.float64],
    inverse: NDArray[np.float64],
    points: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Gauss–Newton from `shift`; also the variance that it leaves unexplained."""
    for _ in range(_ROUNDS):
        change = _sample(coefficients, points, shift).ravel() - level
        step = inverse @ change
        shift = shift - step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-4:
            break
    return shift, float(change.var())


def fit_sine(x: NDArray[np.floating], steps: NDArray[np.integer], rate_hz: float, hz: float) -> Sine:
    """Least-squares sine of known frequency.

    Parameters
    ----------
    x : numpy.ndarray
        (n,) samples, for instance px.
    steps : numpy.ndarray
        (n,) sensor steps they belong to; need not be even.
    rate_hz, hz : float
        Steps per second, and the sine's frequency.

    Returns
    -------
    Sine
        Amplitude, phase in radians at step 0, offset, and root mean square residual.
    """
    angle = 2.0 * np.pi * hz * np.asarray(steps, dtype=np.float64) / rate_hz
    basis = np.stack((np.sin(angle), np.cos(angle), np.ones_like(angle)), axis=1)
    values = np.asarray(x, dtype=np.float64)
    sine, cosine, offset = np.linalg.lstsq(basis, values, rcond=None)[0]
    left = values - basis @ np.array([sine, cosine, offset])
    return Sine(
        float(np.hypot(sine, cosine)), float(np.arctan2(cosine, sine)), float(offset), float(np.sqrt(np.mean(left**2)))
    )
