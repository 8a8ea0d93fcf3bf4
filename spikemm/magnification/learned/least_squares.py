"""Least squares for displacements, from coarse to fine; linear in what changes."""

from collections.abc import Sequence

import torch
from torch.nn.functional import avg_pool2d, interpolate

from spikemm.magnification.motion import smooth_cells

__all__ = ["solve_levels"]

_STRAIGHT = 1e-3
"""Part of the slopes one way that counts the other way too, so that a straight edge can be solved."""


def solve_levels(moments: torch.Tensor, priors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Solve normal equations at several resolutions.

    Parameters
    ----------
    moments : torch.Tensor
        (n, 5, h, w): mean products of slopes xx, xy, yy, and of the change with the slopes to the right and down. They
        are smoothed over neighbours here.
    priors : sequence of torch.Tensor
        Weight of the coarser level's displacement, of 0 at the coarsest, as the prior of each level, finest first. h
        and w must be multiples of 2 to the power of their number less one.

    Returns
    -------
    torch.Tensor
        The displacement (n, 2, h, w), px to the right and down.
    """
    levels = [_smooth(moments)]
    for _ in priors[1:]:
        levels.append(_smooth(avg_pool2d(levels[-1], 2)))
    found = torch.zeros_like(levels[-1][:, :2])
    for level in reversed(range(len(priors))):
        found = _towards(found, levels[level], priors[level])
        if level:
            found = interpolate(found, scale_factor=2.0, mode="bilinear", align_corners=False)
    return found


def _smooth(cells: torch.Tensor) -> torch.Tensor:
    return smooth_cells(cells.flatten(0, 1)).view(cells.shape)


def _towards(guess: torch.Tensor, moments: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Least squares (n, 2, h, w) with a Tikhonov term that pulls towards `guess`."""
    xx, xy, yy, x, y = moments.unbind(1)
    right, down = guess.unbind(1)
    x, y = x - xx * right - xy * down, y - xy * right - yy * down
    xx, yy = xx + prior + _STRAIGHT * yy, yy + prior + _STRAIGHT * xx
    determinant = xx * yy - xy * xy
    return guess + torch.stack((yy * x - xy * y, xx * y - xy * x), 1) / determinant[:, None]
