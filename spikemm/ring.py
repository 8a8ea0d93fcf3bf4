"""The newest steps of a stream, packed, and the pictures of light that their windows give."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikemm import bitplanes
from spikemm.exceptions import OptionError, WindowError
from spikemm.lanes import LANES
from spikemm.packing import check_packed, packed_bytes

__all__ = ["SpikeRing"]

_LONGEST = 32_767
"""Steps of the longest window or reach: their sum fits into the 16 planes that the kernels can write."""


class SpikeRing:
    """Keep the last `capacity` steps and compute encodings of any window in them.

    A window W(t, w) is the steps k with t − ⌊w/2⌋ ≤ k < t − ⌊w/2⌋ + w. All of them must be in the ring. The spikes stay
    packed; counts and searches run on 512 pixels at a time. Methods give a new (H, W) float32 array, and a window that
    overlaps most of the last one of the same length costs only the steps that came and went.

    Parameters
    ----------
    height, width : int
        Pixels.
    capacity : int
        Steps kept; memory is ⌈H·W/8⌉ bytes each.

    Raises
    ------
    OptionError
        A size is below 1.
    """

    def __init__(self, height: int, width: int, capacity: int) -> None:
        for name, value in (("height", height), ("width", width), ("capacity", capacity)):
            if value < 1:
                raise OptionError(f"{name} is {value}: it must be at least 1")
        self.height, self.width, self.capacity = height, width, capacity
        self._bytes = packed_bytes(height, width)
        # An odd number of cache lines in a row spreads a column of rows over all sets of the caches.
        self._width = LANES * ((self._bytes // (8 * LANES) + 1) | 1)
        self._ring = np.zeros((capacity + 1) * self._width, np.uint64)
        self._by_step = self._ring.view(np.uint8).reshape(-1, self._width * 8)[:capacity, : self._bytes]
        self._offsets = np.empty((4, 0), np.int64)
        self._room = np.empty(bitplanes.ROOM, np.uint64)
        self._counts: dict[int, _Counts] = {}
        self._origin = self._next = 0

    def reset(self) -> None:
        """Forget all steps; the next one pushed without a number is step 0."""
        self._restart(0)

    @property
    def first_step(self) -> int:
        """Number of the oldest step in the ring."""
        return max(self._origin, self._next - self.capacity)

    @property
    def next_step(self) -> int:
        """Number of the step expected next."""
        return self._next

    @property
    def overwritten(self) -> bool:
        """Whether steps of the present stretch have already left the ring."""
        return self.first_step > self._origin

    def push(self, packed: NDArray[np.uint8], step: int | None = None) -> None:
        """Append steps.

        Parameters
        ----------
        packed : numpy.ndarray
            (n, ⌈H·W/8⌉) uint8, as ``spikemm.pack`` makes it.
        step : int, optional
            Number of the first of them, default ``next_step``. Beyond that it is a gap: the ring restarts there.

        Raises
        ------
        ShapeError
            `packed` has another shape or type.
        OptionError
            `step` lies before ``next_step``.
        """
        check_packed(packed, self.height, self.width)
        step = self._next if step is None else step
        if step < self._next:
            raise OptionError(f"step {step} comes after step {self._next - 1}: reset() before going back")
        if step > self._next:
            self._restart(step)
        kept = packed[-self.capacity :]
        row = (step + len(packed) - len(kept)) % self.capacity
        before_end = min(len(kept), self.capacity - row)
        self._by_step[row : row + before_end] = kept[:before_end]
        self._by_step[: len(kept) - before_end] = kept[before_end:]
        self._next = step + len(packed)

    def rate(self, t: int, w: int) -> NDArray[np.float32]:
        """Spikes per step in W(t, w), the paper's (2).

        Raises
        ------
        WindowError
            Steps of the window are not in the ring.
        OptionError
            `w` is below 1 or above 32,767.
        """
        return self._picture(bitplanes.write_rate, w, *self._window_counts(self._window(t, w), w))

    def segments(self, t: int, w: int, n: int) -> NDArray[np.float32]:
        """Spikes per step in each of `n` equal parts of W(t, w), oldest first, the paper's (6).

        Returns
        -------
        numpy.ndarray
            (n, H, W) float32.

        Raises
        ------
        WindowError
            Steps of the window are not in the ring.
        OptionError
            `n` does not divide `w`, or either is out of range.
        """
        start = self._window(t, w)
        if n < 1 or w % n:
            raise OptionError(f"{n} segments do not divide a window of {w} steps: choose a divisor of {w}")
        short = w // n
        return np.stack([self.rate(start + k * short + short // 2, short) for k in range(n)])

    def planes(self, t: int, w: int) -> NDArray[np.uint8]:
        """Return a copy of the steps of W(t, w), packed: (w, ⌈H·W/8⌉).

        Raises
        ------
        WindowError
            Steps of the window are not in the ring.
        OptionError
            `w` is below 1 or above 32,767.
        """
        start = self._window(t, w)
        return self._by_step[np.arange(start, start + w) % self.capacity]

    def isi(self, t: int, w: int) -> NDArray[np.float32]:
        """Count the steps from the last spike ≤ t to the first spike > t, both inside W(t, w), else 0; the paper's (3).

        Raises
        ------
        WindowError
            Steps of the window are not in the ring.
        OptionError
            `w` is below 1 or above 32,767.
        """
        start = self._window(t, w)
        return self._picture(bitplanes.write_isi, w, start, t, start + w, _planes(w))

    def interval(self, t: int, w: int, reach: int | None = None) -> NDArray[np.float32]:
        """Spikes per step between the last spike before and the first spike after W(t, w).

        The light is n / (b − a), where a and b are those two spikes, each at most `reach` steps outside the window
        (default: `w`), and n counts the spikes in (a, b]. Where a or b is missing it is ``rate``. Steps before the
        first one pushed and steps that have not come yet count as without a spike.

        Raises
        ------
        WindowError
            Steps of the window are not in the ring, or steps that `reach` needs have left it.
        OptionError
            `w` or `reach` is out of range (1 or 0 to 32,767).
        """
        reach = w if reach is None else reach
        start = self._window(t, w)
        self._check_reach(start, reach)
        counts = self._window_counts(start, w)
        return self._picture(bitplanes.write_interval, max(w, reach), *counts, reach, _planes(2 * reach))

    def _restart(self, step: int) -> None:
        self._origin = self._next = step
        self._counts.clear()

    def _window(self, t: int, w: int) -> int:
        """First step of W(t, w), or the error that says why it cannot be had."""
        if not 1 <= w <= _LONGEST:
            raise OptionError(f"a window of {w} steps: it must be 1 to {_LONGEST}")
        start = t - w // 2
        if start < self.first_step or start + w > self._next:
            raise WindowError(
                f"the window of {w} steps around step {t} needs steps {start} to {start + w - 1}, the ring holds "
                f"{self.first_step} to {self._next - 1}: wait for later steps, or take a capacity above {self.capacity}"
            )
        return start

    def _check_reach(self, start: int, reach: int) -> None:
        if not 0 <= reach <= _LONGEST:
            raise OptionError(f"a reach of {reach} steps: it must be 0 to {_LONGEST}")
        if max(start - reach, self._origin) < self.first_step:
            raise WindowError(
                f"a reach of {reach} steps before step {start} needs step {max(start - reach, self._origin)}, the ring "
                f"holds {self.first_step} to {self._next - 1}: take a capacity above {self.capacity} or a shorter reach"
            )

    def _window_counts(self, start: int, w: int) -> tuple[bitplanes.Move, bitplanes.Words, int]:
        """Tell a kernel how the last counts of `w` steps become those from `start` on: sliding, or anew."""
        counts = self._counts.get(w)
        if counts is None:
            counts = self._counts[w] = _Counts(w, self._width)
        last, counts.start = counts.start, start
        moved = start - last
        if 0 <= 2 * moved < w and last >= self.first_step:
            return (start, w, moved, _planes(moved)), counts.planes, counts.bits
        return (start, w, w, 0), counts.planes, counts.bits

    def _picture(self, write: Callable[..., int], longest: int, *what: object) -> NDArray[np.float32]:
        """Take the picture that a kernel writes, in whole vectors, from lists of at most `longest` rows."""
        if self._offsets.shape[1] < longest + 7:
            self._offsets = np.empty((4, longest + 7), np.int64)
        whole = np.empty(64 * self._width + 16, np.float32)
        held = self._width, self.capacity, self.first_step, self._next
        start = write(self._ring, held, self._offsets, self._room, *what, whole)
        return whole[start : start + self.height * self.width].reshape(self.height, self.width)


def _planes(largest: int) -> int:
    """Bit planes that hold numbers up to `largest`; the kernels work with three or more."""
    return max(3, largest.bit_length())


class _Counts:
    """Spikes in a window, bit-sliced, and where the window starts."""

    def __init__(self, window: int, width: int) -> None:
        self.bits = _planes(window + 1)
        self.planes = np.empty(self.bits * width, np.uint64)
        self.start = -window  # overlaps no window of the ring
