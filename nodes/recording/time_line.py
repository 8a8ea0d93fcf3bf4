"""Which messages belong to the time line that is recorded, which come too late, and which have to wait for theirs."""

from collections import deque
from dataclasses import replace
from enum import Enum, auto
from typing import NamedTuple

from engine.message import Message
from nodes.messages import Spikes

__all__ = ["Line", "Place", "TimeLine"]

_WAITING, _WAITING_BYTES = 256, 256 << 20


class Line(NamedTuple):
    """A time line.

    Attributes
    ----------
    epoch : int
        Its number; -1 before there is one.
    rate_hz : float
        Steps per second; 0 before there is one.
    """

    epoch: int
    rate_hz: float


class Place(Enum):
    """Where a message belongs."""

    HERE = auto()
    LATE = auto()
    WAITS = auto()
    ASTRAY = auto()


class TimeLine:
    """The time line that is recorded.

    Spikes decide which it is; frames do so only until the first spikes have come, readings and events until the first
    frames. So what has overtaken spikes on the way waits for them, and none of these are late. A node that was started
    again and has seen nothing yet sends events without a rate: they are `Place.ASTRAY`, their step and epoch mean
    nothing; before there is a time line they wait for one.

    Attributes
    ----------
    line : Line
        Which it is.
    """

    def __init__(self) -> None:
        self.line = Line(-1, 0.0)
        self._rank = -1
        self._waiting: deque[Message] = deque()
        self._waiting_bytes = 0

    def place(self, message: Message) -> Place:
        """Return where a message belongs; the first one of a new time line begins it."""
        if self._begins(message):
            self.line, self._rank = Line(message.epoch, message.rate_hz), _rank(message)
            return Place.HERE
        if self.line.epoch < 0:
            return Place.WAITS
        if message.sparse and not message.rate_hz:
            return Place.ASTRAY
        if message.epoch < self.line.epoch:
            return Place.LATE
        return Place.WAITS if message.epoch > self.line.epoch else Place.HERE

    def _begins(self, message: Message) -> bool:
        rank = _rank(message)
        later = rank == self._rank and message.epoch > self.line.epoch
        return message.rate_hz > 0 and (later or rank > self._rank)

    def wait(self, message: Message) -> list[Message]:
        """Let a message wait for its time line; return those that have waited longest where they are too many."""
        self._waiting.append(message)
        self._waiting_bytes += _nbytes(message)
        over = []
        while len(self._waiting) > _WAITING or self._waiting_bytes > _WAITING_BYTES:
            over.append(self._waiting.popleft())
            self._waiting_bytes -= _nbytes(over[-1])
        return over

    def waited(self) -> list[Message]:
        """Return all that have waited, in order; those still too early are to wait again."""
        waited, self._waiting, self._waiting_bytes = list(self._waiting), deque(), 0
        return waited

    def end(self) -> None:
        """No spikes come any more: from now on any message may begin its time line."""
        self._rank = -1

    def adopted(self, message: Message, step: int) -> Message:
        """Return a message as one of this time line, at a step of it."""
        return replace(message, epoch=self.line.epoch, rate_hz=self.line.rate_hz, step=step)


def _rank(message: Message) -> int:
    return 2 if isinstance(message, Spikes) else 0 if message.sparse else 1


def _nbytes(message: Message) -> int:
    return sum(array.nbytes for _, array in message.named_arrays())
