"""Integrate and fire, eight pixels to a byte, many steps a call.

Pixels lie as in `Layout`; a block's charges stay in the cache while its steps are computed.
Indices are unsigned throughout: signed ones would be checked for Python's negative indexing, and that alone stops the
vectoriser.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikemm.simulator.layout import BLOCK

__all__ = ["FULL", "fire_from_rows", "fire_from_sums"]

FULL = 32768
"""The threshold in the units of `fire_from_rows`: a 16-bit charge below it, plus light up to it, never overflows."""

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Words16 = NDArray[np.uint16]
Words32 = NDArray[np.uint32]
Words64 = NDArray[np.uint64]

_U64, _U32, _U16, _U8, _F32 = np.uint64, np.uint32, np.uint16, np.uint8, np.float32
_P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8 = (np.uint64(64 * plane) for plane in range(1, 9))
_P16, _P24 = np.uint64(2 * BLOCK), np.uint64(3 * BLOCK)
_TOP, _REST = np.uint16(15), np.uint16(FULL - 1)
_ONE, _ZERO = np.float32(1.0), np.float32(0.0)
_PER_DEVIATION = np.float32(1.0 / 147.80)


@njit(nogil=True, cache=True)
def fire_from_rows(charge: Words16, rows: Words16, first: Words64, column: Words64, index: Words64, out: Bytes) -> None:
    """Integrate light that is looked up, in fixed point.

    Parameters
    ----------
    charge : ndarray
        (blocks · 512,) uint16 below `FULL`; carried from call to call.
    rows : ndarray
        (rows · 512,) uint16 light per step, at most `FULL`.
    first : ndarray
        (blocks,) uint64, each block's first row.
    column : ndarray
        (blocks,) uint64, which column of `index` a block follows.
    index : ndarray
        (steps, columns) uint64, the row that holds at each step, counted from the block's first.
    out : ndarray
        (blocks · steps · 64,) uint8, packed spikes, block by block.
    """
    steps = _U64(index.shape[0])
    for block in range(_U64(first.size)):
        c = block * _P8
        for step in range(steps):
            r = (first[block] + index[step, column[block]]) * _P8
            o = (block * steps + step) * _P1
            for i in range(_P1):
                p = c + i
                q = r + i
                a0 = _U16(charge[p] + rows[q])
                a1 = _U16(charge[p + _P1] + rows[q + _P1])
                a2 = _U16(charge[p + _P2] + rows[q + _P2])
                a3 = _U16(charge[p + _P3] + rows[q + _P3])
                a4 = _U16(charge[p + _P4] + rows[q + _P4])
                a5 = _U16(charge[p + _P5] + rows[q + _P5])
                a6 = _U16(charge[p + _P6] + rows[q + _P6])
                a7 = _U16(charge[p + _P7] + rows[q + _P7])
                charge[p] = a0 & _REST
                charge[p + _P1] = a1 & _REST
                charge[p + _P2] = a2 & _REST
                charge[p + _P3] = a3 & _REST
                charge[p + _P4] = a4 & _REST
                charge[p + _P5] = a5 & _REST
                charge[p + _P6] = a6 & _REST
                charge[p + _P7] = a7 & _REST
                out[o + i] = _U8(
                    _U16(a0 >> _TOP)
                    | _U16(_U16(a1 >> _TOP) << _U16(1))
                    | _U16(_U16(a2 >> _TOP) << _U16(2))
                    | _U16(_U16(a3 >> _TOP) << _U16(3))
                    | _U16(_U16(a4 >> _TOP) << _U16(4))
                    | _U16(_U16(a5 >> _TOP) << _U16(5))
                    | _U16(_U16(a6 >> _TOP) << _U16(6))
                    | _U16(_U16(a7 >> _TOP) << _U16(7))
                )


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def fire_from_sums(
    charge: Floats,
    keys: Floats,
    first: Words64,
    index: Words64,
    weights: Floats,
    slow: Floats,
    drift: Floats,
    dark: Floats,
    spread: Floats,
    salt: Words32,
    out: Bytes,
) -> None:
    """Integrate light that is computed at every step, in floating point.

    light = (Σ weights · keys + sway) · shade + dark + noise; the lamp's flicker is in the weights.

    Parameters
    ----------
    charge : ndarray
        (blocks · 512,) float32 below 1; carried from call to call.
    keys : ndarray
        (sets · K · 512,) float32, sets of K key frames of one block each; K is a multiple of 4.
    first, index : ndarray
        (blocks,) uint64 first set of a block, and (steps,) uint64 the set that holds, counted from it.
    weights : ndarray
        (steps, K) float32.
    slow : ndarray
        (4, blocks · 512) float32: the light that the sway adds, its change over the segment, the shade, its change;
        (0, 0) where neither is on.
    drift : ndarray
        (steps,) float32, how far within the segment each step is, 0 to 1.
    dark : ndarray
        (blocks · 512,) float32.
    spread : ndarray
        (blocks · 512,) float32, standard deviation of a step's charge; (0,) for no noise.
    salt : ndarray
        (steps,) uint32, a different number for every step.
    out : ndarray
        (blocks · steps · 64,) uint8, packed spikes, block by block.
    """
    light = np.empty(BLOCK, np.float32)
    steps, terms = _U64(index.shape[0]), _U64(weights.shape[1])
    for block in range(_U64(first.size)):
        c = block * _P8
        for step in range(steps):
            for i in range(_P8):
                light[i] = dark[c + i]
            _add_up(light, keys, (first[block] + index[step]) * terms * _P8, weights[step])
            if slow.size:
                _drift(light, slow, dark, c, drift[step])
            if spread.size:
                _add_noise(light, spread, salt[step], c)
            _fire(charge, c, light, out, (block * steps + step) * _P1)


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _add_up(light: Floats, keys: Floats, start: np.uint64, weights: Floats) -> None:
    # Four key frames at a time: one alone spends its time on loading and storing the sum.
    for term in range(_U64(0), _U64(weights.size), _U64(4)):
        k = start + term * _P8
        w0, w1 = weights[term], weights[term + _U64(1)]
        w2, w3 = weights[term + _U64(2)], weights[term + _U64(3)]
        for i in range(_P8):
            p = k + i
            light[i] += w0 * keys[p] + w1 * keys[p + _P8] + w2 * keys[p + _P16] + w3 * keys[p + _P24]


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _drift(light: Floats, slow: Floats, dark: Floats, c: np.uint64, part: np.float32) -> None:
    for i in range(_P8):
        p = c + i
        lit = light[i] - dark[p] + slow[0, p] + part * slow[1, p]
        light[i] = lit * (slow[2, p] + part * slow[3, p]) + dark[p]


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _add_noise(light: Floats, spread: Floats, salt: np.uint32, c: np.uint64) -> None:
    # The sum of the four bytes of a hashed counter: nearly Gaussian, mean 510, standard deviation 147.8.
    for i in range(_P8):
        h = _U32((_U32(c + i) ^ salt) * _U32(0x9E3779B1))
        h = _U32((h ^ (h >> _U32(15))) * _U32(0x85EBCA77))
        h = _U32(h ^ (h >> _U32(16)))
        pairs = _U32((h & _U32(0x00FF00FF)) + ((h >> _U32(8)) & _U32(0x00FF00FF)))
        total = np.int32((pairs & _U32(0xFFFF)) + (pairs >> _U32(16))) - np.int32(510)
        light[i] += spread[c + i] * _F32(total) * _PER_DEVIATION


@njit(nogil=True, cache=True, inline="always")
def _step(charge: Floats, p: np.uint64, light: np.float32) -> np.uint32:
    full = charge[p] + (light if light < _ONE else _ONE)
    fired = _ONE if full >= _ONE else _ZERO
    charge[p] = full - fired
    return _U32(fired)


@njit(nogil=True, cache=True)
def _fire(charge: Floats, c: np.uint64, light: Floats, out: Bytes, o: np.uint64) -> None:
    for i in range(_P1):
        p = c + i
        bits = _step(charge, p, light[i])
        bits |= _step(charge, p + _P1, light[i + _P1]) << _U32(1)
        bits |= _step(charge, p + _P2, light[i + _P2]) << _U32(2)
        bits |= _step(charge, p + _P3, light[i + _P3]) << _U32(3)
        bits |= _step(charge, p + _P4, light[i + _P4]) << _U32(4)
        bits |= _step(charge, p + _P5, light[i + _P5]) << _U32(5)
        bits |= _step(charge, p + _P6, light[i + _P6]) << _U32(6)
        bits |= _step(charge, p + _P7, light[i + _P7]) << _U32(7)
        out[o + i] = _U8(bits)
