"""Streams to draw samples from: short and small, so that many fit into memory at a time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import Calibration
from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.packing import pack
from spikemm.recording import Recording
from spikemm.ring import SpikeRing
from spikemm.simulator import Sensor, Simulator, random_scene
from spikemm.training.options import BSNOptions, View

__all__ = ["SCENE_SEEDS", "Source", "Stream", "StreamPool", "simulate_stream"]

SCENE_SEEDS = 2**31
"""Seeds of the random scenes that are trained on lie below this; those above are for judging."""

_CHUNK_STEPS = 128
_HELD_OUT = 5


class Stream:
    """Steps of a picture, all of them at hand.

    Parameters
    ----------
    packed : ndarray
        (n, ⌈H·W/8⌉) uint8.
    height, width : int
        Pixels.
    calibration : Calibration, optional
        Corrects every map of light; raw steps stay as they are.
    """

    def __init__(
        self, packed: NDArray[np.uint8], height: int, width: int, calibration: Calibration | None = None
    ) -> None:
        self.height, self.width, self.steps = height, width, len(packed)
        self._calibration = calibration
        self._ring = SpikeRing(height, width, self.steps)
        self._ring.push(packed)

    def centres(self, view: View) -> tuple[int, int]:
        """Return the first step that `view` can have its centre at, and the one after the last.

        What its maps reach for is there as far as the stream is long enough.

        Raises
        ------
        OptionError
            If the stream is shorter than the windows themselves.
        """
        before, after = view.own
        spare = self.steps - before - after
        if spare < 0:
            raise OptionError(
                f"a stream of {self.steps} steps is too short for windows of {before + after}: "
                "take a longer recording or shorter windows"
            )
        reach = min(view.reach, spare // 2)
        return before + reach, self.steps - after - reach + 1

    def maps(self, specs: Sequence[MapSpec], t: int) -> NDArray[np.float32]:
        """Return maps around step t as channels, (C, H, W) float32; light, 0 where it is not defined."""
        return np.concatenate([self._channels(spec, t) for spec in specs])

    def _channels(self, spec: MapSpec, t: int) -> NDArray[np.float32]:
        if spec.name == "planes":
            packed = self._ring.planes(t, spec.window)
            bits = np.unpackbits(packed, axis=1, count=self.height * self.width, bitorder="little")
            return np.asarray(bits.reshape(-1, self.height, self.width), np.float32)
        values: NDArray[np.float32] = spec.of(self._ring, t)
        if self._calibration is not None:
            values = self._calibration.apply(spec.name, values)
        if spec.name == "isi":
            return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)[None]
        return np.asarray(values, np.float32).reshape(-1, self.height, self.width)


def simulate_stream(rng: np.random.Generator, options: BSNOptions) -> Stream:
    """Simulate a random scene in light and noise of its own, by a sensor whose pixels are all alike."""
    px = options.stream_px
    scene = random_scene(int(rng.integers(SCENE_SEEDS)), height=px, width=px)
    light = math.exp(rng.uniform(*np.log(options.light)))
    noise = rng.uniform(*options.noise) if rng.random() < 0.5 else 0.0
    sensor = Sensor(light=light, fixed_pattern=0.0, temporal_noise=noise)
    simulator = Simulator(scene, sensor, seed=int(rng.integers(2**31)))
    return Stream(simulator.steps(options.stream_steps), px, px)


@dataclass(frozen=True)
class Source:
    """Steps [start, stop) of a recording.

    Attributes
    ----------
    recording : Recording
    start, stop : int
    calibration : Calibration or None
        Of its sensor.
    """

    recording: Recording
    start: int
    stop: int
    calibration: Calibration | None = None

    @classmethod
    def split(cls, recording: Recording, calibration: Calibration | None = None) -> "tuple[Source, Source]":
        """Divide a recording's time into what is trained on and the last fifth, which is held out."""
        cut = recording.steps - recording.steps // _HELD_OUT
        return cls(recording, 0, cut, calibration), cls(recording, cut, recording.steps, calibration)

    @property
    def identity(self) -> str:
        """Name of the recording, steps, and what the calibration corrects: a training goes on only with the same."""
        name = f"{self.recording.path.name} {self.start} {self.stop}"
        if self.calibration is None:
            return name
        corrected = (self.calibration.gain, self.calibration.dark, self.calibration.fault)
        return f"{name} calibration {sha256(b''.join(part.tobytes() for part in corrected)).hexdigest()[:8]}"

    def check(self, options: BSNOptions) -> None:
        """Raise OptionError unless the windows of the samples fit."""
        longest = max(sum(view.own) for view in options.views)
        if self.stop - self.start < longest:
            raise OptionError(
                f"{self.recording.path}: steps {self.start} to {self.stop - 1} of {self.recording.steps} are too few "
                f"for windows of {longest}: take a longer recording, or shorter windows in the configuration"
            )

    def cut(self, rng: np.random.Generator, options: BSNOptions) -> Stream:
        """Cut a stream out, anywhere in its picture and time."""
        recording = self.recording
        height, width = min(options.stream_px, recording.height), min(options.stream_px, recording.width)
        steps = min(options.stream_steps, self.stop - self.start)
        y, x = int(rng.integers(recording.height - height + 1)), int(rng.integers(recording.width - width + 1))
        first = self.start + int(rng.integers(self.stop - self.start - steps + 1))
        crop = (slice(y, y + height), slice(x, x + width))
        parts = [
            pack(recording.spikes(at, min(at + _CHUNK_STEPS, first + steps))[:, *crop])
            for at in range(first, first + steps, _CHUNK_STEPS)
        ]
        return Stream(np.concatenate(parts), height, width, self._calibration_of(crop))

    def _calibration_of(self, crop: tuple[slice, slice]) -> Calibration | None:
        whole = self.calibration
        if whole is None:
            return None
        return Calibration(whole.gain[crop], whole.dark[crop], whole.fault[crop], whole.error[crop])


class StreamPool:
    """The streams that samples are drawn from at an iteration; they depend on nothing but its number.

    Parameters
    ----------
    make : callable
        Makes stream number k.
    streams, refresh : int
        How many there are at a time, and after how many iterations the oldest gives way to a new one.
    """

    def __init__(self, make: Callable[[int], Stream], streams: int, refresh: int) -> None:
        self._make = make
        self._streams = streams
        self._refresh = refresh
        self._held: dict[int, Stream] = {}

    def at(self, iteration: int) -> list[Stream]:
        """Return the streams of an iteration, oldest first; what is missing is made now."""
        first = iteration // self._refresh
        numbers = range(first, first + self._streams)
        for number in [number for number in self._held if number not in numbers]:
            del self._held[number]
        for number in numbers:
            if number not in self._held:
                self._held[number] = self._make(number)
        return [self._held[number] for number in numbers]
