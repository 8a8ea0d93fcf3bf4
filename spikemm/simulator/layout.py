"""How pixels lie in the kernels' blocks, and how the blocks' spikes return to picture order."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["BLOCK", "Layout"]

BLOCK = 512
"""Pixels in a block: 64 bytes of spikes."""

_WORD = 64

Words = NDArray[np.uint64]


class Layout:
    """Pixels in blocks of 512: eight planes of 64, plane b holding those that become bit b of the block's 64 bytes.

    All bits of a byte then come from equal loops over contiguous numbers, which the compiler turns into vector code.
    Words of 64 neighbouring pixels are kept together; those that move share the first blocks, so that few blocks need
    the light of every displacement.

    Parameters
    ----------
    moving : ndarray
        (pixels,) bool.

    Attributes
    ----------
    blocks, moving_blocks : int
        Number of blocks, and how many of them, from the first on, hold a pixel that moves.
    """

    def __init__(self, moving: NDArray[np.bool_]) -> None:
        self._pixels = moving.size
        self.blocks = -(-moving.size // BLOCK)
        words = self._padded(moving[None]).reshape(-1, _WORD).any(axis=1)
        self._order = np.argsort(~words, kind="stable")
        self._slot = np.argsort(self._order).astype(np.uint64)
        self.moving_blocks = -(-int(words.sum()) // (BLOCK // _WORD))

    def to_blocks(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Lay out frames (n, pixels) as (n, blocks, 512); what is behind the last pixel is 0."""
        words = self._padded(frames).reshape(frames.shape[0], -1, _WORD)[:, self._order]
        planes = words.reshape(frames.shape[0], self.blocks, BLOCK // 8, 8).transpose(0, 1, 3, 2)
        return np.ascontiguousarray(planes).reshape(frames.shape[0], self.blocks, BLOCK)

    def to_picture(self, fired: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring spikes (blocks, n, 64) into picture order, (n, ⌈pixels/8⌉) packed."""
        packed = np.empty((fired.shape[1], self._slot.size), np.uint64)
        words = np.uint64(BLOCK // _WORD)
        first = self._slot // words * np.uint64(fired.shape[1]) * words + self._slot % words
        _arrange(fired.view(np.uint64).reshape(-1), first, words, packed)
        return packed.view(np.uint8)[:, : -(-self._pixels // 8)]

    def _padded(self, frames: NDArray[Any]) -> NDArray[Any]:
        padded = np.zeros((frames.shape[0], self.blocks * BLOCK), frames.dtype)
        padded[:, : self._pixels] = frames
        return padded


@njit(nogil=True, cache=True)
def _arrange(fired: Words, first: Words, stride: np.uint64, packed: Words) -> None:
    for step in range(np.uint64(packed.shape[0])):
        for word in range(np.uint64(first.size)):
            packed[step, word] = fired[first[word] + step * stride]
