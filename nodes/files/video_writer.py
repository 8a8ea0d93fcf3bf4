"""Write frames of light to a video file that stays readable whatever happens to its writer."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from nodes.files.output_file import OutputFile
from nodes.grey_scale import GreyScale
from spikemm.exceptions import OptionError

__all__ = ["VIDEO_ENDINGS", "VideoWriter"]

VIDEO_ENDINGS = (".mp4", ".avi")
"""Endings of the files that can be written."""

_H264 = {"crf": "16", "preset": "veryfast", "tune": "zerolatency"}
_CODECS = {
    ".mp4": (
        ("libx264", "yuv420p", _H264),
        ("libopenh264", "yuv420p", {"b": "12M"}),
        ("mpeg4", "yuv420p", {"qscale": "2"}),
    ),
    ".avi": (("mjpeg", "yuvj420p", {"qmin": "2", "qmax": "3"}),),
}
# A fragment a second, and nothing kept in a buffer: what a killed run has written up to then can be played.
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_CONTAINERS = {".mp4": _FRAGMENTS, ".avi": {"flush_packets": "1"}}


class VideoWriter:
    """Writer of ``.mp4`` (H.264 where PyAV has an encoder for it, else MPEG-4) and ``.avi`` (motion JPEG).

    Odd sizes are made even by repeating the last row or column, as the codecs require. Brightness is linear on one
    scale held for the whole file; see `GreyScale`. An existing file is replaced.

    Parameters
    ----------
    path : Path
        The file; its ending chooses the format.
    fps : float
        Pictures shown per second.
    white : float or GreyScale, optional
        Light in spikes per step shown as white, or a scale to share with other files; see `GreyScale` for None.

    Raises
    ------
    OptionError
        If the ending is none of `VIDEO_ENDINGS`.
    OSError
        From every method: if the disk is full, or fails.
    """

    def __init__(self, path: Path | str, fps: float, white: "float | GreyScale | None" = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in VIDEO_ENDINGS:
            raise OptionError(f"{self.path}: a video ends in {' or '.join(VIDEO_ENDINGS)}")
        self._fps = Fraction(fps).limit_denominator(1000)
        self._grey = white if isinstance(white, GreyScale) else GreyScale(white)
        self._file: OutputFile | None = None
        self._container: Any = None
        self._stream: Any = None
        self.written = 0

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish the file."""
        self.close()

    def write(self, frames: NDArray[Any]) -> None:
        """Append frames.

        Parameters
        ----------
        frames : numpy.ndarray
            (n, H, W) float32, light in spikes per step; all of one size.
        """
        for picture in self._even(self._grey(frames)):
            if self._container is None:
                self._open(*picture.shape)
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            frame.pts, frame.time_base = self.written, 1 / self._fps
            self._container.mux(self._stream.encode(frame))
            self._check()
            self.written += 1

    @staticmethod
    def _even(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.pad(pictures, ((0, 0), (0, pictures.shape[1] % 2), (0, pictures.shape[2] % 2)), mode="edge")

    def _open(self, height: int, width: int) -> None:
        ending = self.path.suffix.lower()
        codec, pixels, options = next(entry for entry in _CODECS[ending] if entry[0] in av.codecs_available)
        self._file = OutputFile(self.path)
        self._container = av.open(self._file, "w", format=ending[1:], container_options=_CONTAINERS[ending])
        self._stream = self._container.add_stream(codec, rate=self._fps, options=options)
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, pixels
        self._stream.codec_context.gop_size = max(1, round(self._fps))

    def close(self) -> None:
        """Finish the file; without a frame there is none."""
        container, self._container = self._container, None
        if container is None or self._file is None or self._file.closed:
            return
        with self._file:
            container.mux(self._stream.encode(None))
            container.close()
            self._check()

    def _check(self) -> None:
        """Raise what a write met: the library below reports success all the same."""
        if self._file is not None and self._file.failure is not None:
            raise self._file.failure
