"""The kinds of message that travel between SpikeMM's nodes."""

from dataclasses import dataclass, field
from typing import Any, Literal

from engine.exceptions import EnvelopeError
from engine.message import Array, Message, array, array_map

__all__ = ["FIXED_POINT", "Event", "Frames", "Reading", "Spikes", "Windows"]

FIXED_POINT = 65535
"""Light of 1 spike per step in a `windows` message (uint16 fixed point)."""


@dataclass(kw_only=True, eq=False)
class Spikes(Message, kind="spikes"):
    """Raw steps of the sensor.

    Attributes
    ----------
    packed : numpy.ndarray
        (count, ⌈height·width/8⌉) uint8; pixel i of the upright picture in byte i//8, bit i%8.
    height, width : int
        Size of the picture in pixels.
    calibration : str
        Path of the sensor's calibration, which `encode` applies; empty without one.
    """

    packed: Array = array()
    height: int = 0
    width: int = 0
    calibration: str = ""

    def validate(self) -> None:
        """Check that the bytes of a step fit the picture's size."""
        expected = (self.count, (self.height * self.width + 7) // 8)
        if tuple(self.packed.shape) != expected or self.packed.dtype.itemsize != 1:
            raise EnvelopeError(f"spikes: packed is {tuple(self.packed.shape)}; {expected} of uint8 expected")


@dataclass(kw_only=True, eq=False)
class Windows(Message, kind="windows"):
    """The maps that the consumers asked for, at each window's centre.

    Attributes
    ----------
    maps : dict of str to numpy.ndarray
        ``"interval:32"`` → (count, H, W) uint16: light in units of 1/`FIXED_POINT` spikes per step; for ``isi`` the
        interval in steps as float32, 0 where undefined. ``"interval:256/8"`` → (count, 8, H, W), the window in eight
        parts; ``"planes:41"`` → (count, 41, ⌈H·W/8⌉) uint8, its packed steps.
    origin : tuple of int
        x and y of the pictures' first pixel on the sensor, px; not 0, 0 where `encode` takes a region alone.
    time_scale, apparent_hz : float
        Of a strobe, as in `Frames`.
    """

    maps: dict[str, Array] = array_map()
    origin: tuple[int, int] = (0, 0)
    time_scale: float = 1.0
    apparent_hz: float = 0.0

    def validate(self) -> None:
        """Check that there are as many maps as announced, and pictures of one size."""
        shapes = {name: tuple(part.shape) for name, part in self.maps.items()}
        sizes = {shape[-2:] for name, shape in shapes.items() if not name.startswith("planes:")}
        if len(sizes) > 1 or not shapes or any(len(s) not in (3, 4) or s[0] != self.count for s in shapes.values()):
            raise EnvelopeError(f"windows: maps of shapes {shapes}; (count={self.count}, …, H, W) alike expected")


@dataclass(kw_only=True, eq=False)
class Frames(Message, kind="frames"):
    """Pictures of light.

    Attributes
    ----------
    pixels : numpy.ndarray or tensor
        (count, H, W) float32, spikes per step.
    raw : numpy.ndarray, tensor or None
        The same instants before magnification, where a consumer asked for them.
    front : str
        The front end that the pixels come from, such as ``"interval:32"`` or ``"mie:32"``.
    window_steps : float
        Mean effective length of the window in steps: its response is a sinc of it.
    scale : float
        Pixels of the picture per pixel of the sensor.
    origin : tuple of int
        x and y of the picture's first pixel on the sensor, px of the sensor.
    time_scale : float
        Seconds that a second of the strobe's vibration takes to be shown: its frequency over `apparent_hz`. 1 without
        a strobe, and while one waits for its frequency. Steps stay those of the sensor.
    apparent_hz : float
        Frequency, in sensor time, at which a strobe shows the vibration that it is locked to; 0 without a strobe.
    notes : dict
        What a stage wants to be shown, such as ``{"alpha": 10, "band_hz": [300, 320]}``.
    """

    pixels: Array = array()
    raw: Array = array(optional=True)
    front: str = ""
    window_steps: float = 0.0
    scale: float = 1.0
    origin: tuple[int, int] = (0, 0)
    time_scale: float = 1.0
    apparent_hz: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def validate(self) -> None:
        """Check that there are as many pictures as announced, and that raw ones are alike."""
        shape = tuple(self.pixels.shape)
        if len(shape) != 3 or shape[0] != self.count:
            raise EnvelopeError(f"frames: pixels are {shape}; (count={self.count}, H, W) expected")
        if self.raw is not None and tuple(self.raw.shape) != shape:
            raise EnvelopeError(f"frames: raw is {tuple(self.raw.shape)}, pixels are {shape}; they must be alike")


@dataclass(kw_only=True, eq=False)
class Reading(Message, kind="reading"):
    """What was measured on the stream up to a step.

    Attributes
    ----------
    name : str
        What was measured: the name of the region, or ``"map"``.
    topic : str
        ``"region"``: one region of interest. ``"map"``: every block of the picture.
    values : dict
        Numbers by name, as PROTOCOL.md lists them.
    arrays : dict of str to numpy.ndarray
        Numbers in bulk: waveform and spectrum of a region, the grids of a map.
    """

    sparse = True

    name: str = ""
    topic: Literal["region", "map"] = "region"
    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = array_map()

    def validate(self) -> None:
        """Check the topic, and that that a map's grids are alike, and that each bin of a spectrum has a frequency."""
        shapes = {name: tuple(part.shape) for name, part in self.arrays.items()}
        if self.topic == "map":
            if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
                raise EnvelopeError(f"reading: a map's arrays are {shapes}; all (rows, columns) and alike expected")
        elif self.topic != "region":
            raise EnvelopeError(f"reading: topic is {self.topic!r}; region or map expected")
        elif any(len(shape) != 2 for name, shape in shapes.items() if name != "frequencies_hz"):
            raise EnvelopeError(f"reading: a region's arrays are {shapes}; (2, n) each but frequencies_hz expected")
        elif "spectrum" in shapes and shapes.get("frequencies_hz") != shapes["spectrum"][1:]:
            raise EnvelopeError(f"reading: {shapes}; a frequency for each bin of the spectrum expected")


@dataclass(kw_only=True, eq=False)
class Event(Message, kind="event"):
    """Something that happened at a step: an alarm, a mark set by hand."""

    sparse = True

    name: str = ""
    details: dict[str, Any] = field(default_factory=dict)
