"""What a record of frames is made for: as soon as one of these changes it begins anew."""

from typing import NamedTuple, Self

from nodes.messages import Frames

__all__ = ["FrameStream"]


class FrameStream(NamedTuple):
    """Rate, hop and front end of a stream of frames, their size, and where in the sensor's picture they lie."""

    rate_hz: float
    hop: int
    front: str
    height: int
    width: int
    origin: tuple[int, int]

    @classmethod
    def of(cls, frames: Frames) -> Self:
        """Return what these frames are a part of."""
        height, width = frames.pixels.shape[1:]
        return cls(frames.rate_hz, frames.hop, frames.front, height, width, frames.origin)

    def placed(self, roi: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Return where in the frames a region of the sensor is."""
        return (roi[0] - self.origin[0], roi[1] - self.origin[1], *roi[2:])
