"""What is recorded: everything, or the seconds around what happens."""

from typing import Protocol

from nodes.recording.items import Item, Steps
from nodes.recording.journal import Journal
from nodes.recording.ring import Ring
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

    def restart(self, why: str) -> None:
        """End what is open: nothing from before belongs to what comes."""


class KeepAll:
    """Record everything.

    Parameters
    ----------
    journal : Journal
        Where to.
    session_steps : float
        Steps after which a new session begins.
    """

    def __init__(self, journal: Journal, session_steps: float) -> None:
        self._journal, self._session_steps = journal, session_steps
        self._first = self._newest = 0

    @property
    def newest(self) -> int:
        """Step behind the newest item."""
        return self._newest

    def take(self, item: Item, nanoseconds: int) -> None:
        """Record it."""
        self._newest = max(self._newest, item.stop)
        if isinstance(item, Steps) and item.step - self._first >= self._session_steps:
            self._journal.end("session_s is over")
        if self._journal.session is None and self._journal.begin(item.step, nanoseconds):
            self._first = item.step
        self._journal.put(item)

    def trigger(self, step: int, name: str, reason: str, after: int | None) -> None:
        """Note it in the session, which is kept anyway."""
        if self._journal.session is not None:
            self._journal.trigger(Trigger(step, name, reason, step, step + 1))

    def restart(self, why: str) -> None:
        """End the session; what comes next begins another."""
        self._journal.end(why)


class KeepAround:
    """Keep the last steps in memory, and record those around a trigger.

    A session stays open for `late` steps behind its end: readings and pictures arrive after the steps they are of. What
    happens meanwhile makes the session longer.

    Parameters
    ----------
    journal : Journal
        Where to.
    ring : Ring
        The last steps: `before` and `late`.
    rate_hz : float
        Steps per second.
    before, after : int
        Steps to keep around the step of a trigger.
    late : int
        Steps by which a trigger may be known later than it happens.
    """

    def __init__(self, journal: Journal, ring: Ring, rate_hz: float, before: int, after: int, late: int) -> None:
        self._journal, self._ring, self._rate_hz = journal, ring, rate_hz
        self._before, self._after, self._late = before, after, late
        self._first = self._stop = 0
        self._known = (0, 0)

    @property
    def newest(self) -> int:
        """Step behind the newest item."""
        return self._ring.newest

    def take(self, item: Item, nanoseconds: int) -> None:
        """Keep it in memory; record it where its steps are asked for."""
        self._known = item.step, nanoseconds
        self._ring.push(item)
        if self._journal.session is not None:
            self._journal.put(item.cut(self._first, self._stop))
            if self._ring.newest >= self._stop + self._late:
                self._journal.end("the seconds after the trigger are over")

    def trigger(self, step: int, name: str, reason: str, after: int | None) -> None:
        """Record from `before` steps ahead of it to `after` behind it."""
        first, stop = step - self._before, step + (self._after if after is None else after)
        if self._journal.session is None:
            self._first = self._stop = max(first, self._ring.first_step)
            if not self._journal.begin(self._first, self._moment(self._first)):
                self._journal.refuse(name, self._journal.thread.failure)
                return
        self._journal.trigger(Trigger(step, name, reason, first, stop, max(0, self._first - first)))
        for item in self._ring:
            self._journal.put(item.cut(self._stop, stop))
        self._stop = max(self._stop, stop)

    def _moment(self, step: int) -> int:
        """Return the time of a step, in nanoseconds since 1970."""
        known, nanoseconds = self._known
        return nanoseconds + round((step - known) * 1e9 / self._rate_hz)

    def restart(self, why: str) -> None:
        """End the session; what is in memory belongs to the past."""
        self._journal.end(why)
