"""What was measured, packed for a browser: the newest reading of every name."""

from typing import Any

import numpy as np

from engine.envelope import host_array
from nodes.http.picture import pack
from nodes.messages import Reading
from nodes.page.board import NoticeBoard

__all__ = ["READINGS_KEPT", "ReadingBoard", "pack_readings"]

READINGS_KEPT = 64

ReadingBoard = NoticeBoard[Reading]
"""Readings by topic and name."""


def pack_readings(readings: list[Reading]) -> bytes:
    """Pack readings into one message: ``{"type": "readings", "readings": […]}`` and their arrays, as 32-bit floats.

    An entry's ``arrays`` lists ``[name, shape]`` in the order in which the numbers follow.
    """
    entries, parts = [], []
    for reading in readings:
        arrays = {name: np.asarray(host_array(part), "<f4") for name, part in reading.arrays.items()}
        entries.append(_entry(reading) | {"arrays": [[name, part.shape] for name, part in arrays.items()]})
        parts += [part.tobytes() for part in arrays.values()]
    return pack({"type": "readings", "readings": entries}, parts)


def _entry(reading: Reading) -> dict[str, Any]:
    return {
        "topic": reading.topic,
        "name": reading.name,
        "step": reading.step,
        "rate_hz": reading.rate_hz,
        "epoch": reading.epoch,
        "source_time": reading.source_time,
        "values": reading.values,
    }
