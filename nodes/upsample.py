"""`upsample`: frames with more pixels."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from engine import Live, Stage
from nodes.messages import Frames
from nodes.tensors import to_batch
from spikemm.exceptions import SpikeMMError

if TYPE_CHECKING:
    from spikemm.upsampling import Upsampler

__all__ = ["Upsample"]


class UpsampleOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `upsample`."""

    method: Annotated[
        Literal["histospline", "linear", "bicubic", "lanczos", "wire"],
        Meta(
            description="How pixels are filled in. wire (the paper's) is an offline method: on one thread 3 h for the "
            "first 250×400 frame and 85 s for each later one, and a node busy with one message for 30 s counts as hung."
        ),
    ] = "histospline"
    scale: Annotated[float, Meta(ge=1, le=8, description="Factor on height and width."), Live] = 2.0
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where it is computed.")] = "auto"


class Upsample(Stage):
    """Enlarge frames, and their unmagnified twins where a consumer wants them."""

    Options = UpsampleOptions
    accepts = Frames
    emits = Frames
    user_errors = (SpikeMMError,)

    @classmethod
    def wants(cls, options: UpsampleOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for the twins that this node's consumers want."""
        return wanted & {"raw"}

    def setup(self) -> None:
        """Find the device; the first message tells the size."""
        # Here and not above: torch is for the processes that compute. And not at the first message: it would be late.
        from spikemm.device import pick_device
        from spikemm.upsampling import make_upsampler

        self._make_upsampler = make_upsampler
        self._device = pick_device(self.options.device)
        self._size: tuple[int, ...] = ()
        self._scale = 0.0
        self._epoch: int | None = None

    def process(self, frames: Frames, port: str) -> list[Frames]:
        """Return the frames enlarged."""
        large = self._upsampler_for(frames).push(to_batch(frames, self._device))
        return [replace(frames, pixels=large.pixels, raw=large.raw, scale=frames.scale * self.options.scale)]

    def _upsampler_for(self, frames: Frames) -> "Upsampler":
        size = tuple(frames.pixels.shape[1:])
        if size != self._size:
            self._size = size
            self._upsampler = self._make(*size)
        elif frames.epoch != self._epoch:
            self._upsampler.reset()
        self._epoch = frames.epoch
        return self._upsampler

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over the scale: the next frames have another size.

        Raises
        ------
        OptionError
            If the method does not take it; the engine then puts the old options back.
        """
        if self._size and self.options.scale != self._scale:
            self._upsampler = self._make(*self._size)

    def _make(self, height: int, width: int) -> "Upsampler":
        options = self.options
        upsampler = self._make_upsampler(
            options.method, scale=options.scale, height=height, width=width, device=self._device
        )
        self._scale = options.scale
        return upsampler
