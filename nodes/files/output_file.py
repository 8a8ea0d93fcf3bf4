"""Files that a sink writes: their names, checked before the run, and writes of which none is lost unnoticed."""

import errno
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from spikemm.exceptions import OptionError, RecordingError

__all__ = ["OutputFile", "check_output", "older_file", "segment_path", "writing"]


class OutputFile(io.FileIO):
    """A file for writing without a buffer, so that a full disk is told by the write that met it, not at the end.

    A failure closes it.

    Attributes
    ----------
    failure : OSError or None
        What a write has met, for writers whose library keeps it to itself.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the bytes; the system's own call may stop halfway and report success.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = error
            self.close()
            raise
        return size


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Tell a failure to write by the name that the user gave.

    Parameters
    ----------
    path : Path or str
        That name, whatever other files the block writes on the way.

    Raises
    ------
    RecordingError
        If the block raises an OSError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "make room, or choose" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose"
        raise RecordingError(
            f"{path}: cannot be written: {reason[:1].lower()}{reason[1:]}; {remedy} another place"
        ) from error


def check_output(path: str, endings: Sequence[str]) -> None:
    """Look for what would keep a file from being written.

    Raises
    ------
    OptionError
        If its ending is none of `endings`, its folder does not exist, or the path is a folder.
    """
    file = Path(path)
    if file.suffix.lower() not in endings:
        raise OptionError(f"path {path}: it must end in {' or '.join(endings)}")
    if not file.parent.is_dir():
        raise OptionError(f"path {path}: there is no folder {file.parent}; make it first")
    if file.is_dir():
        raise OptionError(f"path {path} is a folder; name a file in it")


def older_file(path: Path | str) -> str:
    """Return what to add to the news that nothing was written: that the file there, if any, is an older one."""
    if not Path(path).is_file():
        return ""
    day = datetime.fromtimestamp(Path(path).stat().st_mtime)
    return f"; {path} is not of this run, it is an older one of {day:%Y-%m-%d %H:%M}"


def segment_path(path: str, segment: int, *, spare: bool) -> Path:
    """Return the file of a segment: NAME, then NAME-2, NAME-3, ….

    Parameters
    ----------
    path : str
        File of the first segment.
    segment : int
        Number of the segment, from 1.
    spare : bool
        Leave alone what is there: take the first number from `segment` up under which nothing was written.
    """
    first = Path(path)
    file = first if segment == 1 else first.with_stem(f"{first.stem}-{segment}")
    if spare and (segment == 1 or any(file.parent.glob(f"{file.name}*"))):
        return segment_path(path, segment + 1, spare=True)
    return file
