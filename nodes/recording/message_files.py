"""Frames, readings and events as MCAP without compression, which open viewers read; whole again every second."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from nodes.messages import Event, Reading
from nodes.recording.items import Entry
from nodes.streaming.foxglove_schemas import READING_SCHEMA, event_log, image, map_image, reading_fields
from spikemm.session import messages_name

if TYPE_CHECKING:
    from foxglove.mcap import MCAPWriter

__all__ = ["MessageFile", "MessageFiles"]

_EVERY_S = 1.0
_PENDING_LIMIT = 4 << 20

_MAGIC = b"\x89MCAP0\r\n"
_END = b"\x0f" + (4).to_bytes(8, "little") + bytes(4) + b"\x02" + (20).to_bytes(8, "little") + bytes(20) + _MAGIC
"""The records DataEnd and Footer, without a summary, and the magic: what makes a file of MCAP whole."""

_DETAILS = {"title": "spikemm.Details", "type": "object", "properties": {"step": {"type": "integer"}}}


class MessageFile:
    """What the MCAP writer writes to: it gathers, and `commit` appends to the file and gives it an end.

    A writer that is killed leaves a file without an end, which readers refuse. This one has an end at any moment: the
    next one is written first, behind the place where the data will be, and the data after it over the old one, where
    readers would have stopped.

    Parameters
    ----------
    path : Path
        A new file.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._pending = bytearray()
        self.size = 0

    @property
    def pending(self) -> int:
        """Bytes not yet in the file."""
        return len(self._pending)

    def write(self, data: bytes) -> int:
        """Gather."""
        self._pending += data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Tell where the file stands: all that a writer without seeking asks."""
        return self.size + len(self._pending)

    def flush(self) -> None:
        """Nothing yet: an error raised here would not get through the writer."""

    def commit(self) -> None:
        """Append what was gathered.

        Raises
        ------
        OSError
            If the disk is full, or fails; the file ends as before.
        """
        data, self._pending = bytes(self._pending), bytearray()
        stop = self.size + len(data)
        try:
            if not data.endswith(_MAGIC) or not self.size:
                self._write(_END, stop)
            self._write(data, self.size)
        except OSError:
            self._write(_END, self.size)
            os.ftruncate(self._descriptor, self.size + len(_END))
            raise
        self.size = stop

    def _write(self, data: bytes, at: int) -> None:
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, at)
            left, at = left[written:], at + written

    def close(self) -> None:
        """Bring it to the disk and close it."""
        try:
            os.fdatasync(self._descriptor)
        finally:
            os.close(self._descriptor)


class MessageFiles:
    """The files of a session for viewers: `/frames`, `/readings/NAME`, `/map/hz`, `/map/px`, `/events`.

    Whatever kills the recorder, at most the last second is missing.

    Parameters
    ----------
    folder : Path
        The session's folder.
    file_bytes, file_s : float
        A file ends when it reaches so many bytes, or seconds of sensor time.
    """

    def __init__(self, folder: Path, *, file_bytes: float, file_s: float) -> None:
        import foxglove  # 0.1 s to load: not in the parent, which imports every node's module

        self._folder, self._file_bytes, self._file_s = folder, file_bytes, file_s
        self._context = foxglove.Context()
        self._channels: dict[str, Any] = {}
        self._file: MessageFile | None = None
        self._writer: MCAPWriter | None = None
        self._number = self._start = 0
        self._due = 0.0

    def write(self, entry: Entry) -> None:
        """Append an entry.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        if self._file is None:
            self._open(entry)
        self._log(entry)
        self.tend()
        assert self._file is not None
        if self._file.size >= self._file_bytes or entry.nanoseconds - self._start >= self._file_s * 1e9:
            self.close()

    def tend(self) -> None:
        """Bring to the file what was gathered, each second and each 4 MiB; to be called now and then.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        if self._file is None or self._writer is None:
            return
        if self._file.pending >= _PENDING_LIMIT or time.monotonic() >= self._due:
            self._writer.flush()
            self._file.commit()
            self._due = time.monotonic() + _EVERY_S

    def close(self) -> None:
        """Finish the file; a later entry begins another.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        writer, file, self._writer, self._file = self._writer, self._file, None, None
        if writer is not None and file is not None:
            writer.close()
            try:
                file.commit()
            finally:
                file.close()

    def _open(self, first: Entry) -> None:
        import foxglove
        from foxglove.mcap import MCAPWriteOptions

        self._number += 1
        self._start = first.nanoseconds
        self._file = MessageFile(self._folder / messages_name(self._number))
        options = MCAPWriteOptions(compression=None, disable_seeking=True, chunk_size=_PENDING_LIMIT)
        self._writer = foxglove.open_mcap(self._file, context=self._context, writer_options=options)  # type: ignore[arg-type]
        self._file.commit()

    def _log(self, entry: Entry) -> None:
        from foxglove import Channel
        from foxglove.channels import LogChannel, RawImageChannel

        moment, content = entry.nanoseconds, entry.content
        match content:
            case np.ndarray():
                made = image if content.dtype == np.uint8 else map_image
                self._channel(entry, RawImageChannel).log(made(content, moment, entry.stream), log_time=moment)
            case Event():
                self._channel(entry, LogChannel).log(event_log(content, moment), log_time=moment)
            case Reading():
                channel = self._channel(entry, Channel, schema=READING_SCHEMA)
                channel.log(msgspec.json.encode(reading_fields(content, moment)), log_time=moment)
            case _:
                channel = self._channel(entry, Channel, schema=_DETAILS)
                channel.log(msgspec.json.encode(content), log_time=moment)

    def _channel(self, entry: Entry, make: Any, **arguments: Any) -> Any:
        if entry.topic not in self._channels:
            self._channels[entry.topic] = make(entry.topic, context=self._context, **arguments)
        return self._channels[entry.topic]
