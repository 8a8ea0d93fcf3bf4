"""One session while it is recorded: spikes, messages for viewers, the calibration, and an eye on the room left."""

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nodes.recording.items import Camera, Entry, Steps
from nodes.recording.message_files import MessageFiles
from spikemm.session import Description, DiskRoom, SessionWriter, Trigger

__all__ = ["RecordedSession", "SessionPlan"]

_EVERY_S = 1.0
_CALIBRATION = "calibration.npz"


class SessionPlan(NamedTuple):
    """What a session is to be.

    Attributes
    ----------
    folder : Path
        Its folder, not yet there.
    description : Description
        What is known of it.
    file_bytes, file_s : float
        When its files take turns.
    """

    folder: Path
    description: Description
    file_bytes: float
    file_s: float


class RecordedSession:
    """A session that is being recorded; belongs to the recorder's thread.

    Parameters
    ----------
    plan : SessionPlan
        What it is to be.
    room : DiskRoom
        What it may take.

    Raises
    ------
    OSError, RecordingError
        If there is no room, or the folder cannot be written.
    """

    def __init__(self, plan: SessionPlan, room: DiskRoom) -> None:
        room.ensure()
        self._room, self._due = room, time.monotonic() + _EVERY_S
        size = {"file_bytes": plan.file_bytes, "file_s": plan.file_s}
        self.writer = SessionWriter(plan.folder, plan.description, **size)
        self._messages = MessageFiles(plan.folder, **size)

    def write_steps(self, steps: Sequence[Steps]) -> None:
        """Append consecutive steps as one block."""
        if not self.writer.steps:
            self._introduce(steps[0].camera)
        self.writer.write(steps[0].step, [part.packed for part in steps], steps[-1].wall)

    def _introduce(self, camera: Camera) -> None:
        """Note what the spikes come from; the first of them may come later than a reading or an event."""
        description = self.writer.description
        description.height, description.width, description.stream = camera.height, camera.width, camera.stream
        if camera.calibration:
            shutil.copyfile(camera.calibration, self.writer.folder / _CALIBRATION)
            description.calibration = _CALIBRATION
        description.save(self.writer.folder)

    def write_entry(self, entry: Entry) -> None:
        """Append an entry."""
        self._messages.write(entry)

    def trigger(self, trigger: Trigger) -> None:
        """Note why the session is kept."""
        self.writer.trigger(trigger)

    def tend(self) -> None:
        """Do what is due each second.

        Raises
        ------
        OSError, RecordingError
            If the disk fails, or there is no room left.
        """
        self._messages.tend()
        if time.monotonic() >= self._due:
            self._room.ensure()
            self.writer.sync()
            self._due = time.monotonic() + _EVERY_S

    def close(self, why: str, *, failed: bool = False) -> None:
        """Finish it."""
        try:
            self._messages.close()
        finally:
            self.writer.close(why, failed=failed)

    def abandon(self, why: str) -> None:
        """Finish as much of it as a disk that has failed allows; what was written stays readable."""
        with suppress(OSError):
            self.close(why, failed=True)
