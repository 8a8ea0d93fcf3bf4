"""`upsample`: frames with more pixels."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from engine import Stage
from nodes.messages import Frames
from nodes.tensors import to_batch
from spikemm.exceptions import SpikeMMError

if TYPE_CHECKING:
    from spikemm.upsampling import Upsampler

__all__ = ["Upsample"]


class UpsampleOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `upsample`."""

    method: Annotated[Literal["histospline"], Meta(description="How pixels are filled in.")] = "histospline"
    scale: Annotated[float, Meta(ge=1, le=8, description="Factor on height and width.")] = 2.0
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

    def process(self, frames: Frames, port: str) -> list[Frames]:
        """Return the frames enlarged."""
        if tuple(frames.pixels.shape[1:]) != self._size:
            self._size = tuple(frames.pixels.shape[1:])
            self._upsampler = self._make(*self._size)
        large = self._upsampler.push(to_batch(frames, self._device))
        return [replace(frames, pixels=large.pixels, raw=large.raw, scale=frames.scale * self.options.scale)]

    def _make(self, height: int, width: int) -> "Upsampler":
        options = self.options
        return self._make_upsampler(
            options.method, scale=options.scale, height=height, width=width, device=self._device
        )
