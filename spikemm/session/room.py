"""How much of a disk a recorder may take, and what it removes to stay within."""

import shutil
from contextlib import suppress
from pathlib import Path

from spikemm.exceptions import RecordingError
from spikemm.session.description import Description
from spikemm.session.index import is_locked
from spikemm.session.layout import INDEX, is_session

__all__ = ["DiskRoom"]


class DiskRoom:
    """The room that sessions may take in one folder.

    Parameters
    ----------
    folder : Path
        Where the sessions' folders are.
    max_bytes : float or None
        Of all sessions in it together.
    keep_free_bytes : float
        Left free on its disk.
    discard_oldest : bool
        Remove the oldest session when there is no room; otherwise nothing is ever removed.

    Attributes
    ----------
    discarded : list of str
        Names of the sessions that were removed.
    """

    def __init__(
        self, folder: Path, *, max_bytes: float | None, keep_free_bytes: float, discard_oldest: bool = False
    ) -> None:
        self._folder = folder
        self._max_bytes, self._keep_free_bytes = max_bytes, keep_free_bytes
        self._discard_oldest = discard_oldest
        self.discarded: list[str] = []

    def ensure(self, needed_bytes: float = 0.0) -> None:
        """Look for room for so many more bytes, and make it where that is allowed.

        Raises
        ------
        RecordingError
            If there is none.
        """
        while (reason := self._lack(needed_bytes)) is not None:
            oldest = self._oldest() if self._discard_oldest else None
            if oldest is None:
                remedy = "nothing is left to discard" if self._discard_oldest else "discard_oldest is not set"
                raise RecordingError(f"{self._folder}: {reason}, and {remedy}; make room, or choose another place")
            with suppress(FileNotFoundError):  # somebody else was faster
                shutil.rmtree(oldest)
                self.discarded.append(oldest.name)

    def _lack(self, needed_bytes: float) -> str | None:
        free = shutil.disk_usage(self._folder).free - needed_bytes
        if free < self._keep_free_bytes:
            return f"{max(free, 0) / 1e9:.3g} GB would be free, keep_free_gb is {self._keep_free_bytes / 1e9:g}"
        if self._max_bytes is None:
            return None
        taken = sum(_size(folder) for folder in self._sessions()) + needed_bytes
        if taken > self._max_bytes:
            return f"the sessions would take {taken / 1e9:.3g} GB, max_gb is {self._max_bytes / 1e9:g}"
        return None

    def _sessions(self) -> list[Path]:
        return [folder for folder in self._folder.iterdir() if is_session(folder)]

    def _oldest(self) -> Path | None:
        """Return the oldest session that nobody is writing."""
        finished = [folder for folder in self._sessions() if not is_locked(folder / INDEX)]
        return min(finished, key=_start, default=None)


def _start(folder: Path) -> float:
    with suppress(RecordingError):
        return Description.load(folder).started
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    """Return the bytes of a session; of one that is removed meanwhile, what was seen of it."""
    size = 0
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            size += file.stat().st_size if file.is_file() else 0
    return size
