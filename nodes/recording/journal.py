"""Sessions one after another: their names, their descriptions, and what happens when one cannot be written."""

import time
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from engine.context import Context
from nodes.recording.items import Item, Steps
from nodes.recording.session import SessionPlan
from nodes.recording.time_line import Line
from nodes.recording.writer_thread import ClosedSession, RecordThread
from spikemm.session import Description, DiskRoom, Trigger

__all__ = ["Journal"]

_RETRY_S = 10.0
_PATIENCE_S = 10.0
_LAST_S = 25.0
"""A run that ends gives its nodes 30 s to write what they hold."""
_QUEUE_BYTES = 256 << 20
_NAMED = 64
"""Sessions that may wait for their folders."""
_PACKAGES = ("spikemm", "foxglove-sdk", "numpy")


class Journal:
    """Opens and closes sessions in one folder, and hands items to the thread that writes.

    Parameters
    ----------
    options : RecordOptions
        The node's options.
    context : Context
        The node's surroundings.

    Attributes
    ----------
    session : Path or None
        Folder of the session that is open.
    """

    def __init__(self, options: Any, context: Context) -> None:
        self._options, self._context = options, context
        self._folder = Path(options.path)
        self._folder.mkdir(exist_ok=True)
        self._room = DiskRoom(
            self._folder,
            max_bytes=None if options.max_gb is None else options.max_gb * 1e9,
            keep_free_bytes=options.keep_free_gb * 1e9,
            discard_oldest=options.discard_oldest,
        )
        self.thread = RecordThread(self._room, _QUEUE_BYTES)
        self.session: Path | None = None
        self.latest: Path | None = None
        self._named: deque[Path] = deque(maxlen=_NAMED)
        self._retry_at = -float("inf")
        self._refused = self._entries_refused = self._timeless = self._late = self._triggers_lost = 0
        self._stalled = False
        self._last_failure = self._why_refused = ""

    @property
    def steps_not_recorded(self) -> int:
        """Steps that should have been recorded and were not."""
        return self._late + self._refused + self.thread.steps_refused

    @property
    def entries_not_recorded(self) -> int:
        """Entries of frames, readings and events that should have been recorded and were not."""
        return self._timeless + self._entries_refused + self.thread.entries_refused

    @property
    def loss(self) -> str:
        """What was not recorded and why, for people; empty if nothing was lost and no session has failed."""
        steps, entries, triggers = self.steps_not_recorded, self.entries_not_recorded, self._triggers_lost
        if not (steps or entries or triggers):
            return self._last_failure and f"a session was not finished as it should be: {self._last_failure}"
        parts = [f"{steps} steps"] * bool(steps)
        parts += [f"{entries} entries of frames, readings and events"] * bool(entries)
        parts += [f"the seconds of {triggers} alarms or saves"] * bool(triggers)
        return f"{' and '.join(parts)} are not recorded: {self.thread.failure or self._why_lost()}"

    def _why_lost(self) -> str:
        if self.steps_not_recorded + self.entries_not_recorded > self._late + self._timeless:
            return self._last_failure or "the disk was too slow; choose a faster one"
        if self._late:
            return "they came after another time line had begun; give spikes one source"
        if self._timeless:
            return (
                "no spikes, frames or readings came that tell the time; connect them, or see that the source is alive"
            )
        return self._why_refused

    def reserve(self, ring_bytes: float) -> None:
        """Let the queue hold what a ring hands over at once, besides its own 256 MiB."""
        self.thread.limit_bytes = _QUEUE_BYTES + int(ring_bytes)

    def begin(self, step: int, nanoseconds: int, line: Line, stream: str) -> bool:
        """Begin a session at a step; False while the last one has failed less than 10 s ago.

        Parameters
        ----------
        step : int
            Its first step.
        nanoseconds : int
            Time of that step since 1970.
        line : Line
            What time line it is of.
        stream : str
            The node that its first item comes from.
        """
        if self._context.clock.now() < self._retry_at:
            return False
        started = nanoseconds / 1e9
        description = self._describe(step, started, line, stream)
        folder = self._name(started)
        size = self._options.file_gb * 1e9, self._options.file_s
        self.thread.begin(SessionPlan(folder, description, *size))
        self.session = self.latest = folder
        return True

    def _describe(self, step: int, started: float, line: Line, stream: str) -> Description:
        keep = self._options.keep
        return Description(
            height=0,
            width=0,
            rate_hz=line.rate_hz,
            first_step=step,
            started=started,
            pipeline=self._context.pipeline,
            stream=stream,
            epoch=line.epoch,
            keep=keep if isinstance(keep, str) else {"before_s": keep.before_s, "after_s": keep.after_s},
            versions={name: _version(name) for name in _PACKAGES},
        )

    def _name(self, started: float) -> Path:
        """Return a folder that is not there yet, named after the local time of its first step."""
        stem = time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(started))
        folder, number = self._folder / stem, 1
        while folder.exists() or folder in self._named:
            number += 1
            folder = self._folder / f"{stem}-{number}"
        self._named.append(folder)
        return folder

    def put(self, item: Item | None) -> None:
        """Record an item, if there is one; what a disk does not take within 10 s is lost, which is counted."""
        if item is None:
            return
        if self.session is None:
            self._refuse(item)
            return
        # One wait for each stall: a node that waits for every item in turn would be taken for a hanging one.
        taken = self.thread.put(item, 0.0 if self._stalled else _PATIENCE_S)
        if not taken:
            self._refuse(item)
        if not taken and not self._stalled:
            self._context.count("stalls")
            self._context.log.error("the disk has taken nothing for %g s; steps are lost", _PATIENCE_S)
        self._stalled = not taken

    def _refuse(self, item: Item) -> None:
        if isinstance(item, Steps):
            self._refused += len(item.packed)
            self.thread.note_dropped(len(item.packed))
        else:
            self._entries_refused += 1

    def lose_steps(self, steps: int) -> None:
        """Count steps that came after another time line had begun."""
        self._late += steps

    def lose_entry(self) -> None:
        """Count a message that no time line came for."""
        self._timeless += 1

    def trigger(self, trigger: Trigger) -> None:
        """Note in the session why it is kept."""
        self.thread.trigger(trigger)
        self._context.count("triggers")
        lacks = f"; {trigger.missing_before} steps before it are not in it" if trigger.missing_before else ""
        self._context.log.warning("recording %s: %s (step %d)%s", self.latest, trigger.reason, trigger.step, lacks)

    def refuse(self, name: str, why: str) -> None:
        """Say that a trigger comes to nothing, and why; the run does not end well."""
        self._triggers_lost += 1
        self._why_refused = why
        self._context.count("triggers_lost")
        self._context.log.error("%s: nothing is recorded for it: %s", name, why)

    def leave(self, name: str, why: str) -> None:
        """Say that no session names a trigger whose seconds are recorded, and why."""
        self._context.log.warning("%s: %s", name, why)

    def end(self, why: str) -> None:
        """End the session, if one is open."""
        if self.session is not None:
            self.session = None
            self.thread.end(why)

    def watch(self) -> None:
        """Say once when a session is closed or has failed, also one that had ended here and was still to be written."""
        while self.thread.failed:
            folder, self._last_failure = self.thread.failed.popleft()
            self._context.log.error("%s: not recording: %s", folder, self._last_failure)
            self._context.count("sessions_failed")
            if folder == self.session:
                self.session, self._retry_at = None, self._context.clock.now() + _RETRY_S
        while self.thread.closed:
            self._tell(self.thread.closed.popleft())
        self._context.counters["steps_recorded"] = self.thread.steps_recorded
        self._context.counters["steps_not_recorded"] = self.steps_not_recorded
        self._context.counters["entries_not_recorded"] = self.entries_not_recorded
        self._context.counters["sessions_discarded"] = len(self._room.discarded)

    def _tell(self, closed: ClosedSession) -> None:
        """Say what has become of a session.

        What went missing on the way here is told and does not end the run badly: whoever lost it answers for that.
        """
        held = f"{closed.seconds:.6g} s of spikes" if closed.seconds else "no spikes"
        if closed.losses:
            self._context.count("sessions_not_whole")
            self._context.log.warning("recorded %s: %s, not whole: %s", closed.folder, held, closed.losses)
        else:
            self._context.log.info("recorded %s: %s, nothing missing", closed.folder, held)

    def stop(self, why: str) -> None:
        """End everything."""
        self.end(why)
        self.thread.stop(_LAST_S)
        self.watch()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
