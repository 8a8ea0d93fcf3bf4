"""The index of a session: 64 bytes for every block of steps, written when the block is.

A record is little-endian: ``SPKB`` as a mark, its number from 0, the sensor step of the block's first step, how many
steps are missing right before it, the wall time (seconds since 1970) at which its last step left the source, the offset
in its file, the file's number, the steps and bytes of the block and their CRC-32, 4 bytes of zero, and the CRC-32 of
the 60 bytes before. So a record that was cut off or overwritten is recognised as such, whatever stands around it.
"""

import errno
import fcntl
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import RecordingError

__all__ = ["RECORD", "Index", "IndexFile", "is_locked", "read_index"]

_MARK = int.from_bytes(b"SPKB", "little")

RECORD = np.dtype(
    [
        ("mark", "<u4"),
        ("number", "<u4"),
        ("step", "<i8"),
        ("missing", "<i8"),
        ("wall", "<f8"),
        ("offset", "<u8"),
        ("file", "<u4"),
        ("steps", "<u4"),
        ("bytes", "<u4"),
        ("data_crc", "<u4"),
        ("zero", "<u4"),
        ("crc", "<u4"),
    ]
)
"""One record."""

_COVERED = RECORD.itemsize - 4


class Index(NamedTuple):
    """What an index holds.

    Attributes
    ----------
    records : numpy.ndarray
        Whole records of type `RECORD`, in order.
    torn_bytes : int
        Bytes of a last record that was not finished.
    bad_records : int
        Records that are not what was written; they are left out.
    """

    records: NDArray[np.void]
    torn_bytes: int
    bad_records: int


class IndexFile:
    """Append records to an index, which is locked while it is open: `is_locked` tells others that a session grows.

    Parameters
    ----------
    path : Path
        A new file.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._number = 0

    def append(
        self, *, step: int, steps: int, missing: int, wall: float, file: int, offset: int, size: int, crc: int
    ) -> None:
        """Add the record of a block that is written already.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        fields = (_MARK, self._number, step, missing, wall, offset, file, steps, size, crc, 0, 0)
        record = np.array([fields], RECORD)
        record["crc"] = zlib.crc32(record.tobytes()[:_COVERED])
        if os.write(self._descriptor, record.tobytes()) < RECORD.itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._number += 1

    def sync(self) -> None:
        """Bring it to the disk."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def is_locked(path: Path) -> bool:
    """Tell whether somebody is appending to an index."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_index(path: Path) -> Index:
    """Read an index, whatever state a crash has left it in.

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}: without its index a session cannot be read") from None
    count, torn = divmod(len(content), RECORD.itemsize)
    records = np.frombuffer(content, RECORD, count)
    good = np.array([_is_good(content, i, records) for i in range(count)], bool)
    return Index(records[good], torn, int(count - good.sum()))


def _is_good(content: bytes, i: int, records: NDArray[np.void]) -> bool:
    start = i * RECORD.itemsize
    return bool(zlib.crc32(content[start : start + _COVERED]) == records["crc"][i] and records["mark"][i] == _MARK)
