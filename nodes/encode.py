"""`encode`: spikes into the maps that the consumers ask for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from engine import Live, Stage
from nodes.emit import EmitOptions, Hz, StrobeAim
from nodes.fixed_point import to_fixed_point
from nodes.messages import Spikes, Windows
from nodes.overload import HopRegulator
from nodes.wishes import FIXED_HOP
from spikemm.calibration import Calibration
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.maps import MAP_NAMES, MapSpec
from spikemm.packing import Region, check_region, crop
from spikemm.strobe import Flashes, longest_hop

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
    region: (
        Annotated[
            Region,
            Meta(description="Only this part of the picture: x, y, width, height in px; quickest in multiples of 8."),
        ]
        | None
    ) = None
    emit: Annotated[EmitOptions | None, Meta(description="Null: at every hop-th step; hop is the least distance.")] = (
        None
    )
    strobe_hz: Annotated[
        Hz | None, Meta(description="Vibration that a strobe of frequency auto shows; null: not known."), Live
    ] = None

    def regulator(self, rate_hz: float, *, fixed: bool) -> HopRegulator:
        """Make a regulator of the hop, or one that leaves it; `rate_hz` is 0 as long as it is not known."""
        limit = 8 * self.hop if self.max_hop is None else self.max_hop
        if fixed:
            limit = self.hop
        if self.emit is not None and rate_hz:
            limit = min(limit, longest_hop(rate_hz, self.emit.strobe.apparent_hz))
        return HopRegulator(self.hop, limit)


class Encode(Stage):
    """Encode windows at every `hop`-th step; consumers name the maps, ``interval:32`` where they name none.

    With a strobe they are taken at its flashes, at least `hop` steps apart and one a message, so that a vibration is
    seen at ``apparent_hz``. Its frequency may come while it runs, as `strobe_hz`, which `measure` can set: a new one
    goes on from the phase that was shown last. Until there is one, windows come as without a strobe.

    Where the spikes name a calibration of their sensor, its fixed pattern is taken out of every map.

    On a live stream whose consumers fall behind, the hop doubles evenly up to `max_hop` (counter `hop_raised`) and
    comes back when they keep up; it stays where a consumer wants a ``fixed hop``, whose queues then drop what is too
    much. The hop of a message is the distance between its frames, and from the one before.
    """

    Options = EncodeOptions
    accepts = Spikes
    emits = Windows
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: EncodeOptions) -> None:
        """Check that a strobe can show its vibration, and that there is one where `strobe_hz` is given."""
        if options.emit is not None:
            options.emit.aimed(options.strobe_hz)
        elif options.strobe_hz is not None:
            raise OptionError(f"strobe_hz {options.strobe_hz:g} without a strobe: give emit: {{strobe: {{}}}}, or null")

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
        self._rate_hz = 0.0
        self._aim = StrobeAim(self.options.emit, self.context.log) if self.options.emit is not None else None
        self._regulator = self._make_regulator()
        self._told_hop, self._tell_from_s = self.options.hop, float("-inf")

    def process(self, spikes: Spikes, port: str) -> Iterator[Windows]:
        """Return the windows that these steps complete."""
        encoder = self._encoder_for(spikes)
        if self.context.live:
            encoder.hop = self._regulator.update(self.context.output_pressure(), spikes.step / spikes.rate_hz)
            self.context.counters["hop_raised"] = self._regulator.raised
            self._tell_overload(encoder.hop)
        return self._messages(encoder.push(self._seen(spikes), spikes.step))

    def _seen(self, spikes: Spikes) -> NDArray[np.uint8]:
        region: Region | None = self.options.region
        return spikes.packed if region is None else crop(spikes.packed, spikes.height, spikes.width, region)

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
            self._encoder = self._make_encoder(*source)
            self._source = source
        elif spikes.epoch != self._epoch:
            self._encoder.reset()
        if spikes.epoch != self._epoch:
            self._epoch, self._last_step = spikes.epoch, None
        if spikes.rate_hz != self._rate_hz:
            self._rate_hz = spikes.rate_hz
            self._regulator = self._make_regulator()
            self._turn()
        self._encoder.flashes = self._flashes
        return self._encoder

    def _make_regulator(self) -> HopRegulator:
        options: EncodeOptions = self.options
        return options.regulator(self._rate_hz, fixed=FIXED_HOP in self.context.wanted)

    def _make_encoder(self, height: int, width: int, path: str) -> "encoding.Encoder":
        calibration = Calibration.load(path, height, width) if path else None
        region: Region | None = self.options.region
        if region is not None:
            check_region(region, height, width)
            calibration = calibration and calibration.cropped(region)
            width, height = region[2:]
        return self._encoding.Encoder(height, width, self._maps, self._regulator.hop, calibration=calibration)

    def _turn(self) -> None:
        """Turn the strobe to the vibration that is asked for."""
        if self._aim is not None:
            self._aim.aim(self.options.strobe_hz, self._rate_hz, self.options.hop, self._last_step or 0)

    def _messages(self, windows: "list[encoding.Windows]") -> Iterator[Windows]:
        """Group evenly spaced windows into messages; those of a strobe are not, by a step."""
        run: list[encoding.Windows] = []
        run_hop = 0
        for window in windows:
            hop = self._distance(window)
            if run and (window.gap or hop != run_hop or self._flashes is not None):
                yield self._message(run, run_hop)
                run = []
            run.append(window)
            run_hop, self._last_step = hop, window.step
        if run:
            yield self._message(run, run_hop)

    @property
    def _flashes(self) -> Flashes | None:
        return self._aim.flashes if self._aim is not None else None

    def _distance(self, window: "encoding.Windows") -> int:
        if self._flashes is not None and self._encoder is not None:
            return self._flashes.distance(self._encoder.hop)
        if self._last_step is None or window.gap:
            return self._regulator.hop
        return window.step - self._last_step

    def _message(self, run: "list[encoding.Windows]", hop: int) -> Windows:
        maps = {name: to_fixed_point(name, [window.maps[name] for window in run]) for name in run[0].maps}
        message = Windows(step=run[0].step, count=len(run), hop=hop, gap=run[0].gap, maps=maps)
        if self.options.region is not None:
            message.origin = self.options.region[:2]
        if self._aim is not None:
            message.time_scale, message.apparent_hz = self._aim.time_scale, self._aim.apparent_hz
        return message

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new hop or a new frequency of the strobe.

        Raises
        ------
        OptionError
            If the strobe cannot show that; the engine then puts the old options back.
        """
        self.check(self.options)
        if self._encoder is not None:
            self._turn()
        if "hop" in changed:
            self._regulator = self._make_regulator()
            self._told_hop = self.options.hop
            if self._encoder is not None:
                self._encoder.hop = self.options.hop

    def status(self) -> dict[str, Any]:
        """Return the hop in use, which overload may have raised, and what a strobe is locked to."""
        return {"hop": self._regulator.hop} | (self._aim.status() if self._aim is not None else {})


def _maps(wanted: frozenset[str]) -> list[MapSpec]:
    """Return the maps among what is wanted, in a fixed order."""
    return [MapSpec.parse(wish) for wish in sorted(wanted) if wish.partition(":")[0] in MAP_NAMES]
