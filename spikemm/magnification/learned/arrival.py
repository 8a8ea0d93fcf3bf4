"""Move the content of frames by a coarse field of shifts that is given where the content is."""

import torch
from torch.nn.functional import grid_sample, pad

from spikemm.magnification.motion import spread_cells
from spikemm.magnification.sampling import sample_field

__all__ = ["Mover"]

_FURTHEST_PX = 30.0
_SAME_PX = 0.5
_REFINEMENTS = 2

_HALFWAY = (1225 / 2048, -245 / 2048, 49 / 2048, -5 / 2048)
"""Weights, from the middle out, of the four pixels on either side in the value halfway between two: the polynomial
through the eight, after Deslauriers and Dubuc, "Symmetric iterative interpolation processes" (1989)."""


class Mover:
    """Moves content of frames of one size after another; what it needs for a size is kept while the size stays.

    Samples are linear ones of the picture interpolated twice as fine: faster than those of a spline. Structures of 8 px
    a period lose 2 % of their contrast at most, and none of their place.

    Parameters
    ----------
    cell : int
        Px from place to place of the fields of shifts.
    """

    def __init__(self, cell: int) -> None:
        self._cell = cell
        self._kind: tuple[int, int, str] | None = None

    @torch.no_grad()
    def __call__(self, frames: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Move content.

        Parameters
        ----------
        frames : torch.Tensor
            (n, 1, H, W) float32.
        shift : torch.Tensor
            (n, 2, H/cell, W/cell) to the right and down, px, where the content is; more than 30 px count as 30.

        Returns
        -------
        torch.Tensor
            (n, 1, H, W). Not differentiable.
        """
        self._prepare(frames)
        length = (shift * shift).sum(1, keepdim=True).sqrt()
        shift = shift * (_FURTHEST_PX / length.clamp(min=_FURTHEST_PX))
        fields = torch.stack([_arriving(each, self._cell) for each in shift])
        around = pad(fields, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1)
        places = _between(self._rest - around * self._scale, self._cell)
        return grid_sample(_twice(frames), places, padding_mode="reflection", align_corners=True)

    def _prepare(self, frames: torch.Tensor) -> None:
        kind = frames.shape[2], frames.shape[3], str(frames.device)
        if kind == self._kind:
            return
        height, width, device = kind
        # The middles of the cells, and of one more on every side.
        y, x = (self._cell * (torch.arange(-1, size // self._cell + 1) + 0.5) - 0.5 for size in (height, width))
        self._scale = torch.tensor([4.0 / (2 * width - 1), 4.0 / (2 * height - 1)], device=device)
        self._rest = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).to(device) * self._scale - 1.0
        self._kind = kind


def _between(cells: torch.Tensor, cell: int) -> torch.Tensor:
    """Interpolate (n, h + 2, w + 2, c) values at the middles of cells linearly for the pixels of all but the outer."""
    for axis in (1, 2):
        count = cells.shape[axis] - 2
        steps = [divmod(2 * pixel + 1 + cell, 2 * cell) for pixel in range(cell)]
        parts = [
            cells.narrow(axis, first, count).lerp(cells.narrow(axis, first + 1, count), part / (2 * cell))
            for first, part in steps
        ]
        cells = torch.stack(parts, axis + 1).flatten(axis, axis + 1)
    return cells


def _twice(frames: torch.Tensor) -> torch.Tensor:
    """Interpolate (n, 1, H, W) frames to (n, 1, 2H, 2W): their pixels, and after each the value halfway on."""
    for axis, border in ((3, (3, 4, 0, 0)), (2, (0, 0, 3, 4))):
        size, wide = frames.shape[axis], pad(frames, border, mode="replicate")
        halfway = torch.zeros_like(frames)
        for off, weight in enumerate(_HALFWAY):
            halfway.add_(wide.narrow(axis, 3 - off, size) + wide.narrow(axis, 4 + off, size), alpha=weight)
        frames = torch.stack((frames, halfway), axis + 1).flatten(axis, axis + 1)
    return frames


def _arriving(shift: torch.Tensor, cell: int) -> torch.Tensor:
    """Turn shifts (2, h, w) given where content is into shifts given where it arrives.

    A place near what moves asks first whether that arrives: what moves lies in front. If not, it keeps its own, which
    shows at a place that was left what lies behind it.
    """
    height, width = shift.shape[1:]
    y = torch.arange(height, device=shift.device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=shift.device, dtype=torch.float32)
    weight = (shift * shift).sum(0, keepdim=True) ** 2 + 1e-12
    sums = spread_cells(torch.cat((weight * shift, weight)))
    guess = sums[:2] / sums[2:]
    arriving = guess
    for _ in range(_REFINEMENTS):
        arriving = sample_field(shift, (x - arriving[0] / cell), y - arriving[1] / cell)
    apart = ((arriving - guess) ** 2).sum(0)
    same = 1.0 / (1.0 + (apart / (_SAME_PX**2 + 0.06 * (guess * guess).sum(0))) ** 2)
    return torch.lerp(shift, arriving, same)
