"""The page's list of alarms and marks: the last ones, and which of them somebody has acknowledged."""

import itertools
import threading
from typing import Any

import msgspec

from nodes.messages import Event
from nodes.page.board import NoticeBoard

__all__ = ["EventLog", "LoggedEvent"]

_KEPT = 200


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event as the page lists it.

    Attributes
    ----------
    number : int
        Counts the events, from 1.
    wall : float
        When it came, seconds since 1970.
    step, seconds : int, float or None
        When it happened in sensor time.
    name : str
        The alarm's rule, or ``mark``.
    details : dict
        As in the message: state, severity, region, quantity, value, limit, unit, text.
    acknowledged : bool
        Whether somebody has.
    """

    number: int
    wall: float
    step: int
    seconds: float | None
    name: str
    details: dict[str, Any]
    acknowledged: bool = False


class EventLog:
    """The last 200 events; `take` is called in the node's thread, the rest in the event loop's.

    Attributes
    ----------
    board : NoticeBoard of LoggedEvent
        Where browsers read them.
    """

    def __init__(self) -> None:
        self.board: NoticeBoard[LoggedEvent] = NoticeBoard(_KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def take(self, event: Event, wall: float) -> None:
        """Add an event."""
        seconds = event.step / event.rate_hz if event.rate_hz else None
        with self._lock:
            number = next(self._numbers)
            self.board.put(number, LoggedEvent(number, wall, event.step, seconds, event.name, event.details))

    def acknowledge(self, rule: str, region: str = "") -> None:
        """Mark the events of a rule as acknowledged, on one region or on all; the list keeps its order."""
        with self._lock:
            for event in self.board.notices():
                meant = event.name == rule and region in ("", event.details.get("region"))
                if meant and not event.acknowledged:
                    self.board.put(event.number, msgspec.structs.replace(event, acknowledged=True))
