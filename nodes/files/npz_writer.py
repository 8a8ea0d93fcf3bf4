"""Write frames to an ``.npz`` of any length in little memory."""

import io
import zipfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nodes.files.output_file import OutputFile
from spikemm.exceptions import ShapeError
from spikemm.whole_file import whole_file

__all__ = ["NpyStream", "NpzWriter"]


class NpyStream:
    """A ``.npy`` file that grows along its first axis and is whole after every `append`.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced.
    item_shape : tuple of int
        Shape of one item.
    dtype : numpy dtype
        Its type.
    """

    def __init__(self, path: Path, item_shape: tuple[int, ...], dtype: Any) -> None:
        self.path = path
        self._item_shape = item_shape
        self._dtype = np.dtype(dtype)
        self._count = 0
        self._file = OutputFile(path)
        self._file.write(self._header())

    def _header(self) -> bytes:
        # NumPy leaves room for the first axis to grow, so every header of one file is of the same length.
        text = io.BytesIO()
        fields = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False}
        npy.write_array_header_1_0(text, {**fields, "shape": (self._count, *self._item_shape)})
        return text.getvalue()

    def append(self, items: NDArray[Any]) -> None:
        """Add items (n, *item_shape).

        Raises
        ------
        ShapeError
            If they are of another shape.
        """
        if items.shape[1:] != self._item_shape:
            raise ShapeError(f"{self.path}: items are {items.shape[1:]}; this file holds {self._item_shape}")
        self._file.seek(0, io.SEEK_END)
        self._file.write(np.ascontiguousarray(items, self._dtype).data.cast("B"))
        self._count += len(items)
        # The header last: a writer killed in between leaves a file that holds what it says.
        self._file.seek(0)
        self._file.write(self._header())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class NpzWriter:
    """Writer of an ``.npz`` with ``frames`` (N, H, W) float32 in spikes per step and ``steps`` (N,) int64.

    Frames go to ``NAME.npz.frames.npy`` and ``NAME.npz.steps.npy`` beside it, which `close` packs (uncompressed) and
    removes. After a crash these two are still there, and `numpy.load` reads each up to the last frames written.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced on `close`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts: dict[str, NpyStream] = {}
        self.written = 0

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        self.close()

    def write(self, frames: NDArray[Any], steps: NDArray[np.int64]) -> None:
        """Append frames.

        Parameters
        ----------
        frames : numpy.ndarray
            (n, H, W), light in spikes per step.
        steps : numpy.ndarray
            (n,) int64, the centre of each frame's window.

        Raises
        ------
        ShapeError
            If the frames are of another size than those before.
        """
        if not self._parts:
            self._parts = {
                "frames": NpyStream(self._part("frames"), frames.shape[1:], np.float32),
                "steps": NpyStream(self._part("steps"), (), np.int64),
            }
        self._parts["frames"].append(frames)
        self._parts["steps"].append(steps)
        self.written += len(frames)

    def _part(self, name: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{name}.npy")

    def close(self) -> None:
        """Pack the parts into the file; without a frame there is none."""
        if not self._parts:
            return
        with whole_file(self.path) as packing:
            self._pack(packing)
        for part in self._parts.values():
            part.path.unlink()
        self._parts = {}

    def _pack(self, packing: Path) -> None:
        with OutputFile(packing) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, part in self._parts.items():
                part.close()
                archive.write(part.path, f"{name}.npy")
