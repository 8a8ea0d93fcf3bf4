"""What each block of a picture can tell of its displacement, and the weights that tell it."""

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from spikemm.maps import MapSpec
from spikemm.response import effective_length

__all__ = ["REACH_PX", "BlockTexture", "Blocks"]

REACH_PX = 3
"""Pixels around one that its gradient is taken from."""

_CHANCE = 4.0
"""Standard deviations by which instrument and gradient must agree: between independent noise of n pixels, a correlation
of 1/√n is one."""

_DARK = 1e-12


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a picture is cut into square blocks, each with its even and its odd rows apart.

    Attributes
    ----------
    height, width : int
        Size of the picture, px.
    side : int
        Side of a block, px; even. Blocks at the right and lower rim may be cut off.
    """

    height: int
    width: int
    side: int

    @property
    def rows(self) -> int:
        """Blocks from top to bottom."""
        return -(-self.height // self.side)

    @property
    def columns(self) -> int:
        """Blocks from left to right."""
        return -(-self.width // self.side)

    def sums(self, pixels: torch.Tensor) -> torch.Tensor:
        """Sum (C, H, W) over the even and the odd rows of each block: (C, rows, 2, columns)."""
        high, wide = self.rows * self.side - self.height, self.columns * self.side - self.width
        whole = pad(pixels, (0, wide, 0, high)) if high or wide else pixels
        # Rows first: adding them up runs along memory.
        strips = whole.reshape(len(pixels), self.rows, self.side // 2, 2, -1).sum(2)
        return strips.reshape(len(pixels), self.rows, 2, self.columns, self.side).sum(-1)

    def spread(self, sums: torch.Tensor) -> torch.Tensor:
        """Give every pixel (C, H, W) the value (C, rows, 2, columns) of its half of its block."""
        strips = sums.repeat_interleave(self.side, -1)[..., : self.width]
        rows = strips[:, :, None].expand(-1, -1, self.side // 2, -1, -1)
        return rows.reshape(len(sums), self.rows * self.side, -1)[:, : self.height]


@dataclass(frozen=True, slots=True)
class BlockTexture:
    """Weights by which the pixels of a half block add up to its displacement.

    The displacement d solves Σ z·(picture − change) = (Σ z·mᵀ)·d, with m the gradient and z an instrument: the gradient
    as the four diagonal neighbours of a pixel see it. The gradient is taken from other pixels than those, so a fixed
    pattern and noise, which are independent from pixel to pixel, do not bias d as they bias least squares (an
    instrumental variable, Reiersøl 1941). z has no part along the picture itself nor along a constant, so gain and
    offset of the light drop out.

    Attributes
    ----------
    blocks : Blocks
        How the picture is cut.
    instrument : torch.Tensor
        (2, H, W) z along x and y.
    inverse : torch.Tensor
        (2, 2, rows, 2, columns) turns block sums of −z·picture into px of displacement; 0 along directions in which a
        half block has no texture.
    directions : torch.Tensor
        (2, 2, rows, columns): [:, k] is the unit vector of direction k of a block; the second is that of most texture.
    textured : torch.Tensor
        (2, rows, columns) bool: whether direction k has texture in both halves.
    level : torch.Tensor
        (H, W) the picture without its mean, in every half block.
    length_steps : torch.Tensor
        (rows, columns) mean time that the front end averages where the gradient is, in steps.
    """

    blocks: Blocks
    instrument: torch.Tensor
    inverse: torch.Tensor
    directions: torch.Tensor
    textured: torch.Tensor
    level: torch.Tensor
    length_steps: torch.Tensor

    @classmethod
    def of(cls, picture: torch.Tensor, blocks: Blocks, front: MapSpec) -> "BlockTexture":
        """Look at the (H, W) mean picture of a front end."""
        gradient = _without_light(_gradient(picture), picture, blocks)
        instrument = _without_light(_diagonal_gradient(picture), picture, blocks)
        tensor = _tensor(instrument, gradient, blocks)
        tensor = 0.5 * (tensor + tensor.transpose(0, 1))
        whole = tensor.sum(3)
        _, vectors = torch.linalg.eigh(whole.permute(2, 3, 0, 1))
        directions = vectors.permute(2, 3, 0, 1)
        chance = _chance(instrument, gradient, directions, blocks)
        textured = (_along(tensor, directions) > _CHANCE * chance).all(2)
        inverse = _inverse(tensor, directions, textured)
        length = _mean_length(picture, gradient, blocks, front)
        return cls(blocks, instrument, inverse, directions, textured, _level(picture, blocks), length)

    def likeness(self, picture: torch.Tensor) -> torch.Tensor:
        """Correlation (rows, columns) of every block with what it is in an (H, W) picture."""
        other = _level(picture, self.blocks)
        sums = self.blocks.sums(torch.stack((self.level * other, self.level.square(), other.square()))).sum(2)
        return sums[0] / (sums[1] * sums[2]).sqrt().clamp(min=_DARK)

    def displacement(self, picture: torch.Tensor) -> torch.Tensor:
        """Displacement (2, rows, 2, columns) in px, up to a constant, of every half block of an (H, W) picture."""
        sums = self.blocks.sums(self.instrument * picture)
        return -torch.einsum("ijrhc,jrhc->irhc", self.inverse, sums)


def _shifts(picture: torch.Tensor) -> dict[tuple[int, int], torch.Tensor]:
    height, width = picture.shape
    far = REACH_PX
    wide = pad(picture[None, None], (far, far, far, far), mode="replicate")[0, 0]
    near = [(y, x) for y in range(-far, far + 1) for x in range(-far, far + 1)]
    return {(y, x): wide[far + y : far + y + height, far + x : far + x + width] for y, x in near}


def _gradient(picture: torch.Tensor) -> torch.Tensor:
    """Return the derivatives (2, H, W) along x and y, within 0.6 % up to 1 rad/px."""
    at = _shifts(picture)
    taps = ((1, 0.75), (2, -0.15), (3, 1.0 / 60.0))
    x = sum((tap * (at[0, k] - at[0, -k]) for k, tap in taps), torch.zeros_like(picture))
    y = sum((tap * (at[k, 0] - at[-k, 0]) for k, tap in taps), torch.zeros_like(picture))
    return torch.stack((x, y))


def _diagonal_gradient(picture: torch.Tensor) -> torch.Tensor:
    """Return the derivatives (2, H, W) along x and y by the diagonal neighbours alone."""
    at = _shifts(picture)
    x = at[1, 1] + at[-1, 1] - at[1, -1] - at[-1, -1]
    y = at[1, 1] + at[1, -1] - at[-1, 1] - at[-1, -1]
    return torch.stack((x, y)) / 4.0


def _without_light(fields: torch.Tensor, picture: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Take the parts along a constant and along the picture out of the fields, in every half block."""
    count = blocks.sums(torch.ones_like(picture)[None]).clamp(min=1.0)
    level = _level(picture, blocks)[None]
    fields = fields - blocks.spread(blocks.sums(fields) / count)
    share = blocks.sums(fields * level) / (blocks.sums(level * level) + _DARK)
    return fields - level * blocks.spread(share)


def _level(picture: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Take the mean of every half block out of an (H, W) picture."""
    count = blocks.sums(torch.ones_like(picture)[None]).clamp(min=1.0)
    return (picture[None] - blocks.spread(blocks.sums(picture[None]) / count))[0]


def _tensor(one: torch.Tensor, other: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Sum the products of two vector fields over half blocks: (2, 2, rows, 2, columns)."""
    return torch.stack([blocks.sums(one[i] * other) for i in (0, 1)])


def _along(tensor: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return what a tensor has along each direction of a block: (2, rows, 2, columns)."""
    return torch.einsum("ikrc,ijrhc,jkrc->krhc", directions, tensor, directions)


def _chance(instrument: torch.Tensor, gradient: torch.Tensor, directions: torch.Tensor, blocks: Blocks) -> torch.Tensor:
    """Return the product sum (2, rows, 2, columns) that independent fields of the same power have by chance."""
    count = blocks.sums(torch.ones_like(gradient[:1]))[0].clamp(min=1.0)
    one, other = (_along(_tensor(field, field, blocks), directions) for field in (instrument, gradient))
    return (one * other / count).clamp(min=0.0).sqrt() + _DARK


def _inverse(tensor: torch.Tensor, directions: torch.Tensor, textured: torch.Tensor) -> torch.Tensor:
    """Inverse of each half block's tensor in the directions that have texture."""
    turned = torch.einsum("iarc,ijrhc,jbrc->abrhc", directions, tensor, directions)
    seen = textured[:, :, None].to(tensor.dtype)
    both = seen[0] * seen[1]
    a, d, off = turned[0, 0], turned[1, 1], turned[0, 1] * both
    determinant = a * d - off * off
    sound = both * (determinant > 0.1 * a * d)
    determinant = torch.where(sound > 0, determinant, torch.ones_like(determinant))
    first = torch.where(sound > 0, d / determinant, seen[0] / torch.where(seen[0] > 0, a, 1.0))
    second = torch.where(sound > 0, a / determinant, seen[1] / torch.where(seen[1] > 0, d, 1.0))
    across = torch.where(sound > 0, -off / determinant, torch.zeros_like(off))
    inverse = torch.stack((torch.stack((first, across)), torch.stack((across, second))))
    return torch.einsum("iarc,abrhc,jbrc->ijrhc", directions, inverse, directions)


def _mean_length(picture: torch.Tensor, gradient: torch.Tensor, blocks: Blocks, front: MapSpec) -> torch.Tensor:
    weight = (gradient * gradient).sum(0) + _DARK
    length = effective_length(front, picture)
    both = blocks.sums(torch.stack((weight * length, weight))).sum(2)
    return both[0] / both[1]
