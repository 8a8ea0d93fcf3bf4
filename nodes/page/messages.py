"""What a browser may say to the page's server; everything is bounded, and anything else is no message."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = ["Command", "Drawn", "FromBrowser", "Level", "Ping", "ReadingsShown", "SetOption", "decode"]

_Name = Annotated[str, Meta(max_length=100)]
_Id = Annotated[int, Meta(ge=0, le=2**53)]


class Drawn(msgspec.Struct, tag_field="type", tag="drawn"):
    """The browser has drawn a picture; its age then, or null where it was not visible."""

    picture: _Id
    age_ms: Annotated[float, Meta(ge=-1e9, le=1e9)] | None = None


class ReadingsShown(msgspec.Struct, tag_field="type", tag="readings_shown"):
    """The browser has shown the last readings and can take new ones."""


class Ping(msgspec.Struct, tag_field="type", tag="ping"):
    """The browser compares its clock with the server's."""

    sent: float


class Level(msgspec.Struct, tag_field="type", tag="level"):
    """Take the white level anew."""


class SetOption(msgspec.Struct, tag_field="type", tag="set"):
    """Change a live option of a node."""

    id: _Id
    node: _Name
    option: _Name
    value: Any


class Command(msgspec.Struct, tag_field="type", tag="command"):
    """Give a node a command."""

    id: _Id
    node: _Name
    name: _Name
    arguments: dict[_Name, Any] = {}


FromBrowser = Drawn | ReadingsShown | Ping | Level | SetOption | Command

_decoder = msgspec.json.Decoder(FromBrowser)
_MOST_OPENINGS = 400
"""Brackets in a message: a value nested deeper than Python's stack could be read here, but not be packed on its way."""


def decode(data: str | bytes) -> FromBrowser | None:
    """Return the message, or None for what is none."""
    text = data.encode() if isinstance(data, str) else data
    if text.count(b"[") + text.count(b"{") > _MOST_OPENINGS:
        return None
    try:
        message: FromBrowser = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return message
