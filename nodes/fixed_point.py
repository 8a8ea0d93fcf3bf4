"""The numbers of a `windows` message: 16 bits instead of 32 on the way, at 1/65535 spike per step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nodes.messages import FIXED_POINT

__all__ = ["from_fixed_point", "to_fixed_point"]


def _units(name: str) -> np.float32:
    """Units on the wire per unit of a map: an `isi` is a whole number of steps already."""
    return np.float32(1 if name.startswith("isi:") else FIXED_POINT)


def to_fixed_point(name: str, pictures: list[NDArray[np.float32]]) -> NDArray[np.uint16]:
    """Return (n, H, W) uint16 for n maps (H, W) of one name, such as ``interval:32``."""
    packed = np.empty((len(pictures), *pictures[0].shape), np.uint16)
    scaled = np.empty_like(pictures[0])
    for picture, out in zip(pictures, packed, strict=True):
        np.multiply(picture, _units(name), out=scaled)
        np.add(scaled, np.float32(0.5), out=scaled)
        np.copyto(out, scaled, casting="unsafe")
    return packed


def from_fixed_point(name: str, packed: NDArray[Any]) -> NDArray[np.float32]:
    """Return the maps as float32: light in spikes per step, or steps for ``isi``."""
    return packed.astype(np.float32) / _units(name)
