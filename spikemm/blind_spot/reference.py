"""The reference blind-spot network: a shift-convolution U-Net that looks in four directions.

The trunk's output at a row depends on that row and the rows above it, never on one below; shifted down by one row it
depends on the rows above alone. Run on the picture turned by 0, 90, 180 and 270 degrees and turned back, it covers
every pixel's whole neighbourhood and never the pixel itself. After Chen et al., *Self-Supervised Mutual Learning for
Dynamic Scene Reconstruction of Spiking Camera* (IJCAI 2022), and Laine et al., *High-Quality Self-Supervised Deep
Image Denoising* (NeurIPS 2019).
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from spikemm.exceptions import OptionError, ShapeError

__all__ = ["ReferenceBSN"]

_SLOPE = 0.1
_SMALLEST = 16
_STRIDE = 4


class _BlindConv(nn.Module):
    """3×3 convolution of a row and the two rows above it, then a leaky ReLU.

    Centred on a row with one zero row put on top and the last row dropped afterwards, the kernel reaches the rows
    r − 2 … r; that is the same as two zero rows on top and no padding below. Columns are replicated.
    """

    def __init__(self, *, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = F.pad(x, (1, 1, 0, 0), mode="replicate")
        return F.leaky_relu(self.conv(F.pad(sides, (0, 0, 2, 0))), _SLOPE, inplace=True)


def _shift_down(x: torch.Tensor) -> torch.Tensor:
    """Move a picture down by one row; a zero row comes in on top."""
    return F.pad(x, (0, 0, 1, -1))


def _blind_pool(x: torch.Tensor) -> torch.Tensor:
    """Halve a picture without letting the upper row of a pair see the lower one."""
    return F.max_pool2d(_shift_down(x), 2)


def _double(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _blind_convs(*channels: int) -> nn.Sequential:
    """Chain of blind convolutions with the given numbers of channels in between."""
    return nn.Sequential(*(_BlindConv(inputs=inputs, outputs=outputs) for inputs, outputs in pairwise(channels)))


class _Trunk(nn.Module):
    """U-Net of blind convolutions over two halvings: (n, planes, H, W) to (n, 96, H, W), H and W multiples of 4."""

    def __init__(self, *, planes: int) -> None:
        super().__init__()
        self.encode1 = _blind_convs(planes, 48, 48, 48)
        self.encode2 = _blind_convs(48, 48, 48, 48)
        self.encode3 = _blind_convs(48, 96, 96, 48)
        self.decode2 = _blind_convs(48 + 48, 96, 96, 96, 96)
        self.decode1 = _blind_convs(96 + planes, 96, 96, 96, 96)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = _blind_pool(self.encode1(x))
        quarter = _blind_pool(self.encode2(half))
        decoded = self.decode2(torch.cat([_double(self.encode3(quarter)), half], 1))
        features: torch.Tensor = self.decode1(torch.cat([_double(decoded), x], 1))
        return features


class _Head(nn.Module):
    """Pixel by pixel from the four views to light: (n, 4·96, H, W) to (n, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4 * 96, 4 * 96, 1, bias=False)
        self.narrow = nn.Conv2d(4 * 96, 96, 1, bias=False)
        self.light = nn.Conv2d(96, 1, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.mix(x), _SLOPE, inplace=True)
        x = F.leaky_relu(self.narrow(x), _SLOPE, inplace=True)
        light: torch.Tensor = self.light(x)
        return light


class ReferenceBSN(nn.Module):
    """The paper's blind-spot network; 1,170,672 parameters at 41 planes.

    Its output at a pixel does not depend on that pixel's own samples. Fresh weights follow He et al. (2015).

    Parameters
    ----------
    planes : int
        Steps of the window: the raw 0/1 planes of a spike stream, each a channel.

    Attributes
    ----------
    planes : int
        Channels of the input.
    options : dict
        Arguments that build another network of the same shape.

    Raises
    ------
    OptionError
        If `planes` is below 1.
    """

    def __init__(self, planes: int = 41) -> None:
        super().__init__()
        if planes < 1:
            raise OptionError(f"a blind-spot network of {planes} planes: it needs at least 1")
        self.planes = planes
        self.options = {"planes": planes}
        self.trunk = _Trunk(planes=planes)
        self.head = _Head()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                gain = 1.0 if layer is self.head.light else _SLOPE
                nn.init.kaiming_normal_(layer.weight, a=gain, nonlinearity="leaky_relu")

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """Estimate the light of every pixel from its neighbours' spikes.

        Parameters
        ----------
        planes : torch.Tensor
            (n, planes, H, W) floating point, spikes 0 or 1, oldest step first; H and W from 16 up.

        Returns
        -------
        torch.Tensor
            (n, 1, H, W), light in spikes per step.

        Raises
        ------
        ShapeError
            If the array has other dimensions or another number of planes, or is smaller than 16×16.
        """
        self._check(planes)
        square = planes.shape[2] == planes.shape[3]
        views: dict[int, torch.Tensor] = {}
        for turns in ((0, 1, 2, 3),) if square else ((0, 2), (1, 3)):
            views |= self._look(planes, turns)
        light: torch.Tensor = self.head(torch.cat([views[turn] for turn in range(4)], 1))
        return light

    def _look(self, planes: torch.Tensor, turns: tuple[int, ...]) -> dict[int, torch.Tensor]:
        """Features of the rows above, seen after each number of quarter turns, turned back upright."""
        turned = torch.cat([planes.rot90(turn, (2, 3)) for turn in turns])
        height, width = turned.shape[2:]
        # Padding comes after the turn and only below and to the right: rows below are never looked at, and columns are
        # replicated inside their own row, so no view finds a pixel's samples above it. Replicating the border of the
        # upright picture would put copies of a border pixel above it in one of the views.
        padded = F.pad(turned, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate")
        above = _shift_down(self.trunk(padded)[:, :, :height, :width])
        return {turn: part.rot90(-turn, (2, 3)) for turn, part in zip(turns, above.chunk(len(turns)), strict=True)}

    def _check(self, planes: torch.Tensor) -> None:
        shape = tuple(planes.shape)
        if planes.ndim != 4 or shape[1] != self.planes or min(shape[2:]) < _SMALLEST:
            limits = f"(n, {self.planes}, H, W) with H and W from {_SMALLEST} up"
            raise ShapeError(f"input of shape {shape} for a blind-spot network: it must be {limits}")
