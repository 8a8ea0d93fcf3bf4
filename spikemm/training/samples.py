"""Training samples: what a blind network sees of a pixel's neighbours, and what the pixel says itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.maps import MapSpec
from spikemm.training.options import BSNOptions
from spikemm.training.streams import Stream

__all__ = ["Batch", "draw_batch"]

_DARKEST = 1e-3
_SYMMETRIES = 8
_LEAST = 1e-6


@dataclass(frozen=True)
class Batch:
    """Samples of equal size.

    Attributes
    ----------
    inputs : torch.Tensor
        (n, C, H, W) float32.
    labels : torch.Tensor
        (n, L, H, W) float32, light in spikes per step.
    weights : torch.Tensor
        (n, L, H, W) float32: of every squared error, the inverse square of the sample's mean light, so that errors are
        relative; 0 where the label is not defined. For networks without biases this is the same as to scale each sample
        to a mean of 1.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor

    def loss(self, guesses: torch.Tensor) -> torch.Tensor:
        """Return the mean over samples and labels of the logarithm of the mean squared error; see (4) and (5).

        Its gradient is that of the squared error of each, divided by that error: what can be known well weighs more.
        """
        defined = (self.weights > 0.0).sum((2, 3)).clamp(min=1)
        errors = (self.weights * (guesses - self.labels) ** 2).sum((2, 3)) / defined
        return (errors + _LEAST).log().mean()

    def to(self, device: str) -> "Batch":
        """Return the same samples on a device."""
        return Batch(*(part.to(device) for part in (self.inputs, self.labels, self.weights)))


def draw_batch(rng: np.random.Generator, streams: Sequence[Stream], options: BSNOptions) -> Batch:
    """Draw samples anywhere in the streams, at any centre, each turned and mirrored as a whole.

    Raises
    ------
    OptionError
        If a stream is too short for a window.
    """
    samples = [_draw(rng, streams[int(rng.integers(len(streams)))], options) for _ in range(options.batch)]
    inputs, labels, weights = (torch.from_numpy(np.stack(parts)) for parts in zip(*samples, strict=True))
    return Batch(inputs, labels, weights)


def _draw(rng: np.random.Generator, stream: Stream, options: BSNOptions) -> tuple[NDArray[np.float32], ...]:
    views = options.views
    view = views[int(rng.integers(len(views)))]
    t = int(rng.integers(*stream.centres(view)))
    side = min(options.crop, stream.height, stream.width)
    y, x = int(rng.integers(stream.height - side + 1)), int(rng.integers(stream.width - side + 1))
    crop = (slice(None), slice(y, y + side), slice(x, x + side))
    symmetry = int(rng.integers(_SYMMETRIES))
    inputs, labels = (_turned(stream.maps(specs, t)[crop], symmetry) for specs in (view.inputs, view.labels))
    return inputs, labels, _weights(labels, view.labels)


def _turned(maps: NDArray[np.float32], symmetry: int) -> NDArray[np.float32]:
    turned = np.rot90(maps, symmetry % 4, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if symmetry >= 4 else turned)


def _weights(labels: NDArray[np.float32], specs: tuple[MapSpec, ...]) -> NDArray[np.float32]:
    defined = np.stack([(label > 0.0) | (spec.name != "isi") for label, spec in zip(labels, specs, strict=True)])
    light = max(float(labels[defined].mean()) if defined.any() else 0.0, _DARKEST)
    return defined.astype(np.float32) / np.float32(light**2)
