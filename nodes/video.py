"""`video`: frames into a video file."""

from typing import Annotated

import msgspec
from msgspec import Meta

from engine import Policy, Sink
from engine.envelope import host_array
from nodes.grey_scale import GreyScale
from nodes.messages import Frames
from nodes.output_file import check_output, segment_path
from nodes.video_writer import VIDEO_ENDINGS, VideoWriter
from spikemm.exceptions import SpikeMMError

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


class Video(Sink):
    """Write every frame to a video, as a slow motion at `play_fps`.

    A new picture size opens a new file, NAME-2.mp4; so does a restart of this node, which never touches what was
    written before.
    """

    Options = VideoOptions
    accepts = Frames
    policy = Policy("block")
    user_errors = (SpikeMMError, OSError)

    @classmethod
    def check(cls, options: VideoOptions) -> None:
        """Check that the file can be written."""
        check_output(options.path, VIDEO_ENDINGS)

    def setup(self) -> None:
        """Nothing is opened before the first frame."""
        self._writer: VideoWriter | None = None
        self._grey = GreyScale(self.options.white)
        self._size: tuple[int, ...] = ()
        self._segment = 0

    def process(self, frames: Frames, port: str) -> None:
        """Append the frames."""
        pixels = host_array(frames.pixels)
        if self._writer is None or pixels.shape[1:] != self._size:
            self._writer, self._size = self._begin(), pixels.shape[1:]
        self._writer.write(pixels)

    def _begin(self) -> VideoWriter:
        self.close()
        self._segment += 1
        path = segment_path(self.options.path, self._segment, spare=self.context.incarnation > 0)
        return VideoWriter(path, self.options.play_fps, self._grey)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
