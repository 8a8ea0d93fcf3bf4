"""Motion magnification by networks: a frame is encoded, its shape features filtered in time, and decoded magnified."""

from spikemm.magnification.learned.base import Encoded, LearnedMagnifier, MotionNetwork

__all__ = ["Encoded", "LearnedMagnifier", "MotionNetwork"]
