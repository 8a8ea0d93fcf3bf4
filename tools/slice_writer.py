"""An x–t slice: one line of the picture, frame by frame, as an image over time."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.files.output_file import OutputFile
from nodes.grey_scale import GreyScale
from spikemm.exceptions import OptionError

__all__ = ["SliceWriter"]

_HELD_BYTES = 128_000_000
_LONGEST = 32_000
_LEAST_WIDTH = 400
_NEIGHBOURHOOD = 9
_BORDER = 8


class SliceWriter:
    """Writer of a ``.png`` of one line of the picture over time.

    Time goes to the right; the rows are the points of the line. Each frame is one column, or where they are few so many
    equal columns that the picture is at least 400 px wide.

    The line goes through the strongest motion, straight across the edge that moves: the pixel is sought whose light
    varies most over the first frames (up to 128 MB of them), averaged over 9×9 px; then the row through it is taken
    where the light changes more from left to right there, and the column where it changes more from top to bottom.

    Parameters
    ----------
    path : Path
        The file; an existing one is replaced on `close`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: list[NDArray[np.float32]] = []
        self._held_bytes = 0
        self._line: tuple[str, int] | None = None
        self._columns: list[NDArray[np.float32]] = []

    @property
    def line(self) -> str:
        """The line that was chosen: ``row N`` or ``column N`` of the picture; empty before."""
        return " ".join(map(str, self._line)) if self._line else ""

    def write(self, frames: NDArray[Any]) -> None:
        """Append frames (n, H, W).

        Raises
        ------
        OptionError
            If the slice gets longer than an image file can be.
        """
        if self._line is None:
            self._held.append(frames)
            self._held_bytes += frames.nbytes
            if self._held_bytes >= _HELD_BYTES:
                self._choose()
            return
        self._cut(frames)

    def close(self) -> None:
        """Write the image; without a frame there is none.

        Raises
        ------
        OSError
            If the disk is full, or fails.
        """
        if self._line is None and self._held:
            self._choose()
        if self._columns:
            picture = GreyScale()(np.concatenate(self._columns).T)
            stretched = np.repeat(picture, -(-_LEAST_WIDTH // picture.shape[1]), axis=1)
            with OutputFile(self.path) as file:
                file.write(cv2.imencode(".png", stretched)[1])

    def _choose(self) -> None:
        frames = np.concatenate(self._held)
        self._held = []
        self._line = strongest_line(frames)
        self._cut(frames)

    def _cut(self, frames: NDArray[np.float32]) -> None:
        assert self._line is not None
        kind, number = self._line
        self._columns.append(frames[:, number].copy() if kind == "row" else frames[:, :, number].copy())
        if sum(map(len, self._columns)) > _LONGEST:
            raise OptionError(f"{self.path}: more than {_LONGEST} frames do not fit an image; lower --fps")


def strongest_line(frames: NDArray[np.float32]) -> tuple[str, int]:
    """Choose the row or column through the strongest motion; see `SliceWriter`.

    Returns
    -------
    str, int
        ``"row"`` or ``"column"``, and its number.
    """
    size = (_NEIGHBOURHOOD, _NEIGHBOURHOOD)
    variation = cv2.blur(frames.std(axis=0), size)
    border = min(_BORDER, (min(variation.shape) - 1) // 2)
    inner = variation[border : variation.shape[0] - border, border : variation.shape[1] - border]
    row, column = (int(index) + border for index in np.unravel_index(inner.argmax(), inner.shape))
    down, right = np.gradient(frames.mean(axis=0))
    across, along = cv2.blur(right**2, size)[row, column], cv2.blur(down**2, size)[row, column]
    return ("row", row) if across >= along else ("column", column)
