"""Which messages belong to the time line that is recorded, which come too late, and which have to wait for theirs."""

from collections import deque
from dataclasses import replace
from enum import Enum, auto

from engine.message import Message

__all__ = ["Place", "TimeLine"]

_WAITING = 256


class Place(Enum):
    """Where a message belongs."""

    HERE = auto()
    LATE = auto()
    WAITS = auto()
    ASTRAY = auto()


class TimeLine:
    """The time line that is recorded.

    Spikes and frames decide which it is. Readings and events do so only until the first of those has come: a node that
    was started again and has seen nothing yet sends events with a time line of its own and without a rate. These are
    `Place.ASTRAY`, their step means nothing; before there is a time line they wait for one.

    Attributes
    ----------
    epoch : int
        Its number; -1 before there is one.
    rate_hz : float
        Steps per second; 0 before there is one.
    """

    def __init__(self) -> None:
        self.epoch, self.rate_hz = -1, 0.0
        self._sure = False
        self._waiting: deque[Message] = deque()

    def place(self, message: Message) -> Place:
        """Return where a message belongs; the first one of a new time line begins it."""
        if self._begins(message):
            self.epoch, self.rate_hz = message.epoch, message.rate_hz
            self._sure = not message.sparse
            return Place.HERE
        if self.epoch < 0:
            return Place.WAITS
        if message.sparse and not message.rate_hz:
            return Place.ASTRAY
        if message.epoch < self.epoch:
            return Place.LATE
        return Place.WAITS if message.epoch > self.epoch else Place.HERE

    def _begins(self, message: Message) -> bool:
        if not message.rate_hz or (message.sparse and self._sure):
            return False
        return message.epoch > self.epoch or (not message.sparse and not self._sure)

    def wait(self, message: Message) -> Message | None:
        """Let a message wait for its time line; return the one that has waited longest if there are too many."""
        self._waiting.append(message)
        return self._waiting.popleft() if len(self._waiting) > _WAITING else None

    def waited(self) -> list[Message]:
        """Return all that have waited, in order; those still too early are to wait again."""
        waited, self._waiting = list(self._waiting), deque()
        return waited

    def adopted(self, message: Message, step: int) -> Message:
        """Return a message as one of this time line, at a step of it."""
        return replace(message, epoch=self.epoch, rate_hz=self.rate_hz, step=step)
