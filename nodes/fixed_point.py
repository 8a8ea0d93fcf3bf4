"""The numbers of a `windows` message: light in 16 bits instead of 32 on the way, at 1/65535 spike per step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nodes.messages import FIXED_POINT

__all__ = ["from_fixed_point", "to_fixed_point"]


_AS_THEY_ARE = ("isi:", "planes:")


def to_fixed_point(name: str, pictures: list[NDArray[Any]]) -> NDArray[Any]:
    """Return (n, …) uint16 for n maps of one name, such as ``interval:32``.

    Raw planes stay bytes, and ``isi`` float32: an inter-spike interval is no whole number once a calibration has been
    applied to it.
    """
    if name.startswith(_AS_THEY_ARE):
        return np.stack(pictures)
    packed = np.empty((len(pictures), *pictures[0].shape), np.uint16)
    scaled = np.empty_like(pictures[0])
    for picture, out in zip(pictures, packed, strict=True):
        np.multiply(picture, np.float32(FIXED_POINT), out=scaled)
        np.add(scaled, np.float32(0.5), out=scaled)
        np.copyto(out, scaled, casting="unsafe")
    return packed


def from_fixed_point(name: str, packed: NDArray[Any]) -> NDArray[Any]:
    """Return the maps as they were encoded: light in spikes per step, steps for ``isi``, bytes of raw planes."""
    if name.startswith(_AS_THEY_ARE):
        return packed
    return packed.astype(np.float32) / np.float32(FIXED_POINT)
