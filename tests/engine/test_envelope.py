"""Whatever arrives, `decode` answers with a message or with one EnvelopeError."""

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import Message, array, array_map
from engine.envelope import HEADER_LIMIT_BYTES, decode, encode
from engine.exceptions import EnvelopeError


@dataclass(kw_only=True, eq=False)
class Picture(Message, kind="test.picture"):
    pixels: Any = array()
    raw: Any = array(optional=True)
    maps: Any = array_map()
    label: str = ""
    notes: dict[str, float] = field(default_factory=dict)

    def validate(self) -> None:
        if self.pixels.ndim != 3 or len(self.pixels) != self.count:
            raise EnvelopeError("picture: pixels and count differ")


def picture(**changes: Any) -> Picture:
    values: dict[str, Any] = {
        "step": 40,
        "count": 2,
        "hop": 20,
        "gap": 3,
        "rate_hz": 20000.0,
        "stream": "encode",
        "seq": 7,
        "epoch": 2,
        "flush_before": 1,
        "revision": 4,
        "source_time": 12.5,
        "stamps": {"encode": 13.0},
        "pixels": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "maps": {"rate:4": np.arange(6, dtype=np.uint16)},
        "label": "α",
        "notes": {"hz": 310.0},
    }
    return Picture(**{**values, **changes})


def on_the_wire(message: Message) -> list[bytes]:
    return [bytes(part) for part in encode(message)]


def header_with(**changes: Any) -> list[bytes]:
    packed, *arrays = on_the_wire(picture())
    return [msgspec.msgpack.encode({**msgspec.msgpack.decode(packed), **changes}), *arrays]


def test_a_message_arrives_as_it_was_sent():
    sent, came = picture(), decode(on_the_wire(picture()))
    assert isinstance(came, Picture)
    for name in ("step", "count", "hop", "gap", "rate_hz", "stream", "seq", "epoch", "flush_before", "revision"):
        assert getattr(came, name) == getattr(sent, name)
    assert (came.source_time, came.stamps, came.label, came.notes) == (12.5, {"encode": 13.0}, "α", {"hz": 310.0})
    np.testing.assert_array_equal(came.pixels, sent.pixels)
    np.testing.assert_array_equal(came.maps["rate:4"], sent.maps["rate:4"])
    assert came.raw is None


def test_arrays_travel_without_a_copy_and_transposed_ones_in_order():
    pixels = np.zeros((2, 3, 4), np.float32)
    assert np.shares_memory(encode(picture(pixels=pixels))[1], pixels)
    turned = np.arange(24, dtype=np.float32).reshape(4, 3, 2).T
    np.testing.assert_array_equal(decode(on_the_wire(picture(pixels=turned))).pixels, turned)


def test_an_array_may_be_empty():
    came = decode(on_the_wire(picture(count=0, pixels=np.zeros((0, 3, 4), np.float32))))
    assert came.pixels.shape == (0, 3, 4)


def test_a_tensor_is_brought_to_the_host():
    class Tensor:
        def detach(self) -> "Tensor":
            return self

        def cpu(self) -> "Tensor":
            return self

        def numpy(self) -> Any:
            return np.ones((2, 3, 4), np.float32)

    assert decode(on_the_wire(picture(pixels=Tensor()))).pixels.sum() == 24


def test_fields_are_checked_where_the_annotations_of_a_kind_are_texts():
    @dataclass(kw_only=True, eq=False)
    class Postponed(Message, kind="test.postponed"):
        level: "int" = 0

    assert decode(on_the_wire(Postponed(step=0, level=3))).level == 3
    packed = msgspec.msgpack.decode(on_the_wire(Postponed(step=0))[0]) | {"extra": {"level": "loud"}}
    with pytest.raises(EnvelopeError, match=r"test\.postponed: Expected `int`"):
        decode([msgspec.msgpack.encode(packed)])


@pytest.mark.parametrize("dtype", [np.complex64, np.float16, ">f4", "S3", object])
def test_a_dtype_that_may_not_travel_is_refused_where_it_is_sent(dtype):
    with pytest.raises(EnvelopeError, match=r"test\.picture\.pixels: dtype"):
        encode(picture(pixels=np.zeros((2, 3, 4), dtype)))


def test_a_header_that_is_too_long_is_refused_where_it_is_sent():
    with pytest.raises(EnvelopeError, match=f"the limit is {HEADER_LIMIT_BYTES}"):
        encode(picture(label="x" * HEADER_LIMIT_BYTES))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"version": 2}, "wire version 2"),
        ({"kind": "nothing"}, "unknown kind of message 'nothing'"),
        ({"step": -1}, "unreadable"),
        ({"step": 1 << 63}, "unreadable"),
        ({"hop": 0}, "unreadable"),
        ({"count": 1 << 40}, "unreadable"),
        ({"count": 3}, "pixels and count differ"),
        ({"rate_hz": float("nan")}, "unreadable"),
        ({"source_time": float("inf")}, "unreadable"),
        ({"stamps": {str(number): 0.0 for number in range(40)}}, "unreadable"),
        ({"stream": "x" * 200}, "unreadable"),
        ({"extra": {"label": 5}}, "Expected `str`"),
        ({"extra": {"notes": {"hz": "high"}}}, "Expected `float`"),
        ({"arrays": [["pixels", "<f4", [2, 3, 4]]]}, "1 arrays announced, 2 came"),
        ({"arrays": [["pixels", "<f4", [2, 3, 5]], ["maps/rate:4", "<u2", [6]]]}, "96 bytes came"),
        ({"arrays": [["pixels", "|O", [2, 3, 4]], ["maps/rate:4", "<u2", [6]]]}, "not allowed"),
        ({"arrays": [["pixels", "<f4", [1 << 30, 1 << 30, 1 << 30]], ["a", "<u2", [6]]]}, "96 bytes came"),
        ({"arrays": [["pixels", "<f4", [-2, -3, 4]], ["a", "<u2", [6]]]}, "unreadable"),
        ({"arrays": [["pixels", "<f4", [1, 1, 1, 2, 12]], ["a", "<u2", [6]]]}, "unreadable"),
        ({"arrays": [["other", "<f4", [2, 3, 4]], ["a", "<u2", [6]]]}, "pixels"),
    ],
)
def test_a_header_that_lies_is_refused(changes, complaint):
    with pytest.raises(EnvelopeError, match=complaint):
        decode(header_with(**changes))


@pytest.mark.parametrize("parts", [[], [b""], [b"\xc1"], [b"\x80"], [b"\x91" * 4000], [b"x" * 5000], [b"\xa2\xff\xfe"]])
def test_bytes_that_are_no_header_are_refused(parts):
    with pytest.raises(EnvelopeError):
        decode(parts)


def test_ten_thousand_damaged_messages_each_end_in_a_message_or_an_envelope_error():
    dice, whole = random.Random(1), on_the_wire(picture())
    refused = 0
    for _ in range(10_000):
        parts = [bytearray(part) for part in whole]
        victim = parts[0] if dice.random() < 0.9 else dice.choice(parts)
        for _ in range(dice.randint(1, 4)):
            match dice.randrange(3):
                case 0:
                    victim[dice.randrange(len(victim))] = dice.randrange(256)
                case 1:
                    del victim[dice.randrange(len(victim)) + 1 :]
                case 2:
                    victim.insert(dice.randrange(len(victim)), dice.randrange(256))
        try:
            decode([bytes(part) for part in parts])
        except EnvelopeError:
            refused += 1
    assert 5_000 < refused < 10_000
