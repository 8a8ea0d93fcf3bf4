"""How near a picture comes to the truth."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from spikemm.exceptions import ShapeError

__all__ = ["as_array", "psnr", "ssim", "ssim_map"]

_SSIM_SIGMA_PX, _SSIM_REACH_PX = 1.5, 5


def as_array(values: torch.Tensor | NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `values` as float64 on the host."""
    return np.asarray(values.cpu() if isinstance(values, torch.Tensor) else values, dtype=np.float64)


def psnr(
    frames: torch.Tensor | NDArray[np.floating],
    truth: torch.Tensor | NDArray[np.floating],
    peak: float | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal arrays.

    Parameters
    ----------
    frames, truth : array
        Of the same shape.
    peak : float, optional
        The truth's maximum by default; of a part of a picture give that of the whole, and the two can be compared.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    a, b = _alike(frames, truth)
    error = float(np.mean((a - b) ** 2))
    peak = float(b.max()) if peak is None else peak
    return float("inf") if error == 0.0 else float(10.0 * np.log10(peak**2 / error))


def ssim(
    frame: torch.Tensor | NDArray[np.floating],
    truth: torch.Tensor | NDArray[np.floating],
    peak: float | None = None,
) -> float:
    """Mean structural similarity of two pictures, without the 5 px along the border that the window passes.

    The parameters are those of `ssim_map`.
    """
    inside = slice(_SSIM_REACH_PX, -_SSIM_REACH_PX)
    return float(ssim_map(frame, truth, peak)[inside, inside].mean())


def ssim_map(
    frame: torch.Tensor | NDArray[np.floating],
    truth: torch.Tensor | NDArray[np.floating],
    peak: float | None = None,
) -> NDArray[np.float64]:
    """Structural similarity around every pixel (Wang et al., 2004): Gaussian window of 11×11 px, σ = 1.5 px.

    Parameters
    ----------
    frame, truth : array
        (H, W) each.
    peak : float, optional
        The truth's maximum by default.

    Returns
    -------
    numpy.ndarray
        (H, W), at most 1; beyond the border the pictures are mirrored.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    a, b = _alike(frame, truth)
    peak = float(b.max()) if peak is None else peak
    mean_a, mean_b = _local_mean(a), _local_mean(b)
    variances = _local_mean(a * a) - mean_a**2 + _local_mean(b * b) - mean_b**2
    covariance = _local_mean(a * b) - mean_a * mean_b
    level, contrast = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    similar = (2.0 * mean_a * mean_b + level) * (2.0 * covariance + contrast)
    return np.asarray(similar / ((mean_a**2 + mean_b**2 + level) * (variances + contrast)))


def _local_mean(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(gaussian_filter(picture, _SSIM_SIGMA_PX, radius=_SSIM_REACH_PX))


def _alike(
    frames: torch.Tensor | NDArray[np.floating], truth: torch.Tensor | NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = as_array(frames), as_array(truth)
    if a.shape != b.shape:
        raise ShapeError(f"frames are {a.shape} and the truth is {b.shape}: give both the same shape")
    return a, b
