"""`frames`: frames into an .npz file."""

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from engine import Policy, Sink
from engine.envelope import host_array
from nodes.messages import Frames
from nodes.npz_writer import NpzWriter
from nodes.output_file import check_output, segment_path
from spikemm.exceptions import SpikeMMError

__all__ = ["FramesFile"]


class FramesFileOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `frames`."""

    path: Annotated[str, Meta(min_length=1, description="The file, .npz; replaced if it is there.")]


class FramesFile(Sink):
    """Write every frame, as numbers, with the step at the centre of its window; `NpzWriter` says what a crash leaves.

    A new picture size opens a new file, NAME-2.npz; so does a restart of this node, which never touches what was
    written before.
    """

    Options = FramesFileOptions
    accepts = Frames
    policy = Policy("block")
    user_errors = (SpikeMMError, OSError)

    @classmethod
    def check(cls, options: FramesFileOptions) -> None:
        """Check that the file can be written."""
        check_output(options.path, (".npz",))

    def setup(self) -> None:
        """Nothing is opened before the first frame."""
        self._writer: NpzWriter | None = None
        self._size: tuple[int, ...] = ()
        self._segment = 0

    def process(self, frames: Frames, port: str) -> None:
        """Append the frames."""
        pixels = host_array(frames.pixels)
        if self._writer is None or pixels.shape[1:] != self._size:
            self._writer, self._size = self._begin(), pixels.shape[1:]
        self._writer.write(pixels, frames.step + frames.hop * np.arange(frames.count, dtype=np.int64))

    def _begin(self) -> NpzWriter:
        self.close()
        self._segment += 1
        return NpzWriter(segment_path(self.options.path, self._segment, spare=self.context.incarnation > 0))

    def close(self) -> None:
        """Pack what was written into the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
