"""The pixel's own count and its neighbours' guess, weighed by their variances."""

import torch

from spikemm.fusion.box import box_mean
from spikemm.fusion.running_mean import RunningMean

__all__ = ["OwnPixel"]

_POOLED = 7

_LEAST = 0.05
"""Part of the own variance that the network's error is never below: an estimate over 7×7 pixels can come out as 0."""

_DOUBT = 4.0
"""Independent pictures after which a place's own error counts half, and that of the whole picture the rest."""

_FAITHFUL = 1.0
"""Part of the motion's variance that counts as the guess's error, beside what it is seen to miss: without it the
amplitude of a strong motion comes out up to 4 % too large, as the guess sees shorter windows as well."""


class OwnPixel:
    """Blend what a pixel shows with what a blind network expects there.

    The two are independent given the light, so the mean of their squared difference is the sum of both variances. The
    sensor's part is known; the rest is the network's error, which is averaged over 7×7 pixels and over time. The blend
    of least variance gives the network the weight ``own / (own + error)``: much in the dark, little in the light.

    Parameters
    ----------
    memory_steps : float
        Time constant of the network's error, in steps of the sensor.
    window : int
        Steps that an estimate averages: pictures less far apart share their noise.

    Notes
    -----
    After Laine et al., "High-quality self-supervised deep image denoising" (2019), with the error measured on the
    stream instead of predicted, and motion protected from a guess that does not follow it.
    """

    def __init__(self, memory_steps: float, window: int) -> None:
        self._squared, self._independent_steps = RunningMean(memory_steps), float(window)

    def reset(self) -> None:
        """Forget the network's error."""
        self._squared.reset()

    def push(
        self, own: torch.Tensor, guess: torch.Tensor, variance: torch.Tensor, motion: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Return the blend.

        Parameters
        ----------
        own, guess, variance : torch.Tensor
            (H, W): the pixel's own light, the network's, and the own one's variance.
        motion : torch.Tensor
            (H, W): variance that motion makes, 0 where nothing moves.
        step : int
            The window's centre; later than the last one's.
        """
        beyond = self._squared.push(box_mean((own - guess).square_().sub_(variance), _POOLED), step)
        # At first what is known of a place is little more than this picture's own noise: then the whole's error counts.
        known = 1.0 + self._squared.span_steps / self._independent_steps
        whole = variance * (beyond.mean() / variance.mean())
        error = torch.lerp(whole, beyond, known / (known + _DOUBT)).clamp_(min=0.0)
        error.add_(variance, alpha=_LEAST).add_(motion, alpha=_FAITHFUL)
        return own.lerp(guess, variance / error.add_(variance))
