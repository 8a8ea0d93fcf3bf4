"""The compact magnifier's network: a linear encoder, a decoder that is linear in the change, a warp."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, pad, softplus

from spikemm.magnification.learned.appearance import Appearance, Mix
from spikemm.magnification.learned.arrival import Mover
from spikemm.magnification.learned.base import Encoded
from spikemm.magnification.learned.least_squares import solve_levels
from spikemm.magnification.learned.shift import ShiftNetwork

__all__ = ["CompactNetwork"]

CELL = 4
"""Px between places of the representation."""

_SIDE = 12
"""Side of the encoder's filters, px."""

_WAVELENGTHS_PX = (5.0, 8.0, 14.0)
_AROUND = 5
"""Cells over which the strength of the features is averaged."""

_LEVELS = 3
_LEAST = 1e-8

_SLOW = 0.004
"""Scale of the filters and slopes, which makes Adam's steps on them so much smaller: they begin nearly right."""
_REACH = 0.5 * (_SIDE + 1)

_CURVED = 1.0 / 12.0
"""Where features change by the part r of their strength, least squares are r²/12 too large: a sine moved by d is
measured as 2·tan(kd/2)/k, and r = 2·tan(kd/2)."""


class CompactNetwork(ShiftNetwork):
    """Estimate the motion at a quarter of the resolution, linearly in the change of linear features, and warp.

    Parameters
    ----------
    channels : int
        Channels of the appearance; the encoder has 24 filters of 12×12 px without mean, every 4 px, and nothing else.

    Notes
    -----
    How features change with motion is a linear function of the features around, learnt; how far each can be trusted
    where is a network of their appearance. The displacement solves the weighted least squares of Lucas and Kanade
    (1981) on them, from coarse to fine. So a motion half as large
    gives half the displacement, however small it is: there is no dead zone to train away. What change and features
    have in common over the whole frame is lighting, and is taken out first. The magnified frame is the given one,
    sampled where its content came from; see `Mover`.

    The linear encoder and the reduced resolution are after Ha et al., "Revisiting learning-based video motion
    magnification for real-time processing" (2024); the least squares and the warp are ours.
    """

    multiple = CELL * 2 ** (_LEVELS - 1)

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.options = {"channels": channels}
        filters = _first_filters()
        features = len(filters)
        self.filters = nn.Parameter(filters / _SLOW)
        self.floor = nn.Parameter(torch.tensor(-3.0))
        self.prior = nn.Parameter(torch.tensor([-3.0, -4.0, -6.0]))
        self.slopes = nn.ParameterList(weight / _SLOW for weight in _first_slopes(filters))
        seen = features + channels
        self.look = Appearance(features, seen)
        self.trust = Mix(seen, features)
        self._mover = Mover(CELL)
        nn.init.zeros_(self.trust.weight)

    def encode(self, frame: torch.Tensor) -> Encoded:
        """Represent frames: they themselves are the texture, (n, 24, H/4, W/4) linear features the shape."""
        beyond = (_SIDE - CELL) // 2
        filters = _SLOW * (self.filters - self.filters.mean((2, 3), keepdim=True))
        shape = conv2d(pad(frame, (beyond,) * 4, mode="replicate"), filters, stride=CELL)
        return Encoded(frame, shape)

    def magnify(self, encoded: Encoded, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return the frames with their content moved on by alpha − 1 times the displacement."""
        return self._mover(encoded.texture, self.shift(encoded, change, alpha))

    def displacement(self, encoded: Encoded, change: torch.Tensor) -> torch.Tensor:
        """Return (n, 2, H/4, W/4) how far content moved to the right and down, px, where it is now."""
        middle = torch.sub(encoded.shape, change, alpha=0.5)
        change = torch.addcmul(change, _common(change, middle), middle, value=-1.0)
        faint = 1.0 / self._strength(middle)
        middle, change = middle * faint, change * faint
        seen = self.look(middle)
        return solve_levels(self._moments(seen, middle, change), self.prior.exp().unbind())

    def _moments(self, seen: torch.Tensor, middle: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """Return (n, 5, h, w) the normal equations: slopes xx, xy, yy, and the change times the slopes."""
        trust = softplus(self.trust(seen))
        slopes = conv2d(middle, _SLOW * torch.cat(tuple(self.slopes)), padding=1).chunk(2, 1)
        curved = 1.0 + _CURVED * (change * change).mean(1, keepdim=True)
        right, down = (trust * slope for slope in slopes)
        products = ((right, slopes[0]), (right, slopes[1]), (down, slopes[1]), (right, change), (down, change))
        moments = torch.cat([(first * second).mean(1, keepdim=True) for first, second in products], 1)
        return torch.cat((moments[:, :3] * curved, moments[:, 3:]), 1)

    def _strength(self, features: torch.Tensor) -> torch.Tensor:
        """Return (n, 1, h, w) the root mean square of the features around each place, above the noise's."""
        energy = (features * features).mean(1, keepdim=True)
        around = avg_pool2d(energy, _AROUND, 1, _AROUND // 2, count_include_pad=False)
        return (around + self.floor.exp() ** 2).sqrt()


def _common(change: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Return (n, 1, 1, 1) the part of the features that the change is: a translation leaves their norm, a lamp not."""
    both = (change * features).sum((1, 2, 3), keepdim=True)
    return both / ((features * features).sum((1, 2, 3), keepdim=True) + _LEAST)


def _waves(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (24, …) windowed waves of three lengths in four directions and two phases at places from their middle."""
    window = np.cos(0.5 * np.pi * np.stack((x, y)).clip(-_REACH, _REACH) / _REACH).prod(0) ** 2
    waves = np.stack(
        [
            wave(2.0 * math.pi / length * (math.cos(turn) * x + math.sin(turn) * y))
            for length in _WAVELENGTHS_PX
            for turn in np.arange(4) * math.pi / 4.0
            for wave in (np.cos, np.sin)
        ]
    )
    level = (window * waves).sum((1, 2), keepdims=True) / window.sum()
    windowed: NDArray[np.float64] = window * (waves - level)
    return windowed


def _first_filters() -> torch.Tensor:
    """Return (24, 1, 12, 12) filters to begin with."""
    at = np.arange(_SIDE) - 0.5 * (_SIDE - 1)
    filters = _waves(at[None, :] + 0 * at[:, None], at[:, None] + 0 * at)
    return torch.from_numpy((filters / np.linalg.norm(filters, axis=(1, 2), keepdims=True)).astype(np.float32))[:, None]


def _first_slopes(filters: torch.Tensor) -> list[torch.Tensor]:
    """Return two (24, 24, 3, 3) weights that make of the features what 1 px to the right, and down, adds to them."""
    kernels = filters[:, 0].numpy().astype(np.float64)
    count, side = len(kernels), _SIDE + 2 * CELL
    spread = np.zeros((count, 3, 3, side, side))
    for row, column in np.ndindex(3, 3):
        spread[:, row, column, CELL * row :, CELL * column :][:, :_SIDE, :_SIDE] = kernels
    at = np.arange(side) - 0.5 * (side - 1)
    x, y = at[None, :] + 0 * at[:, None], at[:, None] + 0 * at
    scale = np.linalg.norm(_waves(x, y), axis=(1, 2))[:, None, None]
    rises = [_waves(x + h, y + v) - _waves(x - h, y - v) for h, v in ((0.05, 0.0), (0.0, 0.05))]
    wanted = np.concatenate([rise / (0.1 * scale) for rise in rises])
    weights = np.linalg.lstsq(spread.reshape(9 * count, -1).T, wanted.reshape(2 * count, -1).T, rcond=1e-3)[0]
    both = weights.T.reshape(2, count, count, 3, 3).astype(np.float32)
    return [torch.from_numpy(slopes) for slopes in both]
