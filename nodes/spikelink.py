"""`spikelink`: a spike camera through its vendor's SDK."""

import math
from collections import deque
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, field
from numpy.typing import NDArray

from engine import Source, Wait
from nodes.camera.block_ring import Arrival, BlockRing
from nodes.camera.spikelink_library import SYMBOLS, Device, SpikeLinkLibrary
from nodes.camera.steps import CameraOptions, CameraSteps
from nodes.messages import Spikes
from spikemm.block_clock import BlockClock
from spikemm.exceptions import OptionError, SpikeMMError

__all__ = ["SpikeLink"]

_FIRST_BLOCK_S = 5.0
_RETRY_S = 15.0
_LOOK_S = 0.1


class SpikeLinkOptions(CameraOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `spikelink`."""

    library: Annotated[str, Meta(min_length=1, max_length=1000, description="The SDK's shared library.")]
    device: Annotated[
        Literal["pcie", "file"], Meta(description="A camera on the SDK's PCIe board, or the SDK's player of files.")
    ] = "pcie"
    device_path: Annotated[
        str,
        Meta(min_length=1, max_length=255, description="Library of the board's driver (libhda100.so), or the file."),
    ]
    channel: Annotated[int, Meta(ge=0, le=3, description="Of the board.")] = 0
    cusum: Annotated[int, Meta(ge=1, le=10_000, description="Steps per block.")] = 50
    sdk_blocks: Annotated[int, Meta(ge=2, le=10_000, description="Blocks that the SDK itself may hold.")] = 30
    buffer_s: Annotated[float, Meta(gt=0, le=60, description="Seconds that wait here at most.")] = 0.5
    silence_s: Annotated[float, Meta(gt=0, le=60, description="Without a block for so long, the camera is gone.")] = 1.0
    symbols: Annotated[dict[str, str], Meta(description="Function names that differ from the SDK known here.")] = field(
        default_factory=dict
    )


class SpikeLink(Source):
    """Take blocks of steps from the SDK, release them at once, and find those that it dropped.

    The SDK calls back in a thread of its own, which copies the block into a ring of `buffer_s` and never waits. What
    does not fit is a gap, counted as `steps_overrun`, and the run ends with status 1. The SDK does not tell when it
    drops a block, so that is found by the clock (`spikemm.block_clock`): a gap of whole blocks, counted as
    `steps_lost`. For that a block that comes late by half a block is held until another one is on time, or for 0.5 s.
    `steps_disproved` counts steps told lost that had only been late for longer. The SDK's player of files keeps no
    clock, so with ``device: file`` nothing is looked for.

    A camera that falls silent ends this life of the node; the next one opens it anew, and tries again every 15 s. What
    the SDK refuses at the first start ends the run.
    """

    Options = SpikeLinkOptions
    emits = Spikes
    live = True
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: SpikeLinkOptions) -> None:
        """Look for the files, and at the size; the library itself is only loaded by the node's own process."""
        CameraSteps(options, options.library)
        if not Path(options.library).is_file():
            raise OptionError(f"library {options.library}: there is no such file: give the path of the SDK's library")
        if options.device == "file" and not Path(options.device_path).is_file():
            raise OptionError(f"device_path {options.device_path}: there is no such file")
        for name in options.symbols.keys() - SYMBOLS.keys():
            raise OptionError(f"symbols: {name!r} is none of {', '.join(SYMBOLS)}")

    def setup(self) -> None:
        """Make the ring and open the camera."""
        options, context = self.options, self.context
        block_s = options.cusum / options.rate_hz
        self._steps = CameraSteps(options, options.library)
        self._blocks = BlockClock(block_s)
        blocks = max(2, math.ceil(options.buffer_s / block_s))
        block_bytes = options.cusum * self._steps.step_bytes
        self._ring = BlockRing(blocks, block_bytes, context.clock, context.wake)
        self._held: deque[tuple[Arrival, NDArray[np.uint8] | None]] = deque()
        self._ready: deque[Spikes] = deque()
        self._step = 0 if context.resume_step is None else context.resume_step + 1
        self._gap = 0
        context.counters.update(steps_lost=0, steps_overrun=0)
        self._last_number: int | None = None
        self._library = SpikeLinkLibrary(options.library, options.symbols, self._ring.put)
        self._refusal = ""
        try:
            self._library.open(self._device())
        except ConnectionError as error:
            if not context.incarnation:
                raise OptionError(f"{options.library}: {error}") from None
            self._refusal = str(error)
        self._last_sign_s = context.clock.now()

    def _device(self) -> Device:
        options, steps = self.options, self._steps
        columns = steps.step_bytes * 8 // steps.height
        return Device(
            options.device,
            options.device_path,
            options.channel,
            steps.height,
            columns,
            options.rate_hz,
            options.cusum,
            options.sdk_blocks,
        )

    def produce(self) -> Spikes | Wait:
        """Return the next block that is decided."""
        if self._ring.failure is not None:
            raise self._ring.failure
        now = self.context.clock.now()  # before looking: what comes meanwhile is a sign of life
        while not self._ready and (arrival := self._ring.take()) is not None:
            self._take(arrival)
        if not self._ready and now - self._last_sign_s > self._patience_s:
            self._fall_silent()
        return self._ready.popleft() if self._ready else Wait(now + _LOOK_S)

    def _take(self, arrival: Arrival) -> None:
        packed = None
        if arrival.slot is not None:
            raw = self._ring.data(arrival.slot).reshape(self.options.cusum, -1)
            packed = self._steps.packed(raw)
            packed = raw.copy() if packed is raw else packed
            self._ring.give_back(arrival.slot)
        skipped = 0 if self._last_number is None else max(0, arrival.number - self._last_number - 1)
        self._last_number, self._last_sign_s = arrival.number, arrival.time_s
        self._held.append((arrival, packed))
        plays_a_file = self.options.device == "file"  # at a pace of its own: the clock tells nothing
        self._decide([skipped] if plays_a_file else self._blocks.arrive(arrival.time_s, skipped))

    def _decide(self, gaps: list[int]) -> None:
        """Give its number to each block of which it is known now how many are missing before it."""
        cusum, count = self.options.cusum, self.context.count
        for missing in gaps:
            arrival, packed = self._held.popleft()
            self._gap += missing * cusum
            count("steps_lost", missing * cusum)
            if missing:
                self.context.log.warning("the SDK dropped %d blocks before step %d", missing, self._step + self._gap)
            if packed is None:
                self._gap += cusum
                count("steps_overrun", cusum)
                continue
            start = self._step + self._gap
            self._ready.append(self._steps.spikes(packed, start, gap=self._gap, wall_s=arrival.wall_s))
            self._step, self._gap = start + cusum, 0
            count("steps", cusum)
        self.context.counters["steps_disproved"] = self._blocks.miscounted * cusum

    @property
    def _patience_s(self) -> float:
        if self._last_number is not None:
            return float(self.options.silence_s)
        return _RETRY_S if self.context.incarnation else _FIRST_BLOCK_S

    def _fall_silent(self) -> None:
        self._decide(self._blocks.settle())
        if self._ready:  # they go first
            return
        # An OSError, not one for the user: the supervisor tells it in one line, and starts the node anew.
        if self._last_number is not None:
            raise ConnectionError(f"no block for {self.options.silence_s:g} s: the camera is off, or its cable is out")
        why = self._refusal or f"the camera was opened, but no block came within {self._patience_s:g} s"
        if self.context.incarnation:
            raise ConnectionError(why)
        raise OptionError(f"{self.options.library}: {why}: check device_path, channel, height, width and rate_hz")

    def status(self) -> dict[str, Any]:
        """Return where the stream stands, and how the camera's clock differs from ours."""
        return {
            "step": self._step,
            "seconds": self._step / self.options.rate_hz,
            "connected": not self._refusal and self._last_number is not None,
            "held_blocks": len(self._held),
            "drift_ppm": round(self._blocks.drift_ppm, 1),
        }

    def close(self) -> None:
        """Let go of the camera."""
        if hasattr(self, "_library"):
            self._library.close()
