"""Encode grey pictures as H.264 for live viewing: every picture comes out at once, in as little work as will do."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["RTP_CLOCK_HZ", "H264Encoder"]

RTP_CLOCK_HZ = 90_000
"""Ticks per second of a time stamp."""

_KEY_FRAME_EVERY_S = 1.0
_BUFFER_S = 0.5


class H264Encoder:
    """Encoder for pictures of one size.

    Parameters
    ----------
    height, width : int
        Size of the pictures; odd ones are made even by repeating the last row or column.
    fps : float
        Pictures per second, as far as the bit rate and the distance of key frames depend on it.
    mbit_s : float
        Highest bit rate, 10⁶ bits per second; a still picture takes far less.
    """

    def __init__(self, height: int, width: int, fps: float, mbit_s: float) -> None:
        self._odd = ((0, height % 2), (0, width % 2))
        codec: Any = av.CodecContext.create("libx264", "w")
        codec.height, codec.width = height + height % 2, width + width % 2
        codec.pix_fmt = "yuv420p"
        codec.time_base = Fraction(1, RTP_CLOCK_HZ)
        codec.framerate = Fraction(fps).limit_denominator(1000)
        codec.gop_size = max(1, round(fps * _KEY_FRAME_EVERY_S))
        codec.thread_count = 1  # more cut each picture into slices and wake more cores for the same work
        bits = round(mbit_s * 1e6)
        codec.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "crf": "20",
            "maxrate": str(bits),
            "bufsize": str(round(bits * _BUFFER_S)),
        }
        self._codec = codec

    def encode(self, grey: NDArray[np.uint8], timestamp: int) -> bytes:
        """Return a picture as an access unit with start codes.

        Parameters
        ----------
        grey : numpy.ndarray
            (H, W) uint8.
        timestamp : int
            Its time in ticks of `RTP_CLOCK_HZ`, larger than the one before.
        """
        frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(grey, self._odd, mode="edge")), "gray")
        frame.pts, frame.time_base = timestamp, self._codec.time_base
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))
