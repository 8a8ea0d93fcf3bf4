"""Every pixel's light over a whole recording, as exactly as its spikes tell."""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikemm.packing import unpack
from spikemm.recording import Recording

__all__ = ["Tally", "tally_halves"]

_CHUNK_STEPS = 256


class Tally:
    """Count each pixel's spikes, and remember its first and its last one; constant memory.

    The light of a regular train is n − 1 intervals over the time from the first spike to the last, exact to one step in
    all its length; what was left of a charge at both ends does not count, as it does in spikes over steps.

    Parameters
    ----------
    height, width : int
        Pixels.

    Attributes
    ----------
    steps : int
        Steps pushed.
    count : numpy.ndarray
        (H, W) int32 spikes.
    """

    def __init__(self, height: int, width: int) -> None:
        self.steps = 0
        self.count = np.zeros((height, width), np.int32)
        self._first = np.full((height, width), -1, np.int32)
        self._last = np.zeros((height, width), np.int32)

    def push(self, packed: NDArray[np.uint8]) -> None:
        """Take the next steps, (n, ⌈H·W/8⌉) uint8.

        Raises
        ------
        ShapeError
            `packed` has another shape or type.
        """
        spikes = unpack(packed, *self.count.shape).reshape(len(packed), -1)
        _add(spikes, self.steps, self.count.reshape(-1), self._first.reshape(-1), self._last.reshape(-1))
        self.steps += len(packed)

    @property
    def light(self) -> NDArray[np.float64]:
        """(H, W) spikes per step; of a pixel with fewer than two spikes, its spikes over the steps."""
        intervals = self.count - 1
        regular = intervals > 0
        span = np.where(regular, self._last - self._first, max(self.steps, 1))
        return np.where(regular, intervals, self.count) / span

    def joined(self, later: "Tally") -> "Tally":
        """Return the tally of both, `later` being that of the steps that follow."""
        both = Tally(*self.count.shape)
        both.steps = self.steps + later.steps
        both.count = self.count + later.count
        both._first = np.where(self._first >= 0, self._first, np.where(later.count > 0, later._first + self.steps, -1))
        both._last = np.where(later.count > 0, later._last + self.steps, self._last)
        return both


def tally_halves(recording: Recording, on_progress: Callable[[int], None] | None = None) -> tuple[Tally, Tally]:
    """Tally both halves of a recording; what they differ by tells how exact they are.

    Parameters
    ----------
    recording : Recording
        Read once, in chunks.
    on_progress : callable, optional
        Called with the steps read.
    """
    halves = Tally(recording.height, recording.width), Tally(recording.height, recording.width)
    middle = recording.steps // 2
    for half, begin, end in zip(halves, (0, middle), (middle, recording.steps), strict=True):
        for start in range(begin, end, _CHUNK_STEPS):
            stop = min(start + _CHUNK_STEPS, end)
            half.push(recording.packed(start, stop))
            if on_progress is not None:
                on_progress(stop)
    return halves


@njit(nogil=True, cache=True)
def _add(
    spikes: NDArray[np.uint8], step: int, count: NDArray[np.int32], first: NDArray[np.int32], last: NDArray[np.int32]
) -> None:
    """Bring count, first and last (pixels,) up to date with spikes (n, pixels) from `step` on."""
    for k in range(spikes.shape[0]):
        row, now = spikes[k], np.int32(step + k)
        for i in range(row.size):
            fired = row[i]
            first[i] = now if fired and not count[i] else first[i]
            last[i] = now if fired else last[i]
            count[i] += fired
