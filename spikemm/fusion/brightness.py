"""One brightness for two reconstructions, steady from frame to frame."""

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.fusion.running_mean import RunningMean

__all__ = ["BrightnessMap"]

_KNOTS = 24
_APART = 1e-6

_EVERY = 2
"""Of the pixels, every second one each way tells the brightness."""

_LEVELS = 8192
"""Entries of the table that T is looked up in, evenly spaced from 0 to 1."""

_MIDDLES = (np.arange(_LEVELS) + 0.5) / _LEVELS


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
        self._sums = RunningMean(memory_steps)
        self._knots = torch.logspace(-10.0, 0.0, _KNOTS, base=2.0, device=device)

    def reset(self) -> None:
        """Forget both pictures' brightness."""
        self._sums.reset()

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
        some = slice(None, None, _EVERY), slice(None, None, _EVERY)
        sums = self._sums.push(self._level_sums(picture[some], reference[some], still[some]), step)
        gain = torch.from_numpy(self._gain(sums.cpu().double().numpy())).to(picture.device)
        mapped = picture * gain[(picture * _LEVELS).long().clamp_(0, _LEVELS - 1)]
        lit = float((reference * still).sum())
        return mapped, float((mapped * still).sum()) / lit if lit > 0.0 else 1.0

    def _level_sums(self, picture: torch.Tensor, reference: torch.Tensor, still: torch.Tensor) -> torch.Tensor:
        """Return (3, knots): light of the picture, light of the reference, and pixels, at each level of the latter."""
        level = torch.bucketize(reference.contiguous(), self._knots).clamp_(max=_KNOTS - 1).flatten()
        values = torch.stack([picture * still, reference * still, still]).flatten(1)
        return self._knots.new_zeros(3, _KNOTS).index_add_(1, level, values)

    def _gain(self, sums: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return T(x)/x in the middle of each level; below the first and above the last pair the pair's own."""
        light, reference, count = sums
        # As if a pixel more had been seen of every level, which differs as the pictures do on the whole.
        whole = (light.sum() + _APART) / (reference.sum() + _APART)
        knots = self._knots.cpu().double().numpy()
        means = np.stack([light + whole * knots, reference + knots]) / (count + 1.0)
        source, target = np.maximum.accumulate(means, axis=1)
        source += _APART * np.arange(_KNOTS)
        beyond = 1.0 + 1.0 / source[-1]
        source, target = (np.concatenate(([0.0], pair, [beyond * pair[-1]])) for pair in (source, target))
        return np.asarray(np.interp(_MIDDLES, source, target) / _MIDDLES, np.float32)
