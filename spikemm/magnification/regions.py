"""Magnification inside some regions only."""

from collections.abc import Sequence

import torch
from torch.nn.functional import avg_pool2d

from spikemm.magnification.options import Region

__all__ = ["soft_regions"]

_RIM = 9
"""Pixels over which magnification fades out at a region's rim."""


def soft_regions(regions: Sequence[Region], height: int, width: int, device: str) -> torch.Tensor:
    """Return (H, W): 1 inside any of the regions, falling to 0 over 9 px centred on their rims."""
    mask = torch.zeros((1, 1, height, width), device=device)
    for x, y, w, h in regions:
        mask[0, 0, y : y + h, x : x + w] = 1.0
    return avg_pool2d(mask, _RIM, 1, _RIM // 2, count_include_pad=False)[0, 0]
