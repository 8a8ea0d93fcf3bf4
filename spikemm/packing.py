"""Spikes as one bit each: pixel i of a step in byte i // 8, bit i % 8."""

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError, ShapeError

__all__ = ["Region", "check_packed", "check_region", "crop", "flip_rows", "pack", "packed_bytes", "unpack"]

Region = tuple[int, int, int, int]
"""x, y, width and height of a rectangle, px."""


def packed_bytes(height: int, width: int) -> int:
    """Bytes that a packed step of `height` × `width` pixels takes."""
    return (height * width + 7) // 8


def pack(spikes: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Pack steps into bits.

    Parameters
    ----------
    spikes : numpy.ndarray
        (n, H, W), any integer or boolean type; a value other than 0 is a spike.

    Returns
    -------
    numpy.ndarray
        (n, ⌈H·W/8⌉) uint8; the bits left over in the last byte are 0.

    Raises
    ------
    ShapeError
        The array is not three-dimensional.
    """
    if spikes.ndim != 3:
        raise ShapeError(f"spikes of shape {spikes.shape}: give (n, H, W)")
    pixels = spikes.shape[1] * spikes.shape[2]
    return np.packbits(spikes.reshape(len(spikes), pixels) != 0, axis=1, bitorder="little")


def unpack(packed: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Unpack steps into one byte per pixel.

    Parameters
    ----------
    packed : numpy.ndarray
        (n, ⌈H·W/8⌉) uint8.
    height, width : int
        Pixels.

    Returns
    -------
    numpy.ndarray
        (n, H, W) uint8, 0 or 1.

    Raises
    ------
    ShapeError
        `packed` has another shape or type.
    """
    check_packed(packed, height, width)
    flat = np.unpackbits(packed, axis=1, count=height * width, bitorder="little")
    return flat.reshape(len(packed), height, width)


def flip_rows(packed: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return packed steps with their rows in the opposite order.

    Whole bytes are moved where a row is a whole number of bytes; other widths are unpacked and packed again.

    Parameters
    ----------
    packed : numpy.ndarray
        (n, ⌈H·W/8⌉) uint8.
    height, width : int
        Pixels.

    Raises
    ------
    ShapeError
        `packed` has another shape or type.
    """
    check_packed(packed, height, width)
    if width % 8:
        return pack(unpack(packed, height, width)[:, ::-1])
    rows = packed.reshape(len(packed), height, width // 8)
    return np.ascontiguousarray(rows[:, ::-1]).reshape(packed.shape)


def crop(packed: NDArray[np.uint8], height: int, width: int, region: Region) -> NDArray[np.uint8]:
    """Return a part of the picture of packed steps.

    Whole bytes are moved where x and both widths are multiples of 8; others are unpacked and packed again.

    Parameters
    ----------
    packed : numpy.ndarray
        (n, ⌈H·W/8⌉) uint8.
    height, width : int
        Pixels.
    region : Region
        The part, inside the picture.

    Returns
    -------
    numpy.ndarray
        (n, ⌈h·w/8⌉) uint8, h and w being those of `region`.

    Raises
    ------
    ShapeError
        `packed` has another shape or type.
    OptionError
        The region is not inside the picture.
    """
    check_packed(packed, height, width)
    check_region(region, height, width)
    x, y, wide, high = region
    if width % 8 or x % 8 or wide % 8:
        return pack(unpack(packed, height, width)[:, y : y + high, x : x + wide])
    rows = packed.reshape(len(packed), height, width // 8)
    return rows[:, y : y + high, x // 8 : (x + wide) // 8].reshape(len(packed), high * wide // 8)


def check_region(region: Region, height: int, width: int) -> None:
    """Raise OptionError unless `region` is 1×1 px or more and inside a picture of `height` × `width`."""
    x, y, wide, high = region
    if min(x, y) < 0 or min(wide, high) < 1 or x + wide > width or y + high > height:
        raise OptionError(
            f"region {list(region)} (x, y, width, height) is not inside the picture of {width}×{height} px"
        )


def check_packed(packed: NDArray[np.uint8], height: int, width: int) -> None:
    """Raise ShapeError unless `packed` is (n, ⌈H·W/8⌉) uint8."""
    expected = packed_bytes(height, width)
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != expected:
        raise ShapeError(
            f"packed spikes are {packed.shape} {packed.dtype}: "
            f"{height}×{width} pixels need (n, {expected}) uint8 (spikemm.pack makes it)"
        )
