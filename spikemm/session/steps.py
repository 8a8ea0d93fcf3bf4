"""The steps of a session, read through its index."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import RecordingError
from spikemm.packing import packed_bytes
from spikemm.session.description import Description
from spikemm.session.index import read_index
from spikemm.session.layout import INDEX, spikes_name
from spikemm.timeline import Timeline

__all__ = ["SessionSteps"]


class SessionSteps:
    """The steps of one session, rows in the files' order.

    What the index names and a file does not hold is a gap, or at the end not there; what a file holds and the index
    does not name was being written when the recorder was killed, and is left out.

    Parameters
    ----------
    folder : Path
        The session's folder.

    Attributes
    ----------
    folder : Path
        The session's folder.
    height, width : int
        Pixels.
    count : int
        Steps that can be read.
    trailing_bytes : int
        Bytes behind the last block of the index.
    description : Description
        What the session says of itself.
    records : numpy.ndarray
        The index's records of the blocks that can be read.
    timeline : Timeline
        Where steps are missing.
    notes : tuple of str
        What a user should know, one line each.

    Raises
    ------
    RecordingError
        If nothing can be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.description = Description.load(folder)
        self.height, self.width = self.description.height, self.description.width
        index = read_index(folder / INDEX)
        self._check(len(index.records))
        self.blocks = len(index.records) + index.bad_records + bool(index.torn_bytes)
        self.records = index.records[self._is_there(index.records)]
        if not len(self.records):
            raise RecordingError(f"{folder}: no block of spikes is whole: its files are gone or were cut off")
        self._order()
        counts = self.records["steps"].astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.count = int(self._starts[-1])
        self.trailing_bytes = self._behind_the_index()
        lost = self.records["step"][1:] - (self.records["step"] + counts)[:-1]
        self.timeline = Timeline(self.count, [(int(self._starts[k + 1]), int(lost[k])) for k in np.flatnonzero(lost)])
        self.notes = self._notes(index.torn_bytes)

    def packed(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the stored steps [start, stop) as (n, ⌈H·W/8⌉) uint8, a copy."""
        size = packed_bytes(self.height, self.width)
        out = np.empty((stop - start, size), np.uint8)
        block = int(np.searchsorted(self._starts, start, "right")) - 1
        at = start
        while at < stop:
            record, first = self.records[block], int(self._starts[block])
            end = min(stop, int(self._starts[block + 1]))
            offset = int(record["offset"]) + (at - first) * size
            path = self.folder / spikes_name(int(record["file"]))
            out[at - start : end - start] = _read(path, offset, (end - at) * size).reshape(-1, size)
            at, block = end, block + 1
        return out

    def block(self, number: int) -> range:
        """Return the positions of a block."""
        return range(int(self._starts[number]), int(self._starts[number + 1]))

    def _check(self, blocks: int) -> None:
        if not blocks:
            raise RecordingError(
                f"{self.folder}: no spikes are in this session: it was cut off before the first of them, or no camera "
                "is connected to the port spikes"
            )
        if not self.height or not self.width:
            raise RecordingError(f"{self.folder}: {self.height}×{self.width} pixels: its description is damaged")

    def _is_there(self, records: NDArray[np.void]) -> NDArray[np.bool_]:
        """Tell which blocks lie in their file as a whole."""
        sizes = {int(n): _size(self.folder / spikes_name(int(n))) for n in np.unique(records["file"])}
        held = np.array([sizes[int(n)] for n in records["file"]], np.uint64)
        whole = records["bytes"] == records["steps"].astype(np.uint64) * packed_bytes(self.height, self.width)
        return np.asarray(whole & (records["offset"] + records["bytes"] <= held))

    def _order(self) -> None:
        ends = self.records["step"] + self.records["steps"]
        if np.any(self.records["step"][1:] < ends[:-1]):
            raise RecordingError(f"{self.folder}: its index goes back in time: restore it from a copy")

    def _behind_the_index(self) -> int:
        last = self.records[-1]
        file = int(last["file"])
        begun = _size(self.folder / spikes_name(file + 1))  # a file whose first block was not finished
        return begun + _size(self.folder / spikes_name(file)) - int(last["offset"] + last["bytes"])

    def _notes(self, torn_bytes: int) -> tuple[str, ...]:
        notes = [
            f"{self.folder}: {gap.missing} steps are missing from step {gap.step} on, counted from its first"
            for gap in self.timeline.gaps[:3]
        ]
        if len(self.timeline.gaps) > 3:
            notes.append(f"{self.folder}: and {len(self.timeline.gaps) - 3} more gaps")
        gone = self.blocks - len(self.records)
        if gone or torn_bytes or self.trailing_bytes:
            notes.append(
                f"{self.folder}: {gone} blocks of {self.blocks} cannot be read, {self.trailing_bytes} bytes behind "
                f"the last one are in no block; left out (spikemm info tells more)"
            )
        return tuple(notes)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read(path: Path, offset: int, size: int) -> NDArray[np.uint8]:
    try:
        read = np.fromfile(path, np.uint8, size, offset=offset)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}: open the session again") from None
    if len(read) < size:
        raise RecordingError(f"{path}: shorter than its index says: it was changed while it was read; open it again")
    return read
