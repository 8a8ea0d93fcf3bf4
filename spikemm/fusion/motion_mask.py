"""Where something moves within a long window: the soft mask that chooses between a short and a long one."""

import math

import numpy as np
import torch

from spikemm.fusion.box import box_mean, grown, neighbourhood
from spikemm.fusion.clusters import Clusters, cluster
from spikemm.fusion.noise import NoiseModel
from spikemm.fusion.running_mean import RunningMean
from spikemm.maps import MapSpec

__all__ = ["MotionMask"]

_SMOOTH = 3
_POOLED = 5
_MEMORY_WINDOWS = 16
_CLEAR = 1.6
_CLEAR_AT_ONCE = 4.0
_CLEAR_NEARBY = 1.2
_NEARBY_CELLS = 5
_NEARBY_SHARE = 0.01
_FEW = 3.0
"""Independent long windows after which chance counts √2 times what it does in the end."""

_GROWN = 5
_FAITHFUL = 50.0
"""Weight of lost motion over noise. Both are weighed where motion is weak beside the noise of the short window: around
what moves, and in the dark."""


class MotionMask:
    """Tell moving pixels from still ones by how much the segments of a long window differ.

    The segments are smoothed by a 3×3 mean (the paper's (7)), freed of what the lamps do to the whole picture, and
    their variance over the window (8) is divided by that which the sensor's noise alone would give: a still pixel has
    1. It is averaged over 5×5 pixels and over the last 16 long windows, so that a vibration far weaker than the noise
    of one frame shows. K-means splits the logarithm into clusters; those whose centre is clearly above 1 are dynamic,
    so a still scene has none. Near some of them 1.2 is enough, since what moves seldom moves alone; near more of them
    in the first windows, where chance has more say. A motion that starts counts at once where its variance is four
    times the noise's. Pixels too dark to tell count as still. Last, the mask falls off where what moves is little
    beside the short window's noise.

    Parameters
    ----------
    segments : MapSpec
        The long window cut into short ones, such as ``interval:256/8``.
    clusters : int
        K_n; the paper's 3 are stable, between and dynamic.
    device : str or torch.device
        Where the segments are.

    Attributes
    ----------
    noise : NoiseModel
        What a still pixel varies by.
    feature : torch.Tensor or None
        (H, W): logarithm of the variance over the noise's, in the last window.
    clusters : Clusters or None
        Of the feature.
    motion : torch.Tensor or None
        (H, W), (spikes/step)²: variance of a pixel beyond noise in the last window, where it moves.
    """

    def __init__(self, segments: MapSpec, *, clusters: int = 3, device: str | torch.device = "cpu") -> None:
        self.noise = NoiseModel(segments, device=device)
        self._count, self._reach = clusters, segments.reach
        self._window = segments.window
        self._variance = RunningMean(_MEMORY_WINDOWS * segments.window)
        self.reset()

    def reset(self) -> None:
        """Forget what has moved."""
        self.noise.reset()
        self.feature: torch.Tensor | None = None
        self.clusters: Clusters | None = None
        self.motion: torch.Tensor | None = None
        self._variance.reset()
        self._first: int | None = None

    def push(self, segments: torch.Tensor, step: int) -> torch.Tensor:
        """Return the mask at one step.

        Parameters
        ----------
        segments : torch.Tensor
            (n, H, W), spikes per step.
        step : int
            The window's centre; later than the last one's.

        Returns
        -------
        torch.Tensor
            (H, W) float32: 0 where everything is still, 1 where it moves.
        """
        light = segments.mean(0)
        lit = self.noise.lit(light)
        # One by one and in place: pictures of a few hundred kB stay in a processor's cache.
        smooth = torch.stack([box_mean(torch.where(lit, one, light), _SMOOTH) for one in segments])
        now = box_mean(_variance_of(smooth.div_(_lamp(smooth)[:, None, None])), _POOLED)
        variance = self._remember(now, step)
        parts = (box_mean(part * lit, _SMOOTH) for part in self.noise.parts(light))
        quantised, shot = (box_mean(part, _POOLED) for part in parts)
        doubt = math.sqrt(1.0 + _FEW / (1.0 + self._variance.span_steps / self._window))
        self.noise.learn(variance * _SMOOTH**2, quantised, shot, lit, doubt)
        floor = (quantised + self.noise.excess * shot) / _SMOOTH**2
        ratio = torch.maximum(variance / floor, now / (_CLEAR_AT_ONCE / _CLEAR * floor))
        mask = self._soft(torch.where(lit, ratio, 1.0), doubt)
        self.motion = mask * (torch.maximum(variance, now) - floor).clamp_(min=0.0) * _SMOOTH**2
        worth = _FAITHFUL * self.motion
        return mask * worth / (worth + floor * _SMOOTH**2).clamp(min=1e-12)

    def _remember(self, now: torch.Tensor, step: int) -> torch.Tensor:
        self._first = step if self._first is None else self._first
        variance = self._variance.push(now, step)
        # The first windows cannot look back as far as they should: what they show is not to be remembered.
        if step < self._first + self._reach:
            self._variance.reset()
        return variance

    def _soft(self, ratio: torch.Tensor, doubt: float) -> torch.Tensor:
        self.feature = feature = ratio.clamp(min=1e-2).log_()
        self.clusters = cluster(feature, self._count)
        dynamic = np.flatnonzero(self.clusters.centres > math.log(_CLEAR))
        if not len(dynamic):
            return torch.zeros_like(ratio)
        below = self.clusters.borders[dynamic[0] - 1] if dynamic[0] else -math.inf
        moving = feature > max(float(below), math.log(_CLEAR))
        near = neighbourhood(moving, _NEARBY_CELLS) > _NEARBY_SHARE * doubt**3
        moving |= near & (feature > math.log(_CLEAR_NEARBY))
        return box_mean(grown(moving, _GROWN), _GROWN)


def _variance_of(pictures: torch.Tensor) -> torch.Tensor:
    """Variance over the first axis, in place of the pictures; ``torch.var`` takes twenty times as long across rows."""
    return pictures.sub_(pictures.mean(0)).square_().sum(0).div_(len(pictures) - 1)


def _lamp(smooth: torch.Tensor) -> torch.Tensor:
    """Light of each segment as a factor on the mean one's, as most pixels see it: (n,)."""
    some = slice(None, None, 8)
    light = smooth.mean(0)
    ratio = smooth[:, some, some].flatten(1) / light[some, some].flatten().clamp(min=1e-4)
    return ratio.median(dim=1).values.clamp(min=0.1)
