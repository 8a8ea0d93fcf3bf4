"""How wrong a magnifier is: about the motion itself, where a network states it, and about the magnified picture."""

import torch
from torch.nn.functional import avg_pool2d

from spikemm.magnification.learned.base import MotionNetwork
from spikemm.magnification.learned.shift import ShiftNetwork
from spikemm.training.motion_pairs import MotionPairs

__all__ = ["motion_loss", "picture_loss"]

_STILL_PX = 0.15
"""Errors are relative to the pair's motion and this."""

_ACROSS = 0.05
"""Weight of an error that does not show (along an edge, on a smooth surface), relative to one that does."""

_NEAR = 5
"""Cells around a structure whose error shows on it, since fields are sampled where the content arrives."""

_BIAS = 0.5
"""Weight of a pair's mean gain."""

_BORDER = 1.0
"""How much less the border of what moves counts, where a cell holds both."""


def motion_loss(network: ShiftNetwork, pairs: MotionPairs) -> torch.Tensor:
    """Return the mean relative error of the displacement.

    Errors count as far as they would show, which is by the structure tensor of the picture, and a little where they do
    not. A pair's mean gain counts on its own, or the network would learn to play safe with small motions.
    """
    before, after = network.encode(pairs.before), network.encode(pairs.after)
    stated = network.displacement(after, after.shape - before.shape)
    cell = pairs.motion.shape[-1] // stated.shape[-1]
    true, structure = avg_pool2d(pairs.motion, cell), _structure(pairs.still, cell)
    structure = structure * _clear_of_borders(true)
    size = _energy(structure, true).mean((1, 2)).sqrt() + _STILL_PX
    wrong = (_energy(structure, stated - true) + (1e-2 * size[:, None, None]) ** 2).sqrt().mean((1, 2)) / size
    gain = (_energy(structure, stated, true).mean((1, 2)) + _STILL_PX**2) / (
        _energy(structure, true).mean((1, 2)) + _STILL_PX**2
    )
    return (wrong + _BIAS * (gain - 1.0).abs()).mean()


def _clear_of_borders(motion: torch.Tensor) -> torch.Tensor:
    """Return (n, 1, h, w) weights: 1 where everything around moves alike, less where what moves has its border."""
    mean, square = (avg_pool2d(field, 5, 1, 2, count_include_pad=False) for field in (motion, motion * motion))
    spread = (square - mean * mean).sum(1, keepdim=True).clamp(min=0.0)
    return 1.0 / (1.0 + _BORDER * spread / (square.sum(1, keepdim=True) + 1e-6))


def _structure(picture: torch.Tensor, cell: int) -> torch.Tensor:
    """Return (n, 3, h, w) the structure tensor xx, xy, yy of cells over its mean trace, with an even share added."""
    x = 0.5 * (picture.roll(-1, 3) - picture.roll(1, 3))
    y = 0.5 * (picture.roll(-1, 2) - picture.roll(1, 2))
    inside = torch.zeros_like(x)
    inside[..., 1:-1, 1:-1] = 1.0
    products = avg_pool2d(inside * torch.cat((x * x, x * y, y * y), 1), cell)
    trace = products[:, 0:1] + products[:, 2:3]
    # The root of the contrast: a bright edge must not be all that is learnt.
    weight = 1.0 / ((trace + 1e-8) * trace.mean((1, 2, 3), keepdim=True) + 1e-10).sqrt()
    even = torch.tensor([_ACROSS, 0.0, _ACROSS], device=picture.device)[:, None, None]
    return avg_pool2d(products * weight, _NEAR, 1, _NEAR // 2) + even


def _energy(structure: torch.Tensor, first: torch.Tensor, second: torch.Tensor | None = None) -> torch.Tensor:
    """Return (n, h, w) what two fields (n, 2, h, w) have in common where it shows."""
    other = first if second is None else second
    xx, xy, yy = structure.unbind(1)
    (a, b), (c, d) = first.unbind(1), other.unbind(1)
    return xx * a * c + xy * (a * d + b * c) + yy * b * d


def picture_loss(network: MotionNetwork, pairs: MotionPairs, agreement: float) -> torch.Tensor:
    """Return the mean absolute error of the magnified frame, and of representations that should agree.

    Textures of the two frames should agree, and that of the magnified truth with that of the frame, both in another
    light; and shapes of a frame in two lights should. The loss of Oh et al., "Learning-based video motion
    magnification" (2018).
    """
    before, after = network.encode(pairs.before), network.encode(pairs.after)
    shown = network.magnify(after, after.shape - before.shape, pairs.alpha)
    loss = (shown - pairs.truth).abs().mean()
    if agreement == 0.0:
        return loss
    gain, offset = pairs.relit[:, :1], pairs.relit[:, 1:]
    relit, moved = network.encode(gain * pairs.after + offset), network.encode(gain * pairs.truth + offset)
    apart = (after.texture - before.texture, relit.texture - moved.texture, relit.shape - after.shape)
    return loss + agreement * torch.stack([difference.abs().mean() for difference in apart]).sum()
