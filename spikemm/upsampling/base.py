"""What every upsampler is."""

from typing import Protocol

from spikemm.batch import FrameBatch

__all__ = ["Upsampler"]


class Upsampler(Protocol):
    """A stage without memory that makes frames larger; `raw`, where there, is made larger as well."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames that come out."""

    def push(self, batch: FrameBatch) -> FrameBatch:
        """Return the batch with larger frames, same instants."""
