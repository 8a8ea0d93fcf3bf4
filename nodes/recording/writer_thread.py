"""The thread that writes, so that a disk that pauses does not hold up the node."""

import errno
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from typing import Any, NamedTuple

from nodes.recording.items import Entry, Item, Steps
from nodes.recording.session import RecordedSession, SessionPlan
from spikemm.exceptions import SpikeMMError
from spikemm.session import DiskRoom, Trigger

__all__ = ["ClosedSession", "RecordThread"]

_BLOCK_BYTES = 4 << 20
_IDLE_S = 0.2
_LAST_WRITE_S = 3.0


class ClosedSession(NamedTuple):
    """A session that is not written any more.

    Attributes
    ----------
    folder : Path
        Its folder.
    seconds : float
        Seconds of spikes in it.
    losses : str
        What it lacks, in words; empty if it is whole.
    """

    folder: Path
    seconds: float
    losses: str


class _Close(NamedTuple):
    why: str


class _Dropped(NamedTuple):
    steps: int


_Job = SessionPlan | Item | Trigger | _Dropped | _Close


class RecordThread:
    """Carries out jobs in order: begin a session, write items, note triggers, end it.

    A session that fails is closed as well as can be; what comes for it afterwards is counted and let go.

    Parameters
    ----------
    room : DiskRoom
        What sessions may take.
    limit_bytes : int
        Bytes of items that wait at most.

    Attributes
    ----------
    failure : str
        Why the last session failed; empty while all is well.
    failed : deque of (Path, str)
        Folders of sessions that have failed, and why; whoever tells of them takes them out.
    closed : deque of ClosedSession
        Sessions that are not written any more, the failed too; whoever tells of them takes them out.
    steps_recorded, steps_refused : int
        Steps written, and steps that came for a session that had failed.
    entries_refused : int
        Entries that came for a session that had failed.
    sessions : int
        Sessions begun.
    limit_bytes : int
        Bytes of items that wait at most; may be set.
    """

    def __init__(self, room: DiskRoom, limit_bytes: int) -> None:
        self._room, self.limit_bytes = room, limit_bytes
        self._changed = Condition()
        self._jobs: deque[_Job] = deque()
        self._bytes = 0
        self._stopping = False
        self._session: RecordedSession | None = None
        self._crash: Exception | None = None
        self.failure = ""
        self.failed: deque[tuple[Path, str]] = deque()
        self.closed: deque[ClosedSession] = deque()
        self._folder = Path()
        self.steps_recorded = self.steps_refused = self.entries_refused = self.sessions = 0
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def queued_bytes(self) -> int:
        """Bytes of items that wait."""
        return self._bytes

    def begin(self, plan: SessionPlan) -> None:
        """Begin a session."""
        self.failure = ""
        self._put(plan)

    def trigger(self, trigger: Trigger) -> None:
        """Note why the session is kept."""
        self._put(trigger)

    def note_dropped(self, steps: int) -> None:
        """Note in the session how many of its steps were not handed over."""
        with self._changed:
            last = self._jobs[-1] if self._jobs else None
            if isinstance(last, _Dropped):  # a disk that hangs for hours must not fill the memory with notes
                self._jobs[-1] = _Dropped(last.steps + steps)
            else:
                self._put(_Dropped(steps))

    def end(self, why: str) -> None:
        """End the session."""
        self._put(_Close(why))

    def put(self, item: Item, patience_s: float) -> bool:
        """Hand an item over; False if there was no room for it within `patience_s`.

        Raises
        ------
        Exception
            What the thread has died of.
        """
        with self._changed:
            self._changed.wait_for(self._has_room, patience_s)
            if self._crash is not None:
                raise self._crash
            if not self._has_room():
                return False
            self._bytes += item.nbytes
        self._put(item)
        return True

    def stop(self, patience_s: float) -> None:
        """Carry out what waits, and end the thread; items not written within `patience_s` count as refused.

        Raises
        ------
        Exception
            What the thread has died of.
        """
        with self._changed:
            again, self._stopping = self._stopping, True
            self._changed.notify_all()
        if again:  # after a failed end, too, the node is closed: a disk that hangs is waited for once
            return
        self._thread.join(patience_s)
        if self._thread.is_alive():
            self._let_go()
            self._thread.join(_LAST_WRITE_S)
        if self._crash is not None:
            raise self._crash

    def _let_go(self) -> None:
        """Forget the items that wait, so that the session can be closed."""
        with self._changed:
            items = [job for job in self._jobs if isinstance(job, Steps | Entry)]
            self._jobs = deque(job for job in self._jobs if not isinstance(job, Steps | Entry))
            self._jobs.appendleft(_Dropped(_steps(items)))
            self._bytes -= sum(item.nbytes for item in items)
        self._refuse(items)

    def _has_room(self) -> bool:
        return self._bytes < self.limit_bytes or self._crash is not None

    def _put(self, job: _Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (batch := self._take()) is not None:
                self._guard(self._work, batch)
        except Exception as error:  # ours: the node's thread raises it
            with self._changed:
                self._crash = error
                self._changed.notify_all()

    def _take(self) -> list[Any] | None:
        """Return the next job alone, consecutive steps up to 4 MiB together, nothing after a while; None at the end."""
        with self._changed:
            if not self._jobs and not self._stopping:
                self._changed.wait(_IDLE_S)
            if not self._jobs:
                return None if self._stopping else []
            batch = [self._jobs.popleft()]
            size = getattr(batch[0], "nbytes", 0)
            while isinstance(batch[-1], Steps) and self._jobs and self._continues(batch[-1], size):
                batch.append(self._jobs.popleft())
                size += batch[-1].nbytes
            return batch

    def _continues(self, last: Steps, size: int) -> bool:
        following = self._jobs[0]
        return isinstance(following, Steps) and following.step == last.stop and size + following.nbytes <= _BLOCK_BYTES

    def _work(self, batch: list[Any]) -> None:
        match batch:
            case [SessionPlan() as plan]:
                self._end("another session begins")
                self.sessions += 1
                self._folder = plan.folder
                self._session = RecordedSession(plan, self._room)
            case [_Close(why=why)]:
                self._end(why)
            case [Trigger() as trigger] if self._session is not None:
                self._session.trigger(trigger)
            case [_Dropped(steps=steps)] if self._session is not None:
                self._session.writer.description.steps_not_recorded += steps
            case [Steps() | Entry(), *_]:
                self._write(batch)
        if self._session is not None:
            self._session.tend()

    def _end(self, why: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close(why)
            self._tell(session)

    def _tell(self, session: RecordedSession) -> None:
        writer = session.writer
        self.closed.append(ClosedSession(writer.folder, writer.seconds, writer.losses))

    def _write(self, items: list[Any]) -> None:
        """Write one entry, or consecutive steps."""
        if self._session is None:
            self._refuse(items)
            return
        try:
            if isinstance(items[0], Entry):
                self._session.write_entry(items[0])
            else:
                self._session.write_steps(items)
        except (OSError, SpikeMMError):
            self._refuse(items)
            raise
        self.steps_recorded += _steps(items)

    def _refuse(self, items: list[Item]) -> None:
        self.steps_refused += _steps(items)
        self.entries_refused += sum(isinstance(item, Entry) for item in items)

    def _guard(self, work: Callable[[list[Any]], None], batch: list[Any]) -> None:
        """Work; a failure that the user can cure ends the session, not the thread."""
        try:
            work(batch)
        except (OSError, SpikeMMError) as error:
            session, self._session = self._session, None
            text = _told(error)
            if session is not None:
                session.abandon(text)
                self._tell(session)
            self.failure = text
            self.failed.append((self._folder, text))
        finally:
            with self._changed:
                self._bytes -= sum(getattr(job, "nbytes", 0) for job in batch)
                self._changed.notify_all()


def _steps(items: list[Item]) -> int:
    return sum(len(item.packed) for item in items if isinstance(item, Steps))


def _told(error: OSError | SpikeMMError) -> str:
    if isinstance(error, SpikeMMError):
        return str(error)
    reason = error.strerror or str(error)
    remedy = "make room, or choose" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose"
    return f"cannot be written: {reason[:1].lower()}{reason[1:]}; {remedy} another place"
