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

_COMMANDS = "pause, resume, step {frames or steps: n}, seek {step or seconds: n}, speed {value: x}, loop {on: bool}"


class ReplayOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `replay`; what is null is taken from the sidecar ``NAME.yaml`` if there is one, else the default."""

    path: Annotated[str, Meta(min_length=1, description="The recording (.dat, .npy or .npz).")]
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

    Commands: ``pause``, ``resume``, ``step {frames: n}`` or ``{steps: n}`` (pauses too), ``seek {step: n}`` or
    ``{seconds: s}``, ``speed {value: x}``, ``loop {on: bool}``. A frame is a hop of the encoder as it was when the
    pipeline started.
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
        if options.start_step >= recording.steps:
            raise OptionError(
                f"start_step {options.start_step}: {options.path} has only {recording.steps} steps; begin earlier"
            )
        return recording

    def setup(self) -> None:
        """Open the recording; a restarted node goes on behind the last step it sent."""
        self._recording = recording = self._open(self.options)
        for note in recording.notes:
            self.context.log.warning("%s", note)
        self.context.counters["trailing_bytes"] = recording.trailing_bytes
        last = self.context.resume_step
        position = self.options.start_step if last is None else last + 1
        clock, speed = self.context.clock, self.options.speed
        self._playback = Playback(clock, recording.steps, recording.rate_hz, position, speed)

    def produce(self) -> Spikes | Wait | None:
        """Return the next chunk once it is due."""
        if self._playback.at_end and not self._playback.paused:
            if not self.options.loop:
                return None
            self._playback.rewind(self.options.start_step)
            self.context.new_epoch(flush=False)
        chunk = self._playback.advance()
        self.context.counters["slipped_ms"] = round(1000 * self._playback.slipped_s)
        return self._spikes(chunk) if isinstance(chunk, range) else Wait(chunk)

    def _spikes(self, chunk: range) -> Spikes:
        recording = self._recording
        calibration = "" if recording.calibration is None else str(recording.calibration.resolve())
        return Spikes(
            step=chunk.start,
            count=len(chunk),
            rate_hz=recording.rate_hz,
            packed=recording.packed(chunk.start, chunk.stop),
            height=recording.height,
            width=recording.width,
            calibration=calibration,
        )

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
        return {**self.status(), "step": self._playback.target} if name == "step" else self.status()

    def _seek(self, step: int) -> None:
        if not 0 <= step < self._recording.steps:
            raise ControlError(f"step {step} is outside the recording; it has steps 0 to {self._recording.steps - 1}")
        self._playback.seek(step, wished_number(self.context.wanted, "span", 0))
        self.context.new_epoch(flush=True)

    def status(self) -> dict[str, Any]:
        """Where the replay stands."""
        return {
            "step": self._playback.position,
            "steps": self._recording.steps,
            "seconds": self._playback.position / self._recording.rate_hz,
            "speed": self.options.speed,
            "paused": self._playback.paused,
            "loop": self.options.loop,
        }
