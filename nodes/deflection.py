"""`deflection`: how the scene moves at one frequency, as a slow loop of one clean cycle."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from engine import Live, Stage
from nodes.measuring.stream import FrameStream
from nodes.messages import Frames
from nodes.tensors import to_batch
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.front import FrontSpec

if TYPE_CHECKING:
    from spikemm.vibration.deflection import DeflectionShape

__all__ = ["Deflection"]

_INSTANT = "rate:1"
"""What the frames that come out are like: the window's response is divided out."""


class DeflectionOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `deflection`."""

    frequency_hz: Annotated[float, Meta(gt=0, description="Of the vibration that is shown, Hz."), Live]
    phases: Annotated[int, Meta(ge=4, le=240, description="Frames of the loop.")] = 24
    seconds: Annotated[float, Meta(gt=0, le=600, description="Record that a loop is averaged over.")] = 1.0
    apparent_hz: Annotated[float, Meta(gt=0, le=60, description="Loops per second of sensor time.")] = 1.0
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where it is computed.")] = "auto"


class Deflection(Stage):
    """Average frames over a record by their phase and play the cycle; nothing comes before the first record is full.

    A gap starts a new record while the last cycle goes on; a new epoch, another hop, size or place on the sensor starts
    anew.
    """

    Options = DeflectionOptions
    accepts = Frames
    emits = Frames
    user_errors = (SpikeMMError,)

    def setup(self) -> None:
        """Find the device; the first message tells the rest."""
        # Here and not above: torch is for the processes that compute. And not at the first message: it would be late.
        from spikemm.device import pick_device
        from spikemm.vibration.deflection import DeflectionShape

        self._new_shape = DeflectionShape
        self._device = pick_device(self.options.device)
        self._shape: DeflectionShape | None = None
        self._stream: FrameStream | None = None
        self._epoch: int | None = None

    def process(self, frames: Frames, port: str) -> list[Frames]:
        """Return the frames of the loop that are due."""
        shape = self._shape_for(frames)
        batch = shape.push(to_batch(frames, self._device))
        if batch is None:
            return []
        out = replace(
            frames,
            step=int(batch.steps[0]),
            count=len(batch.steps),
            hop=shape.out_hop,
            gap=batch.gap,
            pixels=batch.pixels,
            raw=None,
            front=_INSTANT,
            window_steps=1.0,
            time_scale=shape.time_scale,
            apparent_hz=shape.apparent_hz,
            notes={**frames.notes, "deflection_hz": shape.frequency_hz},
        )
        return [out]

    def _shape_for(self, frames: Frames) -> "DeflectionShape":
        if frames.apparent_hz > 0.0:
            raise OptionError(
                f"frames of a strobe (at {frames.apparent_hz:g} Hz) have no deflection shape: take those of an "
                "encode without a strobe"
            )
        stream = FrameStream.of(frames)
        if self._shape is None or stream != self._stream:
            self._stream, self._shape = stream, self._make(stream)
        elif frames.epoch != self._epoch:
            self._shape.reset()
        self._epoch = frames.epoch
        return self._shape

    def _make(self, stream: FrameStream) -> "DeflectionShape":
        options: DeflectionOptions = self.options
        front = FrontSpec.parse(stream.front)
        front.require_timing()
        return self._new_shape(
            frequency_hz=options.frequency_hz,
            rate_hz=stream.rate_hz,
            hop=stream.hop,
            front=front.timing,
            phases=options.phases,
            seconds=options.seconds,
            apparent_hz=options.apparent_hz,
        )

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over the frequency; a new record begins.

        Raises
        ------
        OptionError
            If the frames cannot show it; the engine then puts the old one back.
        """
        if self._shape is not None and self._shape.frequency_hz != self.options.frequency_hz:
            self._shape.frequency_hz = self.options.frequency_hz
