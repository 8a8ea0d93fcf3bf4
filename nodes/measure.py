"""`measure`: how far and how fast regions of the picture vibrate, and a map of the whole."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from engine import Stage
from nodes.measuring.options import MeasureOptions
from nodes.measuring.readings import Ground, map_reading, region_reading
from nodes.measuring.steering import Steering
from nodes.measuring.stream import FrameStream
from nodes.messages import Frames, Reading
from nodes.tensors import to_batch
from nodes.wishes import FIXED_HOP, SCALE
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.front import FrontSpec

__all__ = ["Measure"]

_FEWEST_FRAMES = 64
"""In a record: what a slow stream, or one that overload has slowed, needs more time for."""

_IDLE_SHARE = 2.0
"""Seconds of a live stream that are left alone for every second of analysis."""


class Measure(Stage):
    """Measure frames before magnification: a reading of every region, and of the map, at every update.

    A gap, a new epoch and a change of hop or size start the records anew, since only even samples have a spectrum. On
    a live stream one region is analysed per message, and at most a third of the time is spent on it: updates that the
    machine does not carry are left out and counted (`updates_skipped`). A band beyond what the frames show at the
    moment, for instance since overload has raised the hop, leaves regions unmeasured, with a warning.
    """

    Options = MeasureOptions
    accepts = Frames
    emits = Reading
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: MeasureOptions) -> None:
        """Check what one option says of another."""
        options.check()

    @classmethod
    def wants(cls, options: MeasureOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for a fixed hop where it steers: at a raised one a frequency could fold, and lead the strobe astray.

        Raises
        ------
        OptionError
            If an alarm has rules in µm or mm/s, and there is no scale.
        """
        if SCALE in wanted and options.scale is None:
            raise OptionError(
                "an alarm's rule in um or mm/s needs a scale, which measure has not: give measure.scale, such as "
                "{um_per_px: 50}, or the rule in px"
            )
        return frozenset({FIXED_HOP}) if options.steers is not None else frozenset()

    def setup(self) -> None:
        """Find the device; the first message tells the rest."""
        # Here and not above: torch is for the processes that compute. And not at the first message: it would be late.
        from spikemm.device import pick_device
        from spikemm.vibration.block_map import BlockMapper
        from spikemm.vibration.region_record import RegionRecord
        from spikemm.vibration.severity import Machine

        import_module("spikemm.vibration.spectrum")  # of the readings: the first one must not wait half a second for it
        options: MeasureOptions = self.options
        self._new_mapper, self._new_record = BlockMapper, RegionRecord
        self._device = pick_device(options.device)
        self._scale = options.scale.made() if options.scale else None
        iso = options.iso
        self._machine = Machine(iso.group, iso.support, iso.rpm) if iso else None
        self._steering = Steering(self.context.control, options.steers) if options.steers else None
        self._stream: FrameStream | None = None
        self._epoch: int | None = None
        self._records: dict[str, RegionRecord] = {}
        self._mapper: BlockMapper | None = None
        self._strongest: dict[str, tuple[float, float]] = {}
        self._pending: list[str | None] = []
        self._step = self._updated_step = 0
        self._rest_until_s = float("-inf")
        self._warned = ""
        self._told: set[str] = set()

    def process(self, frames: Frames, port: str) -> list[Reading]:
        """Take the frames; return what is due."""
        self._follow(frames)
        batch = to_batch(frames, self._device)
        for record in self._records.values():
            record.push(batch)
        if self._mapper is not None:
            self._mapper.push(batch)
        self._step = frames.next_step - frames.hop
        self._plan()
        return list(self._due())

    def _follow(self, frames: Frames) -> None:
        """Make records for this stream where those there are, if any, are for another."""
        _require_plain(frames)
        stream = FrameStream.of(frames)
        if stream != self._stream:
            if self._stream is None or stream[3:] != self._stream[3:]:
                self._check_fits(stream)
            self._stream, self._records, self._mapper = stream, {}, None
            self._build(stream)
        elif frames.epoch != self._epoch:
            for record in self._records.values():
                record.reset()
            if self._mapper is not None:
                self._mapper.reset()
        if frames.epoch != self._epoch:
            self._epoch, self._updated_step = frames.epoch, frames.step

    def _check_fits(self, stream: FrameStream) -> None:
        """Refuse regions and a band that these frames cannot show."""
        from spikemm.vibration.template import check_roi

        for name, region in self.options.regions.items():
            try:
                check_roi(stream.placed(region.roi), stream.height, stream.width)
            except OptionError as error:
                raise OptionError(f"{name}: {error}") from None
        nyquist, band_hz = 0.5 * stream.rate_hz / stream.hop, self.options.band_hz
        if band_hz is not None and band_hz[0] >= nyquist:
            raise OptionError(
                f"band_hz begins at {band_hz[0]:g} Hz, and {2 * nyquist:g} frames a second show up to {nyquist:g} Hz: "
                "take a lower band, or a smaller hop in encode"
            )

    def _build(self, stream: FrameStream) -> None:
        """Make what the options ask for and is not there."""
        options: MeasureOptions = self.options
        front = FrontSpec.parse(stream.front)
        front.require_timing()
        fps = stream.rate_hz / stream.hop
        common: dict[str, Any] = {"rate_hz": stream.rate_hz, "front": front.timing}
        before, self._records = self._records, {}
        for name, region in options.regions.items():
            record, roi = before.get(name), stream.placed(region.roi)
            if record is None or record.roi != roi:
                length = max(_FEWEST_FRAMES, round(options.seconds * fps))
                record = self._new_record(roi, length=length, hop=stream.hop, device=self._device, **common)
            self._records[name] = record
        if options.map is not None and self._mapper is None:
            seconds = max(options.map.seconds, _FEWEST_FRAMES / fps)
            common |= {"height": stream.height, "width": stream.width, "block_px": options.map.block_px}
            self._mapper = self._new_mapper(fps=fps, seconds=seconds, **common)

    def _plan(self) -> None:
        """Note what is to be read, once an update is due."""
        assert self._stream is not None, "set by the first frames"
        if self._step - self._updated_step < self.options.every_s * self._stream.rate_hz:
            return
        ready: list[str | None] = [name for name, record in self._records.items() if record.full]
        ready += [None] if self._mapper is not None and self._mapper.ready else []
        if not ready:
            return
        self._updated_step = self._step
        if self._pending:
            self.context.count("updates_skipped")
        else:
            self._pending = ready

    def _due(self) -> Iterator[Reading]:
        """Read what is noted: of a live stream one thing at a time, and only after a rest."""
        clock = self.context.clock
        while self._pending and clock.now() >= self._rest_until_s:
            start = clock.now()
            name = self._pending.pop(0)
            yield from self._map() if name is None else self._region(name)
            self._steer()
            if self.context.live:
                self._rest_until_s = clock.now() + _IDLE_SHARE * (clock.now() - start)
                return

    @property
    def _ground(self) -> Ground:
        assert self._stream is not None, "set by the first frames"
        stream, options = self._stream, self.options
        every = max(1, round(options.every_s * stream.rate_hz))
        return Ground(stream.rate_hz, stream.hop, every, stream.origin, self._scale, self._machine, options.band_hz)

    def _region(self, name: str, *, partial: bool = False) -> Iterator[Reading]:
        record, options = self._records.get(name), self.options
        if record is None or not (record.full or partial):
            return  # taken away, or begun anew, since it was noted
        other = self._records.get(options.reference) if name != options.reference else None
        reference = None if other is None else (options.reference, other)
        housing = options.regions[name].housing
        try:
            reading, peak = region_reading(name, record, self._ground, housing=housing, reference=reference)
        except OptionError as error:
            self._warn(f"{name} is not measured: {error}")
            return
        self._strongest[name] = (0.0, 0.0) if peak is None else (peak.px, peak.hz)
        self._told.add(name)
        yield reading

    def _map(self) -> Iterator[Reading]:
        mapper = self._mapper
        if mapper is None or not mapper.ready:
            return
        peaks = mapper.read(self.options.band_hz)
        if not self._records:
            self._strongest[""] = peaks.strongest
        yield map_reading(
            peaks,
            self._step,
            self._ground,
            block_px=mapper.block_px,
            seconds=mapper.seconds,
            highest_hz=mapper.highest_hz,
        )

    def _steer(self) -> None:
        px, hz = max(self._strongest.values(), default=(0.0, 0.0))
        if self._steering is not None and px > 0.0:
            self._steering.offer(hz)

    def _warn(self, text: str) -> None:
        """Say a thing once, not at every update."""
        if text != self._warned:
            self._warned = text
            self.context.log.warning(text)

    def flush(self) -> list[Reading]:
        """Return readings of regions whose record never got full, as far as there is one."""
        untold = [name for name, record in self._records.items() if name not in self._told]
        enough = [name for name in untold if self._records[name].count >= _FEWEST_FRAMES]
        return [reading for name in enough for reading in self._region(name, partial=True)]

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over regions, map and band; what is as before goes on.

        Raises
        ------
        OptionError
            If a region or the band does not fit the frames; the engine then puts the old options back.
        """
        self.options.check()
        self._strongest = {}
        if self._stream is None:
            return
        self._check_fits(self._stream)
        if "map" in changed:
            self._mapper = None
        self._build(self._stream)

    def status(self) -> dict[str, Any]:
        """Return how much of each record is there, and the highest frequency that the frames show."""
        records = {name: round(record.count / record.length, 3) for name, record in self._records.items()}
        return {"records": records} | ({} if self._mapper is None else {"highest_hz": self._mapper.highest_hz})

    def close(self) -> None:
        """End the steering."""
        if self._steering is not None:
            self._steering.close()


def _require_plain(frames: Frames) -> None:
    """Refuse frames that are no even samples of the scene itself."""
    if frames.apparent_hz > 0.0:
        raise OptionError(
            f"frames of a strobe (at {frames.apparent_hz:g} Hz) show no true frequencies: measure frames of an "
            "encode without a strobe, beside the one that has it"
        )
    if "alpha" in frames.notes:
        raise OptionError("frames are magnified: measure before magnify, as inputs take reconstruct")
    if frames.scale != 1.0:
        raise OptionError(
            f"frames are upsampled ×{frames.scale:g}: measure before upsample, as inputs take reconstruct"
        )
