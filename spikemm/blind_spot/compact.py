"""A blind-spot network that a CPU can stream."""

import torch
import torch.nn.functional as nnf
from torch import nn

__all__ = ["CompactBSN"]

_SPREAD = 3
"""Distance of the taps of the later convolutions: one more than the first one reaches, so that no sum of theirs and of
one of its own (any but the middle) is zero. That is what keeps the network blind, however many there are."""


class _Donut(nn.Conv2d):
    """A 5×5 convolution that does not look at its middle."""

    mask: torch.Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, padding=2, bias=False)
        mask = torch.ones(5, 5)
        mask[2, 2] = 0.0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        around: torch.Tensor = self._conv_forward(maps, self.weight * self.mask, None)
        return around


class _Mix(nn.Conv2d):
    """A 1×1 convolution, as the matrix product that it is: with channels last several times faster on a CPU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nnf.linear(features.permute(0, 2, 3, 1), self.weight[:, :, 0, 0]).permute(0, 3, 1, 2)


class _Around(nn.Conv2d):
    """A residual 3×3 convolution with its taps three pixels apart."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=_SPREAD, dilation=_SPREAD, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu_(super().forward(features)) + features


class _Level(nn.Sequential):
    """Guess one level of light from some of the maps."""

    def __init__(self, maps: int, channels: int, blocks: int) -> None:
        super().__init__(
            _Donut(maps, channels),
            nn.ReLU(inplace=True),
            *(_Around(channels) for _ in range(blocks)),
            _Mix(channels, channels),
            nn.ReLU(inplace=True),
            _Mix(channels, 1),
        )


class CompactBSN(nn.Module):
    """Guess a pixel's light from its neighbours in six ``interval`` maps, at the short and at the long window.

    The short level (BSN1) sees the windows w/4, w/2 and w only, so that its guess moves as fast as they do; the long
    one (BSN2) sees w to 8w. Each is a 5×5 convolution without its middle, then residual 3×3 convolutions with taps
    three pixels apart: the receptive field is ``5 + 6·blocks`` pixels wide and never holds the pixel itself. There are
    no biases, so twice the light gives twice the output, whatever the light was in training.

    Parameters
    ----------
    short_channels, short_blocks : int
        Width and residual convolutions of the short level.
    channels, blocks : int
        Those of the long level.

    Notes
    -----
    Blind spots by masked and dilated convolutions follow Wu et al., "Unpaired learning of deep image denoising" (2020).
    """

    maps, short_maps, long_maps = 6, 3, 4
    """How many there are, and how many of them each level sees: the first ones, and the last."""

    def __init__(self, short_channels: int = 8, short_blocks: int = 2, channels: int = 16, blocks: int = 2) -> None:
        super().__init__()
        self.options = {
            "short_channels": short_channels,
            "short_blocks": short_blocks,
            "channels": channels,
            "blocks": blocks,
        }
        self.short = _Level(self.short_maps, short_channels, short_blocks)
        self.long = _Level(self.long_maps, channels, blocks)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Guess the light.

        Parameters
        ----------
        maps : torch.Tensor
            (n, 6, H, W) float32: ``interval`` maps of windows w/4, w/2, w, 2w, 4w and 8w, spikes per step.

        Returns
        -------
        torch.Tensor
            (n, 2, H, W): the light in the windows w and 8w.
        """
        return torch.cat((self.short(maps[:, : self.short_maps]), self.long(maps[:, -self.long_maps :])), dim=1)
