"""Events and readings as JSON for other people's systems: flat, with times that need no knowledge of steps."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from nodes.messages import Event, Reading

__all__ = ["event_json", "event_key", "reading_json"]


def event_json(event: Event, pipeline: str) -> bytes:
    """Return an event as JSON.

    ``id`` is the same whenever the same event is sent again. The keys of the event's details stand beside it:
    ``state``, ``severity``, ``region``, ``quantity``, ``value``, ``limit``, ``unit``, ``text``.
    """
    head = {"pipeline": pipeline, "rule": event.name, "id": event_key(event), **_when(event)}
    return msgspec.json.encode({**event.details, **head})


def reading_json(reading: Reading, pipeline: str) -> bytes:
    """Return a region's reading as JSON: its values, without waveform and spectrum."""
    return msgspec.json.encode({**reading.values, "pipeline": pipeline, "region": reading.name, **_when(reading)})


def event_key(event: Event) -> str:
    """Return what tells an event from all others."""
    made = event.stamps.get(event.stream, event.source_time)
    return f"{event.stream}-{made:.6f}-{event.seq}"


def _when(message: Event | Reading) -> dict[str, Any]:
    """Return the sensor's time, and the wall time at which the last step it covers left the source."""
    time = datetime.fromtimestamp(message.source_time, UTC).isoformat(timespec="milliseconds")
    seconds = message.step / message.rate_hz if message.rate_hz else None
    return {"step": message.step, "sensor_seconds": seconds, "time": time}
