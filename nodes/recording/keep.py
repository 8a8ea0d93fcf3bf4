"""What is recorded: everything, or the seconds around what happens."""

from typing import Protocol

from nodes.recording.items import Item, Steps
from nodes.recording.journal import Journal
from nodes.recording.ring import Ring
from nodes.recording.time_line import Line
from spikemm.session import Trigger

__all__ = ["KeepAll", "KeepAround", "Keeper"]


class Keeper(Protocol):
    """Decides what is recorded."""

    @property
    def newest(self) -> int:
        """Step behind the newest item."""

    def take(self, item: Item, nanoseconds: int) -> None:
        """Take an item whose first step was seen at a time in nanoseconds since 1970."""

    def trigger(self, step: int, name: str, reason: str, after: int | None) -> None:
        """Something has happened at a step; keep `after` steps behind it, by default as the options say."""

    def end(self, why: str) -> None:
        """End what is open: what comes belongs to another time line. What is late for this one is still taken."""


class KeepAll:
    """Record everything.

    Parameters
    ----------
    journal : Journal
        Where to.
    line : Line
        What time line it is of.
    session_s : float
        Seconds after which a new session begins.
    """

    def __init__(self, journal: Journal, line: Line, session_s: float) -> None:
        self._journal, self._line, self._session_steps = journal, line, session_s * line.rate_hz
        self._first = self._newest = 0
        self._spikes = self._over = False

    @property
    def newest(self) -> int:
        """Step behind the newest item."""
        return self._newest

    def take(self, item: Item, nanoseconds: int) -> None:
        """Record it, unless its session has ended."""
        if self._over:
            return
        self._newest = max(self._newest, item.stop)
        self._spikes |= isinstance(item, Steps)
        leads = isinstance(item, Steps) or not self._spikes
        if leads and item.step - self._first >= self._session_steps:
            self._journal.end("session_s is over")
        if self._journal.session is None and self._journal.begin(item.step, nanoseconds, self._line, item.stream):
            self._first = item.step
        self._journal.put(item)

    def trigger(self, step: int, name: str, reason: str, after: int | None) -> None:
        """Note it in the session, which is kept anyway; it asks for no steps of its own."""
        if self._over:
            self._journal.leave(name, "its session had ended, which holds its seconds and does not name it")
        elif self._journal.session is None:
            self._journal.refuse(name, self._journal.thread.failure)
        else:
            self._journal.trigger(Trigger(step, name, reason, step, step))

    def end(self, why: str) -> None:
        """End the session; what comes next begins another."""
        self._over = True
        self._journal.end(why)


class KeepAround:
    """Keep the last steps in memory, and record those around a trigger.

    A session stays open for `late` steps behind its end: readings and pictures arrive after the steps they are of. What
    happens meanwhile makes the session longer. When the time line has ended, a late trigger is given a session of what
    is still in memory.

    Parameters
    ----------
    journal : Journal
        Where to.
    ring : Ring
        The last steps: `before` and `late`.
    line : Line
        What time line they are of.
    before, after : int
        Steps to keep around the step of a trigger.
    late : int
        Steps by which a trigger may be known later than it happens.
    """

    def __init__(self, journal: Journal, ring: Ring, line: Line, before: int, after: int, late: int) -> None:
        self._journal, self._ring, self._line = journal, ring, line
        self._before, self._after, self._late = before, after, late
        self._first = self._stop = 0
        self._known = (0, 0)
        self._stream = ""
        self._open = self._over = False

    @property
    def newest(self) -> int:
        """Step behind the newest item."""
        return self._ring.newest

    def take(self, item: Item, nanoseconds: int) -> None:
        """Keep it in memory; record it where its steps are asked for."""
        self._known, self._stream = (item.step, nanoseconds), item.stream
        self._ring.push(item)
        if self._open:  # also where the disk has failed since: what is lost then is to be counted
            self._journal.put(item.cut(self._first, self._stop))
            if self._ring.newest >= self._stop + self._late:
                self._open = False
                self._journal.end("the seconds after the trigger are over")

    def trigger(self, step: int, name: str, reason: str, after: int | None) -> None:
        """Record from `before` steps ahead of it to `after` behind it."""
        first, stop = max(0, step - self._before), step + (self._after if after is None else after)
        if (why := self._begin(first, stop)) is not None:
            self._journal.refuse(name, why)
            return
        self._journal.trigger(Trigger(step, name, reason, first, stop, max(0, self._first - first)))
        for item in self._ring:
            self._journal.put(item.cut(self._stop, stop))
        self._stop = max(self._stop, stop)
        if self._over:
            self._journal.end("its time line had ended")

    def _begin(self, first: int, stop: int) -> str | None:
        """Begin a session for steps [first, stop), unless one is open; return why not, where that cannot be."""
        journal, begin = self._journal, max(first, self._ring.first_step)
        if journal.session is not None:
            return "a session of the next time line was being written when it came" if self._over else None
        if begin >= (min(stop, self._ring.newest) if self._over else stop):
            return "its steps are no longer in memory"
        if not journal.begin(begin, self._moment(begin), self._line, self._stream):
            return journal.thread.failure
        self._first = self._stop = begin
        self._open = not self._over
        return None

    def _moment(self, step: int) -> int:
        """Return the time of a step, in nanoseconds since 1970."""
        known, nanoseconds = self._known
        return nanoseconds + round((step - known) * 1e9 / self._line.rate_hz)

    def end(self, why: str) -> None:
        """End the session; what is in memory belongs to the past."""
        self._open, self._over = False, True
        self._journal.end(why)
