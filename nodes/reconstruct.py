"""`reconstruct`: maps into frames of light."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine import Stage
from nodes.fixed_point import from_fixed_point
from nodes.messages import Frames, Windows
from spikemm.exceptions import SpikeMMError

__all__ = ["Reconstruct"]

_SAMPLED = 4


class ReconstructOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `reconstruct`."""

    front: Annotated[Literal["interval", "rate", "isi"], Meta(description="The encoding that frames are made of.")] = (
        "interval"
    )
    window: Annotated[int, Meta(ge=1, le=32_767, description="Steps of its window.")] = 32
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where frames are computed.")] = "auto"


class Reconstruct(Stage):
    """Turn one map into frames; asks `encode` for that map."""

    Options = ReconstructOptions
    accepts = Windows
    emits = Frames
    user_errors = (SpikeMMError,)

    @classmethod
    def wants(cls, options: ReconstructOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for the map of the front end."""
        return frozenset({f"{options.front}:{options.window}"})

    def setup(self) -> None:
        """Make the front end."""
        # Here and not above: torch is for the processes that compute.
        from spikemm import encoding, response
        from spikemm.device import pick_device
        from spikemm.reconstruction import FrontEnd

        self._windows = encoding.Windows
        self._effective_length = response.effective_length
        self._spec = encoding.MapSpec(self.options.front, self.options.window)
        self._front_end = FrontEnd(self._spec, device=pick_device(self.options.device))
        self._epoch: int | None = None

    def process(self, windows: Windows, port: str) -> list[Frames]:
        """Return the frames of these windows."""
        if windows.epoch != self._epoch:
            self._front_end.reset()
            self._epoch = windows.epoch
        name = str(self._spec)
        maps = from_fixed_point(name, windows.maps[name])
        gaps = [windows.gap] + [0] * (windows.count - 1)
        pictures = zip(windows.steps, gaps, maps, strict=True)
        batch = self._front_end.push([self._windows(step, gap, {name: picture}) for step, gap, picture in pictures])
        if batch is None:
            return []
        sample = batch.pixels[0, ::_SAMPLED, ::_SAMPLED]
        return [
            Frames(
                step=int(batch.steps[0]),
                count=len(batch.steps),
                hop=windows.hop,
                gap=batch.gap,
                pixels=batch.pixels,
                front=name,
                window_steps=float(self._effective_length(self._spec, sample).mean()),
            )
        ]
