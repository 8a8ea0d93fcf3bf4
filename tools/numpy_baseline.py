"""The encodings as one writes them in numpy: what `spikemm bench encode` compares itself with, in speed and in value.

Each function unpacks the steps that its window needs, as every decoder of such recordings does, and works on the
(n, H, W) array.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["interval", "isi", "rate"]


def _unpacked(packed: NDArray[np.uint8], start: int, stop: int, height: int, width: int) -> NDArray[np.uint8]:
    bits = np.unpackbits(packed[start:stop], axis=1, count=height * width, bitorder="little")
    return bits.reshape(-1, height, width)


def _last_before(spikes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Count the steps from the end of the planes back to each pixel's last spike; 0 where there is none."""
    distance = np.zeros(spikes.shape[1:], np.int32)
    for back in range(1, len(spikes) + 1):
        distance[(distance == 0) & (spikes[-back] == 1)] = back
    return distance


def _first_after(spikes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Count the planes up to and with each pixel's first spike, counted from 1; 0 where there is none."""
    return _last_before(spikes[::-1])


def rate(packed: NDArray[np.uint8], t: int, w: int, height: int, width: int) -> NDArray[np.float32]:
    """Return the spikes in the window over its length ("TFP").

    Parameters
    ----------
    packed : numpy.ndarray
        (steps, ⌈height·width/8⌉) uint8; row k is step k.
    t, w : int
        Centre and length of the window in steps.
    height, width : int
        Size of the picture in pixels.

    Returns
    -------
    numpy.ndarray
        (height, width) float32, spikes per step.
    """
    start = t - w // 2
    spikes = _unpacked(packed, start, start + w, height, width)
    light: NDArray[np.float32] = (spikes.sum(axis=0) / w).astype(np.float32)
    return light


def isi(packed: NDArray[np.uint8], t: int, w: int, height: int, width: int) -> NDArray[np.float32]:
    """Return the steps between the spikes on either side of t ("TFI"), 0 where one is missing; otherwise as `rate`."""
    start = t - w // 2
    spikes = _unpacked(packed, start, start + w, height, width)
    back, forth = _last_before(spikes[: t - start + 1]), _first_after(spikes[t - start + 1 :])
    found: NDArray[np.float32] = np.where((back > 0) & (forth > 0), back + forth - 1, 0).astype(np.float32)
    return found


def interval(packed: NDArray[np.uint8], t: int, w: int, height: int, width: int) -> NDArray[np.float32]:
    """Return the spikes over the time they took, from the last one before the window to the first one behind it.

    Otherwise as `rate`. The reach is w on either side; where a spike is missing there, the value is that of `rate`.
    """
    start = t - w // 2
    stop = start + w
    spikes = _unpacked(packed, start - w, stop + w, height, width)
    inside = spikes[w : 2 * w].sum(axis=0)
    back, forth = _last_before(spikes[:w]), _first_after(spikes[2 * w :])
    between = (inside + 1) / np.maximum(back + w + forth - 1, 1)
    light: NDArray[np.float32] = np.where((back > 0) & (forth > 0), between, inside / w).astype(np.float32)
    return light
