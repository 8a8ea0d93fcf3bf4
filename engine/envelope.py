"""The wire format: a msgpack header and raw arrays, checked on arrival.

``[header, array, array, …]``; nothing that arrives is trusted: the header's length, every bound, every dtype and every
length is checked before an array is made of the bytes. There is no pickle anywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, get_type_hints

import msgspec
import numpy as np
from msgspec import Meta

from engine.exceptions import EnvelopeError
from engine.message import Message, kind_named

__all__ = ["DTYPES", "HEADER_LIMIT_BYTES", "WIRE_VERSION", "decode", "encode", "host_array"]

WIRE_VERSION = 1
HEADER_LIMIT_BYTES = 4096
DTYPES = frozenset({"|u1", "<u2", "<u4", "<i2", "<i4", "<i8", "<f4", "<f8"})
_ARRAY_LIMIT_BYTES = 1 << 30

_Natural = Annotated[int, Meta(ge=0, lt=1 << 62)]
_Name = Annotated[str, Meta(max_length=128)]
_Seconds = Annotated[float, Meta(ge=0, lt=1e12)]


class ArrayHeader(msgspec.Struct, array_like=True, frozen=True):
    """Name, dtype and shape of one array."""

    name: _Name
    dtype: Annotated[str, Meta(max_length=4)]
    shape: Annotated[list[Annotated[int, Meta(ge=0, lt=1 << 31)]], Meta(max_length=4)]


class Header(msgspec.Struct, frozen=True):
    """The envelope as it travels; the fields are those of :class:`engine.message.Message`."""

    version: int
    kind: _Name
    stream: _Name
    seq: _Natural
    epoch: _Natural
    flush_before: _Natural
    revision: _Natural
    step: _Natural
    count: Annotated[int, Meta(ge=0, lt=1 << 31)]
    hop: Annotated[int, Meta(ge=1, lt=1 << 31)]
    gap: _Natural
    rate_hz: Annotated[float, Meta(ge=0, lt=1e9)]
    source_time: _Seconds
    stamps: Annotated[dict[_Name, _Seconds], Meta(max_length=32)]
    arrays: Annotated[list[ArrayHeader], Meta(max_length=32)]
    extra: dict[str, Any]


_ENVELOPE = tuple(spec.name for spec in fields(Message))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


@cache
def _extra_types(kind_name: str) -> dict[str, Any]:
    """Name → type of the fields that a kind adds to the header."""
    kind = kind_named(kind_name)
    types = get_type_hints(kind, include_extras=True)
    return {
        spec.name: types[spec.name]
        for spec in fields(kind)
        if spec.name not in _ENVELOPE and "array" not in spec.metadata
    }


def host_array(value: Any) -> np.ndarray[Any, Any]:
    """Return a contiguous numpy array in host memory; a tensor is brought over from its device."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.ascontiguousarray(value)


def encode(message: Message) -> list[Any]:
    """Turn a message into the parts of a multipart message.

    Returns
    -------
    list
        The header's bytes, then one C-contiguous numpy array a part (not copied: leave it unchanged from here on).

    Raises
    ------
    EnvelopeError
        If the header is longer than `HEADER_LIMIT_BYTES`, or a dtype may not travel.
    """
    parts = {name: host_array(value) for name, value in message.named_arrays()}
    for name, part in parts.items():
        if part.dtype.str not in DTYPES:
            raise EnvelopeError(f"{message.kind}.{name}: dtype {part.dtype} may not travel; convert it first")
    header = Header(
        version=WIRE_VERSION,
        kind=message.kind,
        arrays=[ArrayHeader(name, part.dtype.str, list(part.shape)) for name, part in parts.items()],
        extra={name: getattr(message, name) for name in _extra_types(message.kind)},
        **{name: getattr(message, name) for name in _ENVELOPE},
    )
    packed = _encoder.encode(header)
    if len(packed) > HEADER_LIMIT_BYTES:
        raise EnvelopeError(f"{message.kind}: header of {len(packed)} bytes; the limit is {HEADER_LIMIT_BYTES}")
    return [packed, *parts.values()]


def decode(parts: Sequence[Any]) -> Message:
    """Rebuild a message from its parts; the arrays are views of them.

    Parameters
    ----------
    parts : sequence of bytes-like
        The header, then the arrays.

    Raises
    ------
    EnvelopeError
        If anything about it breaks the wire format.
    """
    if not parts or len(parts[0]) > HEADER_LIMIT_BYTES:
        raise EnvelopeError(f"header of {len(parts[0]) if parts else 0} bytes; 1 to {HEADER_LIMIT_BYTES} allowed")
    header = _decode_header(parts[0])
    kind = kind_named(header.kind)
    if len(header.arrays) != len(parts) - 1:
        raise EnvelopeError(f"{header.kind}: {len(header.arrays)} arrays announced, {len(parts) - 1} came")
    arrays = {spec.name: _view(spec, part) for spec, part in zip(header.arrays, parts[1:], strict=True)}
    message = _build(kind, header, arrays)
    message.validate()
    return message


def _decode_header(packed: Any) -> Header:
    try:
        header = _decoder.decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError(f"header unreadable: {error}") from None
    if header.version != WIRE_VERSION:
        raise EnvelopeError(f"wire version {header.version}; this end speaks {WIRE_VERSION}")
    return header


def _view(spec: ArrayHeader, part: Any) -> np.ndarray[Any, Any]:
    if spec.dtype not in DTYPES:
        raise EnvelopeError(f"{spec.name}: dtype {spec.dtype!r} is not allowed")
    dtype = np.dtype(spec.dtype)
    expected = math.prod(spec.shape) * dtype.itemsize
    if expected != len(part) or expected > _ARRAY_LIMIT_BYTES:
        raise EnvelopeError(f"{spec.name}: {len(part)} bytes came for shape {spec.shape} of {spec.dtype}")
    return np.frombuffer(part, dtype).reshape(spec.shape)


def _build(kind: type[Message], header: Header, arrays: dict[str, np.ndarray[Any, Any]]) -> Message:
    """Distribute the header and the arrays over the fields of the kind."""
    values: dict[str, Any] = {name: getattr(header, name) for name in _ENVELOPE}
    try:
        for name, wanted in _extra_types(kind.kind).items():
            if name in header.extra:
                values[name] = msgspec.convert(header.extra[name], wanted)
        for spec in fields(kind):
            if spec.metadata.get("array") == "one" and spec.name in arrays:
                values[spec.name] = arrays[spec.name]
            elif spec.metadata.get("array") == "map":
                prefix = f"{spec.name}/"
                values[spec.name] = {
                    name.removeprefix(prefix): part for name, part in arrays.items() if name.startswith(prefix)
                }
        return kind(**values)
    except (msgspec.ValidationError, TypeError) as error:
        raise EnvelopeError(f"{header.kind}: {error}") from None
