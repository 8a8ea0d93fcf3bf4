"""`replay`: a recording as a source, at any speed."""

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engine import Live, Source, Wait
from engine.exceptions import ControlError
from nodes.messages import Spikes
from nodes.playback import Playback
from nodes.wishes import wished_number
from spikemm.calibration import calibration_of
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.recording import Recording

__all__ = ["Replay"]

_COMMANDS = (
    "pause, resume, step {frames: n or −n} or {steps: n}, seek {step or seconds: n}, speed {value: x}, loop {on: bool}"
)


class ReplayOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `replay`; what is null is taken from the sidecar ``NAME.yaml`` if there is one, else the default."""

    path: Annotated[str, Meta(min_length=1, description="The recording (.dat, .npy, .npz, or a session).")]
    height: Annotated[int, Meta(ge=1, le=16384, description="Rows; 250 by default.")] | None = None
    width: Annotated[int, Meta(ge=1, le=16384, description="Columns; 400 by default.")] | None = None
    rate_hz: Annotated[float, Meta(gt=0, le=1e6, description="Steps per second; 20000 by default.")] | None = None
    flip: Annotated[bool, Meta(description="Rows are stored bottom-up, as by a camera; the default.")] | None = None
    layout: Annotated[
        Literal["auto", "plain", "head", "wide", "array"], Meta(description="How the file is laid out.")
    ] = "auto"
    calibration: (
        Annotated[str, Meta(min_length=1, max_length=1000, description="The sensor's, a .npz; none: without one.")]
        | None
    ) = None
    speed: Annotated[float, Meta(ge=0, le=1e6, description="1: real time; 0: as fast as possible."), Live] = 1.0
    loop: Annotated[bool, Meta(description="Begin again at the end."), Live] = False
    start_step: Annotated[int, Meta(ge=0, description="First step to play; a loop returns to it.")] = 0


class Replay(Source):
    """Play a recording by an absolute schedule; see `nodes.playback.Playback` for what happens when consumers block it.

    Commands: ``pause``, ``resume``, ``step {frames: n}``, back where n < 0, or ``{steps: n}`` (pauses too),
    ``seek {step: n}`` or ``{seconds: s}``, ``speed {value: x}``, ``loop {on: bool}``. A frame is a hop of the encoder
    as it was when the pipeline started. Steps are counted as the sensor did, from the first one of the recording: what
    is missing in a session is a gap, told in the message behind it and not waited for.
    """

    Options = ReplayOptions
    emits = Spikes
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: ReplayOptions) -> None:
        """Open the recording and its calibration, so that what is wrong with them is said before anything starts."""
        calibration_of(cls._open(options))

    @staticmethod
    def _open(options: ReplayOptions) -> Recording:
        size = options.height, options.width
        recording = Recording(
            options.path,
            *size,
            options.rate_hz,
            options.flip,
            layout=options.layout,
            calibration=options.calibration,
        )
        span = recording.timeline.span
        if options.start_step >= span:
            raise OptionError(f"start_step {options.start_step}: {options.path} has only {span} steps; begin earlier")
        return recording

    def setup(self) -> None:
        """Open the recording; a restarted node goes on behind the last step it sent."""
        self._recording = recording = self._open(self.options)
        for note in recording.notes:
            self.context.log.warning("%s", note)
        self.context.counters["trailing_bytes"] = recording.trailing_bytes
        self._timeline = timeline = recording.timeline
        last = self.context.resume_step
        position = timeline.position_of(self.options.start_step if last is None else last + 1)
        clock, speed = self.context.clock, self.options.speed
        self._sent_to = -1
        seams = [gap.position for gap in timeline.gaps]
        self._playback = Playback(clock, recording.steps, recording.rate_hz, position, speed, seams=seams)

    def produce(self) -> Spikes | Wait | None:
        """Return the next chunk once it is due."""
        if self._playback.at_end and not self._playback.paused:
            if not self.options.loop:
                return None
            self._playback.rewind(self._timeline.position_of(self.options.start_step))
            self.context.new_epoch(flush=False)
        chunk = self._playback.advance()
        self.context.counters["slipped_ms"] = round(1000 * self._playback.slipped_s)
        return self._spikes(chunk) if isinstance(chunk, range) else Wait(chunk)

    def _spikes(self, chunk: range) -> Spikes:
        recording = self._recording
        calibration = "" if recording.calibration is None else str(recording.calibration.resolve())
        return Spikes(
            step=self._timeline.step_at(chunk.start),
            count=len(chunk),
            gap=self._gap_before(chunk),
            rate_hz=recording.rate_hz,
            packed=recording.packed(chunk.start, chunk.stop),
            height=recording.height,
            width=recording.width,
            calibration=calibration,
        )

    def _gap_before(self, chunk: range) -> int:
        """Return the steps missing before a chunk, where it follows what was sent last."""
        played_on, self._sent_to = chunk.start == self._sent_to, chunk.stop
        return self._timeline.missing_before(chunk.start) if played_on else 0

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new speed, from here on."""
        if "speed" in changed:
            self._playback.speed = self.options.speed

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command; returns the status after it, for ``step`` with the step at which it will stand."""
        match name, arguments:
            case "pause", {}:
                self._playback.pause()
            case "resume", {}:
                self._playback.resume()
            case "step", {"frames": int(frames)} if frames > 0:
                self._playback.step(frames * wished_number(self.context.wanted, "hop", 1))
            case "step", {"frames": int(frames)} if frames < 0:
                self._step_back(-frames * wished_number(self.context.wanted, "hop", 1))
            case "step", {"steps": int(steps)} if steps > 0:
                self._playback.step(steps)
            case "seek", {"step": int(step)}:
                self._seek(step)
            case "seek", {"seconds": int() | float() as seconds} if math.isfinite(seconds):
                self._seek(round(seconds * self._recording.rate_hz))
            case "speed", {"value": int() | float() as value} if 0 <= value <= 1e6:
                self.options.speed = self._playback.speed = float(value)
            case "loop", {"on": bool(on)}:
                self.options.loop = on
            case _:
                raise ControlError(
                    f"{self.context.name} takes no command {name!r} with {arguments}; it takes {_COMMANDS}"
                )
        return self._status_at(self._playback.target) if name == "step" else self.status()

    def _step_back(self, steps: int) -> None:
        """Pause and show what was seen so many steps before; what comes before that is sent again."""
        self._playback.pause()
        position = max(0, self._playback.target - steps - wished_number(self.context.wanted, "span", 0))
        self._seek(self._timeline.step_at(position))

    def _seek(self, step: int) -> None:
        if not 0 <= step < self._timeline.span:
            last, rate_hz = self._timeline.span - 1, self._recording.rate_hz
            raise ControlError(
                f"step {step} ({step / rate_hz:g} s) is outside the recording; it has steps 0 to {last} "
                f"(0 to {last / rate_hz:g} s)"
            )
        self._playback.seek(self._timeline.position_of(step), wished_number(self.context.wanted, "span", 0))
        self.context.new_epoch(flush=True)

    def status(self) -> dict[str, Any]:
        """Where the replay stands."""
        return self._status_at(self._playback.position)

    def _status_at(self, position: int) -> dict[str, Any]:
        step = self._timeline.step_at(position)
        return {
            "step": step,
            "steps": self._timeline.span,
            "seconds": step / self._recording.rate_hz,
            "speed": self.options.speed,
            "paused": self._playback.paused,
            "loop": self.options.loop,
        }
