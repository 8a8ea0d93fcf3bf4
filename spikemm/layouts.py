"""The layouts of bytes in which recordings come, and how each becomes packed pixels."""

import mmap
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spikemm.exceptions import RecordingError
from spikemm.packing import pack, packed_bytes
from spikemm.timeline import Timeline

__all__ = ["ArraySteps", "BitLayout", "BitSteps", "Steps"]

_HEAD_BITS = 16
_WIDE = 1000
_WIDE_ROW_BYTES = 128


class Steps(Protocol):
    """The steps of one file, rows in the file's order.

    Attributes
    ----------
    height, width : int
        Pixels.
    count : int
        Whole steps.
    trailing_bytes : int
        Bytes after the last whole step.
    timeline : Timeline
        Where steps are missing.
    """

    height: int
    width: int
    count: int
    trailing_bytes: int
    timeline: Timeline

    def packed(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return steps [start, stop) as (n, ⌈H·W/8⌉) uint8, a copy."""


class BitLayout:
    """How a step of one bit per pixel lies in bytes: ``plain``, ``head`` or ``wide``.

    Parameters
    ----------
    source : str
        What is read, for messages.
    layout : str
        Its layout.
    height, width : int
        Pixels.

    Attributes
    ----------
    step_bytes : int
        Bytes of a step.

    Raises
    ------
    RecordingError
        The size does not fit the layout.
    """

    def __init__(self, source: str, layout: str, height: int, width: int) -> None:
        self.name, self.height, self.width = layout, height, width
        self._check(source)
        self.step_bytes = self._count_bytes()

    def pixels(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return steps as they lie in bytes, (n, `step_bytes`), as (n, ⌈H·W/8⌉) uint8; ``plain`` ones as they are."""
        if self.name == "plain":
            return raw
        rows = raw.reshape(len(raw), self.height, -1)
        kept = _without_head(rows, self.width) if self.name == "head" else _without_gaps(rows)
        return kept.reshape(len(raw), packed_bytes(self.height, self.width))

    def _check(self, source: str) -> None:
        if self.name == "wide" and (self.height, self.width) != (_WIDE, _WIDE):
            raise RecordingError(
                f"{source}: layout wide is 1000×1000 pixels, not {self.height}×{self.width}: "
                "leave height and width out, or choose layout plain"
            )
        if self.name == "head" and self.width % 8:
            raise RecordingError(
                f"{source}: layout head needs a width that is a multiple of 8, not {self.width}: check the width"
            )

    def _count_bytes(self) -> int:
        if self.name == "head":
            return self.height * (self.width + _HEAD_BITS) // 8
        if self.name == "wide":
            return _WIDE * _WIDE_ROW_BYTES
        return packed_bytes(self.height, self.width)


class BitSteps:
    """Steps of one bit per pixel, in the layouts ``plain``, ``head`` and ``wide``.

    Raises
    ------
    RecordingError
        The file is empty or shorter than one step, or the size does not fit the layout.
    """

    def __init__(self, path: Path, layout: str, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._layout = BitLayout(str(path), layout, height, width)
        size = path.stat().st_size
        step = self._layout.step_bytes
        if size < step:
            raise RecordingError(
                f"{path}: {size} bytes are less than one step of {height}×{width} pixels in layout {layout} "
                f"({step} bytes): check height, width and layout, or record again"
            )
        self.count, self.trailing_bytes = divmod(size, step)
        self.timeline = Timeline(self.count)
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._raw = np.frombuffer(self._map, np.uint8, self.count * step).reshape(self.count, step)

    def packed(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return steps [start, stop) as (n, ⌈H·W/8⌉) uint8, a copy."""
        raw = self._raw[start:stop]
        packed = self._layout.pixels(raw)
        packed = packed.copy() if packed is raw else packed
        forget(self._map)
        return packed


class ArraySteps:
    """Steps of one number per pixel, (T, H, W), in a ``.npy`` or as ``spk`` in an ``.npz``.

    Raises
    ------
    RecordingError
        The file cannot be read, or holds something else.
    """

    trailing_bytes = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with _array_file(path) as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                shape, fortran, kind = _npy_header(file)
                offset = file.tell()
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise RecordingError(
                f"{path}: not a readable numpy file ({error}): save (T, H, W) as .npy or as spk in .npz"
            ) from None
        if len(shape) != 3 or 0 in shape or kind.kind not in "bui":
            raise RecordingError(f"{path}: holds {kind} of shape {shape}: save (T, H, W) integers or booleans, 0 or 1")
        if offset + kind.itemsize * np.prod(shape, dtype=np.int64) > len(self._map):
            raise RecordingError(f"{path}: shorter than its {shape} {kind} need: it was cut off; save it again")
        self._spikes = np.ndarray(shape, kind, self._map, offset, order="F" if fortran else "C")
        self.count, self.height, self.width = shape
        self.timeline = Timeline(self.count)

    def packed(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return steps [start, stop) as (n, ⌈H·W/8⌉) uint8, a copy."""
        spikes = self._spikes[start:stop]
        if spikes.size and (spikes.max() > 1 or spikes.min() < 0):
            raise RecordingError(
                f"{self._path}: values beyond 0 and 1 in steps {start} to {stop - 1}: save spikes, not counts"
            )
        packed = pack(spikes)
        forget(self._map)
        return packed


def forget(mapped: mmap.mmap) -> None:
    """Give back the pages that were read: the system keeps them cached, but this process no longer owns them."""
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _without_head(rows: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows[:, :, : width // 8])


def _without_gaps(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Join columns 0–499 and 512–1011, of which the second half starts in the middle of a byte."""
    half = _WIDE_ROW_BYTES // 2
    right = rows[:, :, half:]
    kept = np.empty((*rows.shape[:2], _WIDE // 8), np.uint8)
    kept[:, :, :62] = rows[:, :, :62]
    kept[:, :, 62] = (rows[:, :, 62] & 0x0F) | (right[:, :, 0] << 4)
    kept[:, :, 63:] = (right[:, :, :62] >> 4) | (right[:, :, 1:63] << 4)
    return kept


def _array_file(path: Path) -> IO[bytes]:
    """Open the file so that it stands at the start of the array, decompressed where it must be."""
    if path.suffix.lower() == ".npy":
        return path.open("rb")
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if "spk" not in names:
            raise RecordingError(
                f"{path}: holds no array named spk, only: {', '.join(names) or 'nothing'}; save it as spk"
            )
        member = archive.getinfo("spk.npy")
        if member.compress_type == zipfile.ZIP_STORED:
            return _at_member(path, member)
        whole: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it, once mapped
        with archive.open(member) as packed:
            shutil.copyfileobj(packed, whole, 1 << 20)
    whole.seek(0)
    return whole


def _at_member(path: Path, member: zipfile.ZipInfo) -> IO[bytes]:
    file = path.open("rb")
    file.seek(member.header_offset + 26)
    name, extra = np.frombuffer(file.read(4), "<u2")
    file.seek(int(name) + int(extra), 1)
    return file


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file)
