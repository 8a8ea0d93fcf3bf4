"""What the sinks that write frames to a file have in common: a file for each run of frames of one size."""

from pathlib import Path
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from engine import Policy, Sink
from engine.envelope import host_array
from nodes.files.output_file import check_output, older_file, segment_path, writing
from nodes.messages import Frames
from spikemm.exceptions import RecordingError, SpikeMMError

__all__ = ["FileSink", "FrameWriter"]


class FrameWriter(Protocol):
    """An open file."""

    def close(self) -> None:
        """Finish the file."""


class FileSink(Sink):
    """Base of the sinks that write frames to the file `options.path`.

    A new picture size opens a new file, NAME-2; so does a restart of the node, which never touches what was written
    before. An end without a frame is an error, and leaves what was there.

    Attributes
    ----------
    endings : tuple of str
        What the file's name may end in.
    """

    endings: ClassVar[tuple[str, ...]]
    accepts = Frames
    policy = Policy("block")
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: Any) -> None:
        """Check that the file can be written."""
        check_output(options.path, cls.endings)

    def open(self, path: Path) -> FrameWriter:
        """Open a file for the frames to come."""
        raise NotImplementedError

    def write(self, writer: Any, frames: Frames, pixels: NDArray[Any]) -> None:
        """Append frames, whose pixels are in host memory, to a file that `open` returned."""
        raise NotImplementedError

    def setup(self) -> None:
        """Nothing is opened before the first frame."""
        self._writer: FrameWriter | None = None
        self._size: tuple[int, ...] = ()
        self._segment = 0

    def process(self, frames: Frames, port: str) -> None:
        """Append the frames."""
        pixels = host_array(frames.pixels)
        with writing(self.options.path):
            if self._writer is None or pixels.shape[1:] != self._size:
                self._begin(pixels.shape[1:])
            self.write(self._writer, frames, pixels)

    def flush(self) -> None:
        """Refuse to end as if all were well where no frame came; an older file would be taken for the result.

        Raises
        ------
        RecordingError
            If there was none. A restarted node has no say: frames may have come before.
        """
        if self._segment == 0 and self.context.incarnation == 0:
            path = self.options.path
            raise RecordingError(
                f"{path}: nothing is written, no frame came before the end; let it run longer, or take a shorter "
                f"window{older_file(path)}"
            )

    def _begin(self, size: tuple[int, ...]) -> None:
        self.close()
        self._segment += 1
        self._writer = self.open(segment_path(self.options.path, self._segment, spare=self.context.incarnation > 0))
        self._size = size

    def close(self) -> None:
        """Finish the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with writing(self.options.path):
                writer.close()
