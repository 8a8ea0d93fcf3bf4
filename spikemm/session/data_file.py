"""A file that takes a fast stream for hours without filling the system's memory with what is not on the disk yet."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["DataFile", "write_all"]

_SETTLE_BYTES = 128 << 20
_BUFFERS_LIMIT = 1024
"""Buffers that one `writev` takes."""


class DataFile:
    """An append-only file.

    The system would keep what is written in memory and bring it to the disk in bursts, holding the writer up for
    seconds when too much has gathered. So every block is sent on its way at once, and what has arrived is forgotten;
    each 128 MiB everything is waited for.

    Parameters
    ----------
    path : Path
        A new file.

    Attributes
    ----------
    size : int
        Bytes written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self.size = 0
        self._begun = self._settled = 0

    def append(self, buffers: Sequence[Any]) -> int:
        """Write all of the buffers, or nothing.

        Returns
        -------
        int
            Their CRC-32.

        Raises
        ------
        OSError
            If the disk is full, or fails; the file ends as before.
        """
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        try:
            for first in range(0, len(views), _BUFFERS_LIMIT):
                write_all(self._descriptor, views[first : first + _BUFFERS_LIMIT])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self.size += sum(len(view) for view in views)
        crc = 0
        for view in views:
            crc = zlib.crc32(view, crc)
        self._send_on()
        return crc

    def _send_on(self) -> None:
        """Start to bring to the disk what is new; the advice also frees pages that are on it."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, self._begun, self.size - self._begun, os.POSIX_FADV_DONTNEED)
        self._begun = self.size
        if self.size - self._settled >= _SETTLE_BYTES:
            self.sync()

    def sync(self) -> None:
        """Wait until all is on the disk, and free its pages."""
        os.fdatasync(self._descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, self._settled, self.size - self._settled, os.POSIX_FADV_DONTNEED)
        self._settled = self.size

    def close(self) -> None:
        """Bring it to the disk and close it."""
        try:
            self.sync()
        finally:
            os.close(self._descriptor)


def write_all(descriptor: int, views: list[memoryview]) -> None:
    """Write all bytes; the system's own call may stop halfway and report success."""
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]
