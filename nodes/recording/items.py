"""What `record` keeps: steps of the sensor, and entries for viewers, each with the sensor steps that it belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.envelope import host_array
from engine.message import Message
from nodes.grey_scale import GreyScale
from nodes.messages import Event, Frames, Reading, Spikes
from nodes.streaming.foxglove_schemas import SensorTime

__all__ = ["Camera", "Entry", "Item", "Itemiser", "Steps"]

_DETAILS = ("front", "window_steps", "scale", "time_scale", "apparent_hz", "origin", "notes", "gap")

_ENTRY_BYTES = 1024
"""Of an entry without its arrays, roughly."""


class Camera(NamedTuple):
    """What steps come from: pixels, the path of the sensor's calibration (or empty), the node's name."""

    height: int
    width: int
    calibration: str
    stream: str


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of the sensor; the bytes stay in the message that brought them.

    Attributes
    ----------
    step : int
        Sensor step of the first.
    packed : numpy.ndarray
        (n, ⌈H·W/8⌉) uint8.
    wall : float
        Seconds since 1970 at which the last one left the source.
    camera : Camera
        What they come from.
    """

    step: int
    packed: NDArray[np.uint8]
    wall: float
    camera: Camera

    @property
    def stream(self) -> str:
        """The node that they come from."""
        return self.camera.stream

    @property
    def stop(self) -> int:
        """Step behind the last."""
        return self.step + len(self.packed)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.packed.nbytes

    def cut(self, first: int, stop: int) -> "Steps | None":
        """Return the part in steps [first, stop), None where there is none."""
        if first <= self.step and self.stop <= stop:
            return self
        first, stop = max(first, self.step), min(stop, self.stop)
        if first >= stop:
            return None
        return replace(self, step=first, packed=self.packed[first - self.step : stop - self.step])


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a file for viewers.

    Attributes
    ----------
    step : int
        Sensor step that it is of.
    nanoseconds : int
        Time of that step since 1970, by the sensor's clock.
    topic : str
        Where viewers find it.
    content : numpy.ndarray, Reading, Event or dict
        (H, W) uint8 or float32: a picture. A dict becomes JSON.
    stream : str
        The node that it comes from.
    """

    step: int
    nanoseconds: int
    topic: str
    content: Any
    stream: str

    @property
    def stop(self) -> int:
        """Step behind its own."""
        return self.step + 1

    @property
    def nbytes(self) -> int:
        """Bytes in memory, roughly."""
        arrays = self.content.arrays.values() if isinstance(self.content, Reading) else [self.content]
        return _ENTRY_BYTES + sum(getattr(array, "nbytes", 0) for array in arrays)

    def cut(self, first: int, stop: int) -> "Entry | None":
        """Return it if its step is in [first, stop)."""
        return self if first <= self.step < stop else None


Item = Steps | Entry


class Itemiser:
    """Turn messages into items.

    Parameters
    ----------
    white : float or None
        Light in spikes per step that is shown as white; None: from the first frames.
    """

    def __init__(self, white: float | None) -> None:
        self.time = SensorTime()
        self._grey = GreyScale(white)

    def __call__(self, message: Message) -> Iterator[Item]:
        """Yield the items of a message."""
        match message:
            case Spikes():
                self.time.nanoseconds(message)
                camera = Camera(message.height, message.width, message.calibration, message.stream)
                yield Steps(message.step, host_array(message.packed), message.source_time, camera)
            case Frames():
                yield from self._pictures(message)
            case Reading(topic="map"):
                for name in ("hz", "px"):
                    yield self._entry(message, f"/map/{name}", host_array(message.arrays[name]))
            case Reading():
                yield self._entry(message, f"/readings/{message.name}", message)
            case Event():
                yield self._entry(message, "/events", message)
                facts = {"name": message.name, "step": message.step, **message.details}
                yield self._entry(message, "/events/details", facts)

    def _pictures(self, frames: Frames) -> Iterator[Entry]:
        grey = self._grey(host_array(frames.pixels))
        told = {name: getattr(frames, name) for name in _DETAILS}
        for i, step in enumerate(frames.steps):
            yield self._entry(frames, "/frames", grey[i], step)
        facts = {"step": frames.step, "count": frames.count, "hop": frames.hop, "white": self._grey.white, **told}
        yield self._entry(frames, "/frames/details", facts)

    def _entry(self, message: Message, topic: str, content: Any, step: int | None = None) -> Entry:
        at = message.step if step is None else step
        return Entry(at, self.time.nanoseconds(message, at), topic, content, message.stream)
