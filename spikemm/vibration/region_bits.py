"""The bits of one region in packed steps: counted, or weighed, at a few table look-ups a byte."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikemm.packing import check_packed
from spikemm.vibration.template import Roi

__all__ = ["RegionBits"]

_MOST_STEPS = 2048


class RegionBits:
    """Count and weigh the spikes of a region without unpacking them.

    Parameters
    ----------
    roi : Roi
        The region, inside the picture.
    height, width : int
        Pixels of the picture.

    Attributes
    ----------
    bytes : int
        Bytes of a step in which the region has pixels.
    byte : numpy.ndarray
        (pixels,) which of them each pixel of the region is in, row by row.
    """

    def __init__(self, roi: Roi, height: int, width: int) -> None:
        x, y, wide, high = roi
        self._size = height, width
        self._shape = high, wide
        pixels = (y + np.arange(high))[:, None] * width + x + np.arange(wide)
        self._index, place = np.unique(pixels >> 3, return_inverse=True)
        self.byte = place.ravel()
        self._bit = self.byte * 8 + (pixels & 7).ravel()
        self.bytes = len(self._index)

    def count(self, packed: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Count the spikes in (n, ⌈H·W/8⌉) `packed` at every pixel of the region, (height, width)."""
        counts = np.zeros(self.bytes * 8, np.int32)
        for part in self._parts(packed):
            _count(part, counts)
        return np.asarray(counts[self._bit].reshape(self._shape), np.int64)

    def weigh(
        self, packed: NDArray[np.uint8], weights: NDArray[np.float64], group: NDArray[np.int64], groups: int
    ) -> NDArray[np.float32]:
        """Add up the weights of the pixels that fire, at every step.

        Parameters
        ----------
        packed : numpy.ndarray
            (n, ⌈H·W/8⌉) uint8.
        weights : numpy.ndarray
            (4, pixels of the region).
        group : numpy.ndarray
            (bytes,) which sum each byte belongs to, below `groups`.
        groups : int
            How many sums are kept apart.

        Returns
        -------
        numpy.ndarray
            (n, groups, 4) float32.
        """
        table = _tables(self._at_bits(weights))
        sums = np.zeros((groups, len(packed), 4), np.float32)
        for i, part in enumerate(self._parts(packed)):
            start = i * _MOST_STEPS
            _weigh(np.ascontiguousarray(part.T), table, group, sums[:, start : start + _MOST_STEPS])
        return sums.transpose(1, 0, 2)

    def unpack(self, packed: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return 1 where a pixel of the region fires in (n, ⌈H·W/8⌉) `packed`, 0 elsewhere: (n, pixels) float32."""
        check_packed(packed, *self._size)
        bits = np.unpackbits(packed[:, self._index], axis=1, bitorder="little")
        return np.asarray(bits[:, self._bit], np.float32)

    def _at_bits(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Lay (4, pixels) out as (bytes, 8, 4), 0 for bits outside the region."""
        spread = np.zeros((self.bytes * 8, 4), np.float32)
        spread[self._bit] = weights.T
        return spread.reshape(self.bytes, 8, 4)

    def _parts(self, packed: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        check_packed(packed, *self._size)
        return [packed[start : start + _MOST_STEPS, self._index] for start in range(0, len(packed), _MOST_STEPS)]


@njit(nogil=True, cache=True)
def _count(part: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    for k in range(part.shape[0]):
        row = part[k]
        for b in range(row.size):
            byte = np.int32(row[b])
            for bit in range(8):
                counts[8 * b + bit] += (byte >> np.int32(bit)) & np.int32(1)


@njit(nogil=True, cache=True)
def _tables(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up the weights of every byte's set bits: (bytes, 256, 4)."""
    table = np.zeros((weights.shape[0], 256, 4), np.float32)
    for b in range(weights.shape[0]):
        for bit in range(8):
            half = 1 << bit
            for value in range(half):
                for c in range(4):
                    table[b, half + value, c] = table[b, value, c] + weights[b, bit, c]
    return table


@njit(nogil=True, cache=True)
def _weigh(
    columns: NDArray[np.uint8], table: NDArray[np.float32], group: NDArray[np.int64], sums: NDArray[np.float32]
) -> None:
    # Byte by byte over all steps: one byte's table and its group's sums stay in the nearest cache.
    for b in range(columns.shape[0]):
        entries, column, out = table[b], columns[b], sums[group[b]]
        for k in range(column.size):
            entry = entries[column[k]]
            for c in range(4):
                out[k, c] += entry[c]
