"""`reconstruct`: maps into frames of light."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from numpy.typing import NDArray

from engine import Stage
from nodes.fixed_point import from_fixed_point
from nodes.messages import Frames, Windows
from nodes.wishes import FIXED_HOP
from spikemm.exceptions import SpikeMMError
from spikemm.front import FrontSpec

__all__ = ["Reconstruct"]

_SAMPLED = 4


class ReconstructOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `reconstruct`."""

    front: Annotated[
        Literal["interval", "rate", "isi", "mie", "bsn1", "bsn2", "paper"],
        Meta(description="How frames are made: one encoding, or several levels and networks (mie)."),
    ] = "interval"
    window: Annotated[int, Meta(ge=1, le=32_767, description="Steps of its window; of mie the short one.")] = 32
    weights: (
        Annotated[str, Meta(description="Networks of the front end: a file, of `paper` a folder; null: the bundled.")]
        | None
    ) = None
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where frames are computed.")] = "auto"

    @property
    def spec(self) -> FrontSpec:
        """The front end."""
        return FrontSpec(self.front, self.window)


class Reconstruct(Stage):
    """Turn the maps of a window into a frame; asks `encode` for them."""

    Options = ReconstructOptions
    accepts = Windows
    emits = Frames
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: ReconstructOptions) -> None:
        """Check that there is such a front end, and that its weights are there."""
        options.spec.check_weights(options.weights)

    @classmethod
    def wants(cls, options: ReconstructOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for the maps of the front end, and for a fixed hop where a consumer does."""
        return frozenset(str(spec) for spec in options.spec.maps) | (wanted & {FIXED_HOP})

    def setup(self) -> None:
        """Make the front end."""
        # Here and not above: torch is for the processes that compute.
        from spikemm import encoding, response
        from spikemm.device import pick_device
        from spikemm.reconstruction import make_front_end

        self._windows = encoding.Windows
        self._effective_length = response.effective_length
        options: ReconstructOptions = self.options
        self._spec = options.spec
        self._maps = [str(spec) for spec in options.spec.maps]
        self._front_end = make_front_end(options.spec, device=pick_device(options.device), weights=options.weights)
        self._epoch: int | None = None

    def process(self, windows: Windows, port: str) -> list[Frames]:
        """Return the frames of these windows."""
        if windows.epoch != self._epoch:
            self._front_end.reset()
            self._epoch = windows.epoch
        maps = {name: from_fixed_point(name, windows.maps[name]) for name in self._maps}
        batch = self._front_end.push([self._window(windows, i, maps) for i in range(windows.count)])
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
                front=str(self._spec),
                window_steps=float(self._effective_length(self._spec.timing, sample).mean()),
                origin=windows.origin,
                time_scale=windows.time_scale,
                apparent_hz=windows.apparent_hz,
            )
        ]

    def _window(self, windows: Windows, i: int, maps: dict[str, NDArray[Any]]) -> Any:
        gap = windows.gap if i == 0 else 0
        return self._windows(windows.steps[i], gap, {name: pictures[i] for name, pictures in maps.items()})
