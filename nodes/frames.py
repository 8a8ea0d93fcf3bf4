"""`frames`: frames into an .npz file."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from nodes.files.file_sink import FileSink
from nodes.files.npz_writer import NpzWriter
from nodes.messages import Frames

__all__ = ["FramesFile"]


class FramesFileOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `frames`."""

    path: Annotated[str, Meta(min_length=1, description="The file, .npz; replaced if it is there.")]


class FramesFile(FileSink):
    """Write every frame as numbers, with the step at its window's centre; `NpzWriter` says what a crash leaves."""

    Options = FramesFileOptions
    endings = (".npz",)

    def open(self, path: Path) -> NpzWriter:
        """Open a file."""
        return NpzWriter(path)

    def write(self, writer: NpzWriter, frames: Frames, pixels: NDArray[Any]) -> None:
        """Append the frames with their steps."""
        writer.write(pixels, np.array(frames.steps, np.int64))
