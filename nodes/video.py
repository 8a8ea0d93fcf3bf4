"""`video`: frames into an .mp4 or .avi file."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from numpy.typing import NDArray

from nodes.files.file_sink import FileSink
from nodes.files.video_writer import VIDEO_ENDINGS, VideoWriter
from nodes.grey_scale import GreyScale
from nodes.messages import Frames

__all__ = ["Video"]


class VideoOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `video`."""

    path: Annotated[str, Meta(min_length=1, description="The file, .mp4 or .avi; replaced if it is there.")]
    play_fps: Annotated[float, Meta(ge=1, le=240, description="Frames shown per second.")] = 25.0
    white: (
        Annotated[
            float, Meta(gt=0, le=10, description="Light shown as white, spikes/step; null: from the first frames.")
        ]
        | None
    ) = None


class Video(FileSink):
    """Write every frame to a video, as a slow motion at `play_fps`."""

    Options = VideoOptions
    endings = VIDEO_ENDINGS

    def setup(self) -> None:
        """Make the grey scale, which all files share."""
        super().setup()
        self._grey = GreyScale(self.options.white)

    def open(self, path: Path) -> VideoWriter:
        """Open a file."""
        return VideoWriter(path, self.options.play_fps, self._grey)

    def write(self, writer: VideoWriter, frames: Frames, pixels: NDArray[Any]) -> None:
        """Append the frames."""
        writer.write(pixels)
