"""What all learned magnifiers share: the scale of light, the modes over features instead of pixels, the weights."""

from abc import ABC, abstractmethod
from math import exp
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from spikemm.exceptions import OptionError, WeightsError
from spikemm.magnification.base import FrameMagnifier
from spikemm.magnification.options import MagnifierOptions
from spikemm.response import KEPT, response_map
from spikemm.weights import bundled, load_network

__all__ = ["Encoded", "LearnedMagnifier", "MotionNetwork"]

_WHITE_SECONDS = 1.0
"""Time constant of the scale of light, in seconds of sensor time: far slower than any motion that is magnified."""

_WHITE = 0.01
"""Part of the pixels that are brighter than white."""

_LEAST_WHITE = 0.01
"""Spikes per step."""

_RANGE = 1.6
"""From no light at −1 to white: pictures that a network learns from have their mean near 0."""

_RELIT_FRAMES = 32
"""Frames after which the front end's response is computed anew from the light."""

_NOTHING = 2e-4
"""A change of so small a part of the features' mean size is none; 0.01 px makes some 100 times as much."""

_AROUND = 9
"""Cells around a change in which a network may paint."""


class Encoded(NamedTuple):
    """A frame's representation.

    Attributes
    ----------
    texture : torch.Tensor
        (n, c, h, w) what does not depend on where things are: light, colour, contrast.
    shape : torch.Tensor
        (n, c', h', w') what changes as they move; it is filtered along time.
    """

    texture: torch.Tensor
    shape: torch.Tensor


class MotionNetwork(nn.Module, ABC):
    """A network that magnifies motion between representations of two frames.

    Attributes
    ----------
    multiple : int
        Height and width of frames must be multiples of it.
    options : dict
        Arguments that build another network of the same shape.
    """

    multiple: ClassVar[int]
    options: dict[str, Any]

    @abstractmethod
    def encode(self, frame: torch.Tensor) -> Encoded:
        """Represent frames, (n, 1, H, W) float32 in about [−1, 1]."""

    @abstractmethod
    def magnify(self, encoded: Encoded, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return frames (n, 1, H, W) whose motion is magnified.

        Parameters
        ----------
        encoded : Encoded
            The frames.
        change : torch.Tensor
            Of the size of ``encoded.shape``: its difference from the reference's, or that difference filtered.
        alpha : float or torch.Tensor
            Total factor, which 1 leaves as it is; a tensor is broadcast against `change`.
        """


class LearnedMagnifier(FrameMagnifier):
    """Encode a frame, filter its shape features in time, decode them with their change magnified.

    Parameters
    ----------
    options : MagnifierOptions
        What it is built from.

    Raises
    ------
    OptionError
        If no weights are named and none come with the package.
    WeightsError
        If the file is missing, damaged or of another network.

    Notes
    -----
    Light of 0 goes into the network as −1, and the light that 99 % of the pixels stay below as 0.6; that light is a
    mean over about a second of sensor time, so the scale follows a scene and does not flicker. In band mode the
    network's factor is alpha over the front end's response at the band's centre, for each place's light. Where nothing
    changes at all the frame is left as it is, so still and saturated parts without noise are not repainted.
    """

    architecture: ClassVar[str]
    """Name of the network in files of weights, and of the weights that come with the package."""

    network_class: ClassVar[type[MotionNetwork]]

    remedy: ClassVar[str]
    """Command that makes weights where none come with the package."""

    learned = True

    def __init__(self, options: MagnifierOptions) -> None:
        super().__init__(options)
        self._network = self._load(options.weights)
        multiple = self._network.multiple
        self._padding = 0, -options.width % multiple, 0, -options.height % multiple

    def _load(self, weights: Path | None) -> MotionNetwork:
        name = self.architecture
        if weights is None:
            try:
                weights = bundled(name)
            except WeightsError:
                remedy = f"make some with `{self.remedy}` and name the file"
                raise OptionError(f"{name} needs weights and none come with the package: {remedy}") from None
        networks = {name: self.network_class}
        network = load_network(weights, networks=networks, expected=name, device=self._options.device)
        assert isinstance(network, MotionNetwork)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _restart(self, frame: torch.Tensor) -> None:
        self._frames = 0
        self._white = self._whitest(frame)

    @torch.inference_mode()
    def _magnify(self, frame: torch.Tensor, seconds: float) -> torch.Tensor:
        self._white = torch.lerp(self._whitest(frame), self._white, exp(-seconds / _WHITE_SECONDS))
        encoded = self._network.encode(self._scaled(frame))
        change = self._filter.step(encoded.shape, seconds)
        if self._frames % _RELIT_FRAMES == 0:
            self._kept = interpolate(self._response(frame), size=change.shape[2:], mode="area")
        self._frames += 1
        # Each place's factor, risen as far as the filter has settled.
        alpha = 1.0 + (self.alpha / self._kept - 1.0) * self._fade()
        shown = self._light(self._network.magnify(encoded, change, alpha))
        return torch.lerp(frame, shown, self._painted((alpha - 1.0) * change, encoded.shape)).clamp(min=0.0)

    @staticmethod
    def _whitest(frame: torch.Tensor) -> torch.Tensor:
        light = frame[::4, ::4].flatten()
        return light.kthvalue(len(light) - int(_WHITE * len(light))).values.clamp(min=_LEAST_WHITE)

    def _scaled(self, frame: torch.Tensor) -> torch.Tensor:
        scaled = frame * (_RANGE / self._white) - 1.0
        return pad(scaled[None, None], self._padding, mode="reflect").contiguous(memory_format=torch.channels_last)

    def _light(self, shown: torch.Tensor) -> torch.Tensor:
        own = shown[0, 0, : self._options.height, : self._options.width]
        return (own + 1.0) * (self._white / _RANGE)

    def _response(self, frame: torch.Tensor) -> torch.Tensor:
        """Part (1, 1, H, W) of the band's centre that the front end keeps."""
        o = self._options
        hz = self._response_hz()
        kept = response_map(o.front, frame, hz, o.rate_hz).clamp(min=KEPT) if hz else torch.ones_like(frame)
        return pad(kept[None, None], self._padding, mode="reflect")

    def _painted(self, manipulated: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        """Where (H, W) the network's picture is taken: 1 but for places where nothing near changes."""
        strength = manipulated.abs().mean(1, keepdim=True) / (_NOTHING * shape.abs().mean() + 1e-12)
        side = 2 * _AROUND + 1
        rows = max_pool2d(strength.clamp(max=1.0), (side, 1), 1, (_AROUND, 0))
        near = max_pool2d(rows, (1, side), 1, (0, _AROUND))
        soft = avg_pool2d(near, _AROUND, 1, _AROUND // 2, count_include_pad=False)
        height, width = self._options.height, self._options.width
        fine = interpolate(soft, size=(height + self._padding[3], width + self._padding[1]), mode="bilinear")
        return fine[0, 0, :height, :width]
