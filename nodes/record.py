"""`record`: spikes, frames, readings and events into session folders, all of them or the seconds around an alarm."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

import msgspec
import psutil
from msgspec import Meta

from engine import Policy, Sink
from engine.exceptions import ControlError
from engine.message import Message
from nodes.messages import Event, Frames, Reading, Spikes
from nodes.recording.items import Itemiser
from nodes.recording.journal import Journal
from nodes.recording.keep import KeepAll, KeepAround, Keeper
from nodes.recording.ring import Ring
from nodes.recording.time_line import Place, TimeLine
from spikemm.exceptions import OptionError, RecordingError, SpikeMMError
from spikemm.packing import packed_bytes

__all__ = ["Record"]

_OTHERS_PART, _OTHERS_BYTES = 0.25, 256 << 20
"""What frames and readings may take of the ring, besides the spikes: a part of these, and a little more."""

_BUFFER_S = 4.0
"""Of a live stream that waits at its source when this process gets no processor: twice what other sinks are given."""

_MEMORY_PART = 0.8
"""Of the memory that is available, what the ring may take."""


class Around(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep the seconds around an alarm."""

    before_s: Annotated[float, Meta(ge=0, le=3600, description="Seconds before it, kept in memory.")]
    after_s: Annotated[float, Meta(ge=0, le=86_400, description="Seconds after it.")] = 1.0


class RecordOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `record`."""

    path: Annotated[str, Meta(min_length=1, description="Folder for the sessions; made if its parent is there.")]
    keep: Annotated[
        Literal["all"] | Around, Meta(description="all, or {before_s: N, after_s: M} around alarms and saves.")
    ] = "all"
    late_s: Annotated[
        float, Meta(ge=0, le=60, description="An alarm may come so late; with keep: {...}, so much more is in memory.")
    ] = 1.0
    file_gb: Annotated[float, Meta(gt=0, le=1000, description="A file ends at this size.")] = 4.0
    file_s: Annotated[float, Meta(gt=0, le=86_400, description="A file ends after so much sensor time.")] = 60.0
    session_s: (
        Annotated[float, Meta(gt=0, description="With keep: all, a new session begins after so long; null: never.")]
        | None
    ) = None
    max_gb: (
        Annotated[float, Meta(gt=0, description="Of all sessions in the folder; null: what the disk holds.")] | None
    ) = None
    keep_free_gb: Annotated[float, Meta(ge=0, description="Left free on the disk.")] = 1.0
    discard_oldest: Annotated[
        bool, Meta(description="Without room, remove the oldest session in the folder; else recording stops.")
    ] = False
    white: (
        Annotated[float, Meta(gt=0, le=10, description="Light shown as white, spikes/step; null: from the first.")]
        | None
    ) = None


class Record(Sink):
    """Record to session folders.

    With ``keep: all`` one session holds all that comes. With ``keep: {before_s: N, after_s: M}`` the last seconds are
    in memory, and an event that is raised, or the command ``save {seconds_after: M or null, reason: text}``, writes a
    session from N before it to M after it; what happens meanwhile makes it longer. A new time line (a seek, a loop) or
    another picture size begins another session; an alarm of the time line before has one of its own, while its steps
    are in memory. When the disk is full or too slow, the run goes on, what is
    lost is counted as `steps_not_recorded`, `entries_not_recorded` and `triggers_lost`, and the run does not end well.
    When a session is closed, a line says where it is, its seconds, and what is missing; `sessions_not_whole` counts
    those that lack something. Steps that were lost before they came here are told in this way only: whoever lost them
    answers for the run's exit status.
    Pictures and readings that come after their time line has ended count as `late_messages`; only a session of a late
    alarm holds them.
    """

    Options = RecordOptions
    accepts = {"spikes": Spikes, "frames": Frames, "readings": Reading, "events": Event}  # noqa: RUF012 - declared by the base
    optional_ports = frozenset({"spikes", "frames", "readings", "events"})
    policy = Policy("block", buffer_s=_BUFFER_S)
    user_errors = (SpikeMMError,)

    _journal: Journal | None = None

    @classmethod
    def check(cls, options: RecordOptions) -> None:
        """Check that the folder is there or can be made, and that no option is without effect."""
        path = Path(options.path)
        if path.exists() and not path.is_dir():
            raise OptionError(f"path {path} is a file; name a folder for the sessions")
        if not path.exists() and not path.absolute().parent.is_dir():
            raise OptionError(f"path {path}: there is no folder {path.parent}; make it first")
        if isinstance(options.keep, Around) and not options.keep.before_s + options.keep.after_s:
            raise OptionError("keep: before_s 0 and after_s 0 keep nothing: give one of them seconds")
        if options.session_s is not None and options.keep != "all":
            raise OptionError(f"session_s {options.session_s:g}: sessions end by themselves here; it is for keep: all")
        if options.discard_oldest and options.keep == "all" and options.session_s is None:
            raise OptionError(
                "discard_oldest with keep: all and one session without end: without room, all that was recorded would "
                "go at once; give session_s too (for example 600), so that there are older sessions to remove"
            )

    def setup(self) -> None:
        """Start the thread that writes; a session begins with what is to be recorded."""
        self._journal = Journal(self.options, self.context)
        self._itemiser = Itemiser(self.options.white)
        self._keeper: Keeper | None = None
        self._ring: Ring | None = None
        self._past: tuple[int, Keeper] | None = None
        self._size: tuple[int, int] | None = None
        self._time = TimeLine()
        self._line = self._time.line
        self._reserved = 0.0

    def process(self, message: Message, port: str) -> None:
        """Record it, keep it in memory, or both."""
        assert self._journal is not None
        self._journal.watch()
        match self._time.place(message):
            case Place.HERE:
                self._record(message)
            case Place.ASTRAY:
                assert self._keeper is not None
                self._record(self._time.adopted(message, self._keeper.newest - 1))
            case Place.LATE:
                self._record_late(message)
            case Place.WAITS:
                for longest in self._time.wait(message):
                    self._lose(longest)

    def _record(self, message: Message) -> None:
        keeper, fresh = self._follow(message)
        self._hand_over(message if message.rate_hz else self._time.adopted(message, message.step), keeper)
        for waited in self._time.waited() if fresh else ():
            self.process(waited, "")

    def _hand_over(self, message: Message, keeper: Keeper) -> None:
        for item in self._itemiser(message):
            keeper.take(item, self._itemiser.time.nanoseconds(message, item.step))
        if _is_raised(message):
            reason = str(message.details.get("text") or message.name)
            keeper.trigger(message.step, message.name, reason, None)

    def _record_late(self, message: Message) -> None:
        """Count a message that was on its way when the time line began anew; an alarm may still find its seconds."""
        assert self._journal is not None
        self.context.count("late_messages")
        epoch, keeper = self._past or (None, None)
        if isinstance(message, Spikes):
            self._journal.lose_steps(message.count)
        elif keeper is not None and epoch == message.epoch:
            self._hand_over(message, keeper)
        elif _is_raised(message):
            self._journal.refuse(message.name, "it came after another time line had begun")

    def _lose(self, message: Message) -> None:
        """Count a message whose time line has not come."""
        assert self._journal is not None
        if isinstance(message, Spikes):
            self._journal.lose_steps(message.count)
            return
        self._journal.lose_entry()
        if _is_raised(message):
            self._journal.refuse(message.name, "no spikes, frames or readings of its time line came")

    def _follow(self, message: Message) -> tuple[Keeper, bool]:
        """Begin anew where the time line or the picture does; return who keeps the message, and if that is new."""
        size = (message.height, message.width) if isinstance(message, Spikes) else None
        new_line, resized = self._time.line != self._line, None not in (size, self._size) and size != self._size
        if self._keeper is not None and (new_line or resized):
            self._keeper.end("a new time line" if new_line else "another picture size")
            self._past = (self._line.epoch, self._keeper) if new_line else None
            self._keeper = None
        self._line = self._time.line
        fresh = self._keeper is None
        if self._keeper is None:
            self._keeper, self._size = self._make_keeper(), None
        if isinstance(message, Spikes) and size != self._size:
            self._reserve(message)
            self._size = size
        return self._keeper, fresh

    def _make_keeper(self) -> Keeper:
        assert self._journal is not None
        keep, rate_hz = self.options.keep, self._line.rate_hz
        if isinstance(keep, str):
            return KeepAll(self._journal, self._line, self.options.session_s or math.inf)
        before, after, late = (round(s * rate_hz) for s in (keep.before_s, keep.after_s, self.options.late_s))
        self._ring = Ring(before + late, self._reserved or _OTHERS_BYTES, past=self._ring)
        return KeepAround(self._journal, self._ring, self._line, before, after, late)

    def _reserve(self, spikes: Spikes) -> None:
        """Give the ring its size, if the memory is there for what it did not have before.

        While a session is written, what has left the ring may still wait for the disk: as much again.
        """
        if self._ring is None:
            return
        assert self._journal is not None
        size = self._ring.steps * packed_bytes(spikes.height, spikes.width) * (1 + _OTHERS_PART) + _OTHERS_BYTES
        available = psutil.virtual_memory().available * _MEMORY_PART
        seconds = self._ring.steps / self._line.rate_hz
        more, self._reserved = size - self._reserved, max(size, self._reserved)
        if 2 * more > available:
            raise OptionError(
                f"keep: {seconds:g} s of {spikes.height}×{spikes.width} pixels take {size / 1e9:.3g} GB of memory, and "
                f"as much again while they are written; {available / 1e9:.3g} GB can be had: "
                f"take at most {seconds * available / (2 * size):.2g} s in before_s and late_s together"
            )
        self._ring.limit_bytes = size
        self._journal.reserve(self._reserved)
        self.context.log.info("%g s take up to %.0f MB of memory", seconds, size / 1e6)

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Carry out ``save {seconds_after: M or null, reason: text}``; return the session as ``file``."""
        match name, arguments:
            case "save", {**given} if given.keys() <= {"seconds_after", "reason"}:
                return {
                    "file": str(self._save(given.get("seconds_after"), str(given.get("reason") or "saved by hand")))
                }
        raise ControlError(
            f"{self.context.name} takes no command {name!r} with {arguments}; it takes save "
            "{seconds_after: number or null, reason: text}"
        )

    def _save(self, seconds_after: Any, reason: str) -> Path:
        number = isinstance(seconds_after, int | float) and not isinstance(seconds_after, bool)
        if seconds_after is not None and not (number and 0 <= seconds_after <= 86_400):
            raise ControlError(f"seconds_after is {seconds_after!r}; give seconds from 0 to 86400, or null")
        if self._keeper is None or self._journal is None:
            raise ControlError("nothing has come yet that could be saved; wait for the source")
        after = None if seconds_after is None else round(seconds_after * self._line.rate_hz)
        self._keeper.trigger(self._keeper.newest, "save", reason, after)
        self._journal.watch()
        if self._journal.session is None:
            raise ControlError(f"not recording: {self._journal.thread.failure or 'the last session failed'}")
        return self._journal.session

    def status(self) -> dict[str, Any]:
        """Return what is being recorded, and how much waits for the disk or is in memory."""
        journal, ring = self._journal, self._ring
        if journal is None:
            return {}
        journal.watch()
        return {
            "session": str(journal.session) if journal.session else None,
            "latest": str(journal.latest) if journal.latest else None,
            "sessions": journal.thread.sessions,
            "queued_mb": round(journal.thread.queued_bytes / 1e6, 1),
            "failure": journal.thread.failure,
            **({} if ring is None else self._ring_status(ring)),
        }

    def _ring_status(self, ring: Ring) -> dict[str, Any]:
        return {
            "ring_s": round((ring.newest - ring.first_step) / self._line.rate_hz, 3),
            "ring_mb": round(ring.nbytes / 1e6, 1),
            "ring_limit_mb": round(ring.limit_bytes / 1e6, 1),
            "ring_let_go": ring.let_go,
        }

    def flush(self) -> None:
        """Write what waits, and end the session.

        Raises
        ------
        RecordingError
            If steps or entries that should have been recorded were not.
        """
        assert self._journal is not None
        self._time.end()
        for message in self._time.waited():
            self.process(message, "")
        for message in self._time.waited():
            self._lose(message)
        self._journal.stop("the stream has ended")
        if self._journal.loss:
            raise RecordingError(f"{self.options.path}: {self._journal.loss}")

    def close(self) -> None:
        """End the session, where the stream had no end of its own."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.stop("the recorder was closed")


def _is_raised(message: Message) -> TypeGuard[Event]:
    return isinstance(message, Event) and message.details.get("state") == "raised"
