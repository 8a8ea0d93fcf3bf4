"""The encoder–manipulator–decoder network of Oh et al., *Learning-based Video Motion Magnification* (ECCV 2018)."""

import torch
from torch import nn
from torch.nn.functional import interpolate, pad, relu

from spikemm.exceptions import OptionError, ShapeError
from spikemm.magnification.learned.base import Encoded, MotionNetwork

__all__ = ["Oh2018"]


class _Conv(nn.Conv2d):
    """Convolution that keeps the size, the picture mirrored at its border."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2, padding_mode="reflect", bias=False)


class _Halve(nn.Conv2d):
    """3×3 convolution at every other pixel, zeros below and on the right: TensorFlow's "SAME" for even sizes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(pad(x, (0, 1, 0, 1)))


class _Block(nn.Module):
    """Residual block of two convolutions, a ReLU between them and none behind."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Conv(channels, channels, 3)
        self.second = _Conv(channels, channels, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.second(relu(self.first(x), inplace=True))
        return inner.add_(x)


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))


def _double(x: torch.Tensor) -> torch.Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")


class Encoder(nn.Module):
    """(n, 3, H, W) to texture (n, w, H/4, W/4) and shape (n, w, H/2, W/2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _Conv(3, width // 2, 7)
        self.conv2 = _Halve(width // 2, width)
        self.blocks = _blocks(width, 3)
        self.texture_conv = _Halve(width, width)
        self.texture_blocks = _blocks(width, 2)
        self.shape_blocks = _blocks(width, 2)

    def forward(self, frames: torch.Tensor) -> Encoded:
        """Represent frames."""
        features = self.blocks(relu(self.conv2(relu(self.conv1(frames), inplace=True)), inplace=True))
        texture = self.texture_blocks(relu(self.texture_conv(features), inplace=True))
        return Encoded(texture, self.shape_blocks(features))


class Manipulator(nn.Module):
    """Multiply the change of shape, through a non-linearity that takes what is small for noise."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _Conv(width, width, 7)
        self.after = _Conv(width, width, 3)
        self.block = _Block(width)

    def forward(self, shape: torch.Tensor, change: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """Return the shape with its change, of the same size, magnified."""
        grown = relu(self.conv(change), inplace=True) * (alpha - 1.0)
        return shape + self.block(self.after(grown))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Texture and shape to (n, 3, H, W)."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.texture_conv = _Conv(width, width, 3)
        self.blocks = _blocks(2 * width, blocks)
        self.conv = _Conv(2 * width, width, 3)
        self.last = _Conv(width, 3, 7)

    def forward(self, texture: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        """Paint frames."""
        doubled = relu(self.texture_conv(_double(texture)), inplace=True)
        features = self.blocks(torch.cat((doubled, shape), 1))
        frames: torch.Tensor = self.last(relu(self.conv(_double(features)), inplace=True))
        return frames


class Oh2018(MotionNetwork):
    """Separate texture from shape, magnify the difference of shapes, paint a frame from both; no biases.

    Parameters
    ----------
    width : int
        Channels of the representations; 32 as published, 918,928 parameters. Even, at least 2.
    blocks : int
        Residual blocks of the decoder; 9 as published.

    Raises
    ------
    OptionError
        If an argument is out of its range.
    """

    multiple = 4

    def __init__(self, width: int = 32, blocks: int = 9) -> None:
        super().__init__()
        if width < 2 or width % 2 or blocks < 0:
            raise OptionError(f"width {width} and {blocks} blocks: take an even width from 2 up, and 0 blocks or more")
        self.options = {"width": width, "blocks": blocks}
        self.encoder = Encoder(width)
        self.manipulator = Manipulator(width)
        self.decoder = Decoder(width, blocks)

    def encode(self, frame: torch.Tensor) -> Encoded:
        """Represent frames: (n, 1, H, W), or (n, 3, H, W) of colours, in about [−1, 1]; H and W multiples of 4.

        Raises
        ------
        ShapeError
            If they are of another shape.
        """
        n, channels, height, width = frame.shape
        if channels not in (1, 3) or height % 4 or width % 4:
            raise ShapeError(f"frames of shape {tuple(frame.shape)}: (n, 1, H, W) with multiples of 4 are needed")
        encoded: Encoded = self.encoder(frame.expand(n, 3, height, width))
        return encoded

    def manipulate(self, shape: torch.Tensor, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return shape features whose `change` from the reference's is `alpha` times as large.

        Below 1, which the manipulator has not learnt and answers with nothing, the change is taken off as it is.
        """
        factor = torch.as_tensor(alpha, dtype=shape.dtype, device=shape.device)
        moved: torch.Tensor = self.manipulator(shape, change, factor.clamp(min=1.0))
        return moved + (factor.clamp(max=1.0) - 1.0) * change

    def decode(self, texture: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        """Return frames (n, 3, H, W), not clipped."""
        frames: torch.Tensor = self.decoder(texture, shape)
        return frames

    def magnify(self, encoded: Encoded, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return grey frames (n, 1, H, W), the mean of the colours; see `MotionNetwork.magnify`."""
        return self.decode(encoded.texture, self.manipulate(encoded.shape, change, alpha)).mean(1, keepdim=True)
