"""Figures of merit against truth: frames, displacements, vibrations."""

from spikemm.metrics.motion import Sine, displacement, fit_sine
from spikemm.metrics.pictures import psnr, ssim, ssim_map

__all__ = ["Sine", "displacement", "fit_sine", "psnr", "ssim", "ssim_map"]
