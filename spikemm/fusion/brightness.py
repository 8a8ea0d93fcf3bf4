"""One brightness for two reconstructions, steady from frame to frame."""

import math

import torch

__all__ = ["BrightnessMap"]

_KNOTS = 24
_DARKEST = 2.0**-10
_PRIOR = 20.0
_APART = 1e-6


class BrightnessMap:
    """The monotone map T that brings one picture's brightness to another's (the paper's (9), read as argmin).

    For each of 24 levels of the reference's light, evenly spaced in its logarithm, it remembers the mean light of both
    pictures over the pixels that are still, and forgets over `memory_steps`; T runs through these pairs. Means instead
    of the quantiles of two histograms: the noisier picture has the wider histogram, and matching that would squeeze
    contrast, and motion with it. What the lamps do within `memory_steps` is not taken for a difference: it is returned
    beside the map as one factor, so that a blend of both pictures flickers as one, or not at all.

    Parameters
    ----------
    memory_steps : float
        Time constant in steps of the sensor.
    device : str or torch.device
        Where the pictures are.
    """

    def __init__(self, memory_steps: float, *, device: str | torch.device = "cpu") -> None:
        self._memory_steps = memory_steps
        self._knots = torch.logspace(math.log2(_DARKEST), 0.0, _KNOTS, base=2.0, device=device)
        self.reset()

    def reset(self) -> None:
        """Forget both pictures' brightness."""
        self._sums = self._knots.new_zeros(3, _KNOTS)
        self._step = 0

    def push(
        self, picture: torch.Tensor, reference: torch.Tensor, still: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, float]:
        """Map `picture` to the brightness of `reference`.

        Parameters
        ----------
        picture, reference : torch.Tensor
            (H, W), spikes per step.
        still : torch.Tensor
            (H, W) weights: 1 where both show the same light, 0 where something moves.
        step : int
            Later than the last one's.

        Returns
        -------
        mapped : torch.Tensor
            (H, W).
        lamp : float
            Mean light of the mapped picture's still pixels over that of the reference's.
        """
        self._remember(picture, reference, still, step)
        mapped = self._apply(picture)
        lit = float((reference * still).sum())
        return mapped, float((mapped * still).sum()) / lit if lit > 0.0 else 1.0

    def _remember(self, picture: torch.Tensor, reference: torch.Tensor, still: torch.Tensor, step: int) -> None:
        level = torch.bucketize(reference, self._knots).clamp_(max=_KNOTS - 1).flatten()
        weight = still.flatten()
        now = torch.zeros_like(self._sums)
        for row, light in zip(now, (picture, reference, torch.ones_like(reference)), strict=True):
            row.scatter_add_(0, level, light.flatten() * weight)
        self._sums = self._sums * math.exp(-(step - self._step) / self._memory_steps) + now
        self._step = step

    def _apply(self, picture: torch.Tensor) -> torch.Tensor:
        """Run through the pairs of means; below the first and above the last along the line from black through it."""
        light, reference, count = self._sums
        # As if a few pixels more had been seen of every level, which differ as the pictures do on the whole.
        whole = (light.sum() + _APART) / (reference.sum() + _APART)
        means = torch.stack([light + _PRIOR * whole * self._knots, reference + _PRIOR * self._knots]) / (count + _PRIOR)
        source, target = means.cummax(dim=1).values
        source = source + _APART * torch.arange(_KNOTS, device=source.device)
        right = torch.bucketize(picture, source)
        left = (right - 1).clamp_(min=0)
        right.clamp_(max=_KNOTS - 1)
        part = (picture - source[left]) / (source[right] - source[left]).clamp_(min=_APART)
        outside = picture * (target[left] / source[left])
        return torch.where(left == right, outside, torch.lerp(target[left], target[right], part))
