"""`raw_stream`: a camera's raw steps from a pipe or a socket."""

import math
from typing import Annotated, Any

from msgspec import Meta

from engine import Source, Wait
from nodes.camera.raw_address import RawAddress
from nodes.camera.raw_reader import Chunk, StepReader
from nodes.camera.steps import CameraOptions, CameraSteps
from nodes.messages import Spikes
from spikemm.exceptions import OptionError, SpikeMMError

__all__ = ["RawStream"]

_IDLE_S = 0.5
_BUFFER_S = 0.5
_CHUNKS_WHERE_IT_WAITS = 2
_PATIENCE_S = 10.0


class RawStreamOptions(CameraOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `raw_stream`."""

    address: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1000,
            description="stdin, fifo:PATH, tcp://HOST:PORT and unix:PATH (go to the sender), "
            "tcp-listen://127.0.0.1:PORT and unix-listen:PATH (let the sender come).",
        ),
    ]
    live: Annotated[bool, Meta(description="The sender waits for nobody, as a camera; else it is kept waiting.")] = (
        False
    )
    buffer_s: (
        Annotated[float, Meta(gt=0, le=60, description="Seconds that wait here at most, if live; null: 0.5.")] | None
    ) = None
    reconnect: Annotated[
        bool, Meta(description="Wait for the next sender when one has gone; else that is the end.")
    ] = False
    chunk_steps: Annotated[int, Meta(ge=1, le=100_000, description="Steps per message.")] = 80


class RawStream(Source):
    """Read packed steps, one after another and nothing else, and number them from 0.

    Bytes that are no whole step when the sender goes are left out (counter `torn_bytes`). A new sender begins with a
    whole step; how many are missing before it nobody knows, so it opens a new epoch, numbered on.

    With ``live: false`` a full pipe or socket keeps the sender waiting while consumers block, and nothing is lost. With
    ``live: true`` a thread reads on into a buffer of `buffer_s`; what does not fit is lost: a gap in the stream,
    counted as `steps_overrun`, and the run ends with status 1. The age of a picture counts from the arrival of its
    last byte.

    A caller (``tcp:``, ``unix:``) gives up after 10 s without an answer, unless it may `reconnect`. A pipe cannot be
    taken up again by a restarted node, which would begin inside a step: that ends the run.
    """

    Options = RawStreamOptions
    emits = Spikes
    user_errors = (SpikeMMError,)

    @classmethod
    def is_live(cls, options: RawStreamOptions) -> bool:
        """Tell whether the sender waits for nobody."""
        return options.live

    @classmethod
    def check(cls, options: RawStreamOptions) -> None:
        """Look at the address, the size and the calibration."""
        address = RawAddress.parse(options.address)
        CameraSteps(options, options.address)
        if options.buffer_s is not None and not options.live:
            raise OptionError(
                f"buffer_s {options.buffer_s:g} does nothing where the sender is kept waiting: set live: true"
            )
        if address.kind == "stdin" and options.reconnect:
            raise OptionError("reconnect does nothing on standard input, which ends once: leave it out")

    def setup(self) -> None:
        """Open the address and begin to read."""
        options, context = self.options, self.context
        address = RawAddress.parse(options.address)
        if address.is_pipe and context.incarnation:
            raise OptionError(
                f"{options.address}: a restarted node would go on inside a step: start anew, or use unix: or tcp:"
            )
        self._steps = CameraSteps(options, options.address)
        self._connection = 1
        self._step = 0 if context.resume_step is None else context.resume_step + 1
        self._told_overrun = False
        chunk_s = options.chunk_steps / options.rate_hz
        held = math.ceil((options.buffer_s or _BUFFER_S) / chunk_s)
        listens = address.kind.endswith("-listen")
        self._reader = StepReader(
            address.opener(),
            step_bytes=self._steps.step_bytes,
            chunk_steps=options.chunk_steps,
            chunk_s=chunk_s,
            buffer_chunks=held if options.live else _CHUNKS_WHERE_IT_WAITS,
            waits=not options.live,
            reconnects=options.reconnect,
            patience_s=math.inf if listens or options.reconnect else _PATIENCE_S,
            clock=context.clock,
            wake=context.wake,
            tell=context.log.warning,
        )
        self._reader.start()

    def produce(self) -> Spikes | Wait | None:
        """Return the next steps that have come."""
        chunk = self._reader.take()
        self._count()
        if chunk is not None:
            return self._spikes(chunk)
        if self._reader.ended:
            if self._reader.failure is not None:
                raise OptionError(f"{self.options.address}: {self._reader.failure}: is the sender running?")
            return None
        return Wait(self.context.clock.now() + _IDLE_S)

    def _count(self) -> None:
        reader, counters = self._reader, self.context.counters
        counters["connections"], counters["torn_bytes"] = reader.connections, reader.torn_bytes
        counters["steps_overrun"] = reader.overrun_steps
        if reader.overrun_steps and not self._told_overrun:
            self._told_overrun = True
            self.context.log.error(
                "steps come faster than they are taken: %d lost so far; this machine is too slow or buffer_s too short",
                reader.overrun_steps,
            )

    def _spikes(self, chunk: Chunk) -> Spikes:
        if chunk.connection > self._connection:
            self._connection = chunk.connection
            self.context.new_epoch(flush=False)
        start = self._step + chunk.lost
        self._step = start + len(chunk.raw)
        self.context.count("steps", len(chunk.raw))
        return self._steps.spikes(self._steps.packed(chunk.raw), start, gap=chunk.lost, wall_s=chunk.wall_s)

    def status(self) -> dict[str, Any]:
        """Return whether a sender is there, and what has come from it."""
        seconds = self._step / self.options.rate_hz
        return {
            "connected": self._reader.connected,
            "step": self._step,
            "seconds": seconds,
            "waiting": self._reader.waiting,
        }

    def close(self) -> None:
        """Let go of the sender."""
        if hasattr(self, "_reader"):
            self._reader.close()
