"""What the two ends of a link say to each other, besides the messages themselves.

The consumer opens with `Hello`, then grants credit; the producer sends a message only against credit. Each first part
is one byte that tells what follows. nodes/PROTOCOL.md describes the same for other languages.
"""

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from engine.exceptions import EnvelopeError
from engine.policy import Policy

__all__ = ["Grant", "Hello", "Tag", "read_grant", "read_hello"]

_Total = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Tag(bytes, Enum):
    """First part of everything that travels on a link."""

    HELLO = b"H"
    """Consumer: who I am and what policy I choose (`Hello`)."""
    GRANT = b"G"
    """Consumer: what you may send, and what I have finished with (`Grant`); also a sign of life."""
    BYE = b"B"
    """Consumer: I am leaving; what is not finished is lost."""
    DATA = b"D"
    """Producer: the connection's name and a message's parts follow."""
    END = b"E"
    """Producer: the stream has ended; nothing follows."""
    WHO = b"?"
    """Producer: I do not know the connection that your grant names; if you still hold to it, say hello again."""
    REFUSED = b"R"
    """Producer: your hello cannot be accepted, and why."""


class Hello(msgspec.Struct, frozen=True):
    """Opens a connection; one that has the same node and port replaces the one before."""

    version: int
    node: Annotated[str, Meta(min_length=1, max_length=64)]
    port: Annotated[str, Meta(min_length=1, max_length=64)]
    connection: Annotated[str, Meta(min_length=1, max_length=64)]
    policy: Annotated[str, Meta(max_length=16)]
    depth: int = 32
    """Messages that wait at most; only ``drop_oldest`` looks at it."""
    buffer_s: float = 2.0
    """Seconds of a live stream that wait at most; only ``block`` looks at it."""

    def chosen_policy(self) -> Policy:
        """Return the policy that the consumer asks for.

        Raises
        ------
        PipelineError
            If there is no such policy, or its own figure is out of bounds.
        """
        match self.policy:
            case "drop_oldest":
                return Policy.parse({"drop_oldest": self.depth})
            case "block":
                return Policy.parse({"block": self.buffer_s})
        return Policy.parse(self.policy)


class Grant(msgspec.Struct, frozen=True):
    """Totals since the connection's hello, so that a repeated or lost one does no harm."""

    connection: Annotated[str, Meta(max_length=64)]
    messages: _Total
    bytes: _Total
    done: _Total


_hello = msgspec.msgpack.Decoder(Hello)
_grant = msgspec.msgpack.Decoder(Grant)


def read_hello(packed: bytes) -> Hello:
    """Decode and check a hello.

    Raises
    ------
    EnvelopeError
        If it is not one.
    """
    try:
        return _hello.decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"hello unreadable: {error}") from None


def read_grant(packed: bytes) -> Grant:
    """Decode and check a grant.

    Raises
    ------
    EnvelopeError
        If it is not one.
    """
    try:
        return _grant.decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeError(f"grant unreadable: {error}") from None
