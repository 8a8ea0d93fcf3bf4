import numpy as np
import pytest

from engine.envelope import decode, encode
from engine.exceptions import EnvelopeError
from nodes.messages import Reading


def curves(bins=5, samples=9):
    return {
        "waveform": np.zeros((2, samples), np.float32),
        "spectrum": np.ones((2, bins), np.float32),
        "frequencies_hz": np.arange(bins, dtype=np.float32),
    }


def grids(shape=(3, 4)):
    return {name: np.ones(shape, np.float32) for name in ("hz", "px", "floor_px")}


@pytest.mark.parametrize(("topic", "arrays"), [("region", curves()), ("map", grids()), ("region", {})])
def test_a_reading_travels_whole(topic, arrays):
    sent = Reading(step=40, name="bearing", topic=topic, values={"fps": 1000.0, "zone": None}, arrays=arrays)
    header, *parts = encode(sent)
    came = decode([header, *(memoryview(part).cast("B") for part in parts)])
    assert (came.name, came.topic, came.values) == ("bearing", topic, sent.values)
    assert {name: part.tolist() for name, part in came.arrays.items()} == {n: a.tolist() for n, a in arrays.items()}


@pytest.mark.parametrize(
    ("topic", "arrays", "told"),
    [
        ("map", {**grids(), "px": np.ones((3, 5), np.float32)}, "alike"),
        ("map", {"hz": np.ones(3, np.float32)}, "rows, columns"),
        ("region", {**curves(), "frequencies_hz": np.arange(4, dtype=np.float32)}, "frequency for each bin"),
        ("region", {"waveform": np.zeros(9, np.float32)}, r"\(2, n\)"),
        ("weather", {}, "region or map"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(topic, arrays, told):
    with pytest.raises(EnvelopeError, match=told):
        Reading(step=0, topic=topic, arrays=arrays).validate()
