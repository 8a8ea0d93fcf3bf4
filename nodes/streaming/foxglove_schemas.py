"""From SpikeMM's messages to Foxglove's schemas: pictures, readings, events, and the time that they carry."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.message import Message
from nodes.messages import Event, Reading

if TYPE_CHECKING:
    from foxglove.messages import Log, RawImage, Timestamp

__all__ = ["READING_SCHEMA", "SensorTime", "event_log", "image", "map_image", "reading_fields"]

_EPOCHS = 8
_DECIMALS = 7
"""Of px in a waveform or spectrum: what a plot could show is far above it, and shorter numbers are sooner written."""

_NUMBER: dict[str, Any] = {"type": "number"}
_NUMBERS: dict[str, Any] = {"type": "array", "items": _NUMBER}


def _record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_PEAK = _record(hz=_NUMBER, px=_NUMBER, snr_db=_NUMBER, phase_deg=_NUMBER, um=_NUMBER, mm_s=_NUMBER)
_AXIS = _record(
    rms_px=_NUMBER,
    peak_to_peak_px=_NUMBER,
    noise_floor_px=_NUMBER,
    noise_density_px_per_sqrt_hz=_NUMBER,
    peaks={"type": "array", "items": _PEAK},
)
READING_SCHEMA: dict[str, Any] = {
    "title": "spikemm.Reading",
    **_record(
        timestamp=_record(sec={"type": "integer"}, nsec={"type": "integer"}),
        name={"type": "string"},
        step={"type": "integer"},
        roi=_NUMBERS,
        seconds=_NUMBER,
        fps=_NUMBER,
        highest_hz=_NUMBER,
        method={"type": "string"},
        x=_AXIS,
        y=_AXIS,
        orbit=_record(hz=_NUMBER, major_px=_NUMBER, minor_px=_NUMBER, angle_deg=_NUMBER, clockwise={"type": "boolean"}),
        phase_to=_record(region={"type": "string"}, hz=_NUMBER, deg=_NUMBER),
        um_per_px=_NUMBER,
        velocity_rms_mm_s=_NUMBER,
        zone={"type": "string"},
        zone_text={"type": "string"},
        waveform=_record(seconds=_NUMBERS, x_px=_NUMBERS, y_px=_NUMBERS),
        spectrum=_record(hz=_NUMBERS, x_px=_NUMBERS, y_px=_NUMBERS),
    ),
}
"""JSON schema of `reading_fields`: viewers offer its fields for plots."""


class SensorTime:
    """Nanoseconds since 1970 at which a step was seen, counted by the sensor's clock.

    A vibration keeps its frequency on a viewer's time axis at any replay speed: only the origin of an epoch comes from
    the wall clock, everything behind it from the steps. The time of a later epoch never lies before an earlier one's.
    """

    def __init__(self) -> None:
        self._origins: dict[int, int] = {}
        self._latest_ns = 0

    def nanoseconds(self, message: Message, step: int | None = None) -> int:
        """Return the time of a step of a message; of its own `step` by default.

        A message without a rate, such as an alarm's before its first reading, tells no time of the sensor's: it stands
        at the latest that there was, and before there is any at its `source_time`.
        """
        if not message.rate_hz:
            return self._latest_ns or round(message.source_time * 1e9)
        since_step_0 = round((message.step if step is None else step) * 1e9 / message.rate_hz)
        if message.epoch not in self._origins:
            self._open(message, since_step_0)
        origin = self._origins[message.epoch] = self._origins.pop(message.epoch)  # the last one to be forgotten
        moment = origin + since_step_0
        self._latest_ns = max(self._latest_ns, moment)
        return moment

    def _open(self, message: Message, since_step_0: int) -> None:
        """Find where an epoch begins, and forget those that nothing has come of for longest."""
        self._origins[message.epoch] = max(round(message.source_time * 1e9), self._latest_ns) - since_step_0
        for old in list(self._origins)[:-_EPOCHS]:
            del self._origins[old]


def image(grey: NDArray[np.uint8], nanoseconds: int, frame_id: str) -> "RawImage":
    """Return a grey picture.

    Parameters
    ----------
    grey : numpy.ndarray
        (H, W) uint8; `GreyScale` makes it from light.
    nanoseconds : int
        Time of the centre of its window, since 1970.
    frame_id : str
        What it is a picture of: the stream that it comes from.
    """
    return _raw_image(grey, "mono8", nanoseconds, frame_id)


def map_image(values: NDArray[Any], nanoseconds: int, frame_id: str) -> "RawImage":
    """Return a map of numbers, (rows, columns) float32, as a picture whose pixels are those numbers."""
    return _raw_image(values.astype("<f4"), "32FC1", nanoseconds, frame_id)


def _raw_image(pixels: NDArray[Any], encoding: str, nanoseconds: int, frame_id: str) -> "RawImage":
    from foxglove.messages import RawImage  # 0.1 s to load: not in the parent, which imports every node's module

    height, width = pixels.shape
    return RawImage(
        timestamp=_timestamp(nanoseconds),
        frame_id=frame_id,
        width=width,
        height=height,
        encoding=encoding,
        step=width * pixels.itemsize,
        data=pixels.tobytes(),
    )


def reading_fields(reading: Reading, nanoseconds: int) -> dict[str, Any]:
    """Return a reading as `READING_SCHEMA` describes it: its values, and its arrays as lists that can be plotted.

    Values that are None are left out, and so is the waveform of a reading without a rate. `waveform.seconds` counts
    from the newest sample back, `spectrum` is px of amplitude over Hz.
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fields = {"timestamp": {"sec": seconds, "nsec": rest}, "name": reading.name, "step": reading.step}
    fields |= {name: value for name, value in reading.values.items() if value is not None}
    arrays = reading.arrays
    if "waveform" in arrays and reading.rate_hz:
        fields["waveform"] = _waveform(reading, arrays["waveform"])
    if "spectrum" in arrays:
        fields["spectrum"] = {"hz": arrays["frequencies_hz"].tolist(), **_axes(arrays["spectrum"])}
    return fields


def _waveform(reading: Reading, samples: NDArray[Any]) -> dict[str, list[float]]:
    hop = reading.values.get("waveform_step", (0, 1))[1]
    ages = np.arange(1 - samples.shape[1], 1) * (hop / reading.rate_hz)
    return {"seconds": ages.tolist(), **_axes(samples)}


def _axes(pair: NDArray[Any]) -> dict[str, list[float]]:
    """Return (2, n) px as the lists ``x_px`` and ``y_px``."""
    rounded = np.round(pair.astype(np.float64), _DECIMALS)
    return {f"{axis}_px": row.tolist() for axis, row in zip("xy", rounded, strict=True)}


def event_log(event: Event, nanoseconds: int) -> "Log":
    """Return an event as a line of a log; its level is that of the severity while it lasts."""
    from foxglove.messages import Log, LogLevel

    levels = {"warning": LogLevel.Warning, "alarm": LogLevel.Error}
    details = event.details
    raised = details.get("state", "raised") == "raised"
    return Log(
        timestamp=_timestamp(nanoseconds),
        level=levels.get(str(details.get("severity")), LogLevel.Info) if raised else LogLevel.Info,
        message=str(details.get("text") or event.name),
        name=event.name,
    )


def _timestamp(nanoseconds: int) -> "Timestamp":
    from foxglove.messages import Timestamp

    return Timestamp(*divmod(nanoseconds, 1_000_000_000))
