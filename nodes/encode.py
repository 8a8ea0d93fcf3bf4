"""`encode`: spikes into the maps that the consumers ask for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from engine import Live, Stage
from nodes.fixed_point import to_fixed_point
from nodes.messages import Spikes, Windows
from nodes.overload import HopRegulator
from spikemm.calibration import Calibration
from spikemm.exceptions import SpikeMMError
from spikemm.maps import MAP_NAMES, MapSpec

if TYPE_CHECKING:
    from spikemm import encoding

__all__ = ["Encode"]

_UNASKED = "interval:32"
_TELL_EVERY_S = 10.0


class EncodeOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `encode`."""

    hop: Annotated[int, Meta(ge=1, le=100_000, description="Steps from frame to frame."), Live] = 20
    max_hop: (
        Annotated[int, Meta(ge=1, le=800_000, description="Largest hop that overload may lead to; null: 8 × hop.")]
        | None
    ) = None

    def regulator(self) -> HopRegulator:
        """Make a regulator of the hop."""
        return HopRegulator(self.hop, 8 * self.hop if self.max_hop is None else self.max_hop)


class Encode(Stage):
    """Encode windows at every `hop`-th step; consumers name the maps, ``interval:32`` where they name none.

    Where the spikes name a calibration of their sensor, its fixed pattern is taken out of every map.

    On a live stream whose consumers fall behind, the hop doubles evenly up to `max_hop` (counter `hop_raised`) and
    comes back when they keep up. The hop of a message is the distance between its frames, and from the one before.
    """

    Options = EncodeOptions
    accepts = Spikes
    emits = Windows
    user_errors = (SpikeMMError,)

    @classmethod
    def wants(cls, options: EncodeOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Tell a source how many steps a frame is, and how many one picture out of nothing takes."""
        maps = _maps(wanted) or [MapSpec.parse(_UNASKED)]
        span = max(spec.window // 2 for spec in maps) + max(spec.after for spec in maps)
        return frozenset({f"hop:{options.hop}", f"span:{span + options.hop}"})

    def setup(self) -> None:
        """Make ready for the first message, which tells the size."""
        # Here and not above: the encoder compiles kernels, which the parent and other nodes do without.
        from spikemm import encoding

        encoding.warm_up()  # in its own time, not in that of the first message
        self._encoding = encoding
        self._maps = _maps(self.context.wanted) or [MapSpec.parse(_UNASKED)]
        self._encoder: encoding.Encoder | None = None
        self._source: tuple[int, int, str] = (0, 0, "")
        self._epoch: int | None = None
        self._last_step: int | None = None
        self._regulator: HopRegulator = self.options.regulator()
        self._told_hop, self._tell_from_s = self.options.hop, float("-inf")

    def process(self, spikes: Spikes, port: str) -> Iterator[Windows]:
        """Return the windows that these steps complete."""
        encoder = self._encoder_for(spikes)
        if self.context.live:
            encoder.hop = self._regulator.update(self.context.output_pressure(), spikes.step / spikes.rate_hz)
            self.context.counters["hop_raised"] = self._regulator.raised
            self._tell_overload(encoder.hop)
        return self._messages(encoder.push(spikes.packed, spikes.step))

    def _tell_overload(self, hop: int) -> None:
        """Say that frames are fewer than asked for: at most once in 10 s, and when that is over."""
        usual, now = self.options.hop, self.context.clock.now()
        if hop > self._told_hop and now >= self._tell_from_s:
            text = "those behind cannot keep up: a frame every %d steps instead of %d; a larger hop would be even"
            self.context.log.warning(text, hop, usual)
            self._told_hop, self._tell_from_s = hop, now + _TELL_EVERY_S
        elif hop <= usual < self._told_hop:
            self.context.log.info("those behind keep up again: a frame every %d steps", usual)
            self._told_hop = hop

    def flush(self) -> Iterator[Windows]:
        """Return the last windows, whose reach is cut short."""
        if self._encoder is None:
            return
        yield from self._messages(self._encoder.flush())
        if self._last_step is None:
            longest = max(spec.window for spec in self._maps)
            self.context.log.warning("the stream ended before it held a whole window of %d steps: no frame", longest)

    def _encoder_for(self, spikes: Spikes) -> "encoding.Encoder":
        source = spikes.height, spikes.width, spikes.calibration
        if self._encoder is None or self._source != source:
            size, path = source[:2], source[2]
            calibration = Calibration.load(path, *size) if path else None
            self._encoder = self._encoding.Encoder(*size, self._maps, self._regulator.hop, calibration=calibration)
            self._source = source
        elif spikes.epoch != self._epoch:
            self._encoder.reset()
        if spikes.epoch != self._epoch:
            self._epoch, self._last_step = spikes.epoch, None
        return self._encoder

    def _messages(self, windows: "list[encoding.Windows]") -> Iterator[Windows]:
        """Group evenly spaced windows into messages."""
        run: list[encoding.Windows] = []
        run_hop = 0
        for window in windows:
            hop = self._distance(window)
            if run and (window.gap or hop != run_hop):
                yield self._message(run, run_hop)
                run = []
            run.append(window)
            run_hop, self._last_step = hop, window.step
        if run:
            yield self._message(run, run_hop)

    def _distance(self, window: "encoding.Windows") -> int:
        if self._last_step is None or window.gap:
            return self._regulator.hop
        return window.step - self._last_step

    @staticmethod
    def _message(run: "list[encoding.Windows]", hop: int) -> Windows:
        maps = {name: to_fixed_point(name, [window.maps[name] for window in run]) for name in run[0].maps}
        return Windows(step=run[0].step, count=len(run), hop=hop, gap=run[0].gap, maps=maps)

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new hop."""
        self._regulator = self.options.regulator()
        self._told_hop = self.options.hop
        if self._encoder is not None:
            self._encoder.hop = self.options.hop

    def status(self) -> dict[str, int]:
        """Return the hop in use, which overload may have raised."""
        return {"hop": self._regulator.hop}


def _maps(wanted: frozenset[str]) -> list[MapSpec]:
    """Return the maps among what is wanted, in a fixed order."""
    return [MapSpec.parse(wish) for wish in sorted(wanted) if wish.partition(":")[0] in MAP_NAMES]
