"""Kernels that count and search packed spikes without unpacking them.

A number per pixel is held *bit-sliced*: plane p holds bit p of the numbers of 512 neighbouring pixels, so a few logic
operations add a step of 512 pixels (carry-save adders, as in Harley and Seal's population count). Planes are stored
chunk by chunk: word j of plane p of chunk c is item ``(c * bits + p) * 8 + j`` of a flat uint64 array.

The ring is a flat uint64 array of rows of `width` words; step k lies in row k % capacity, and one more row, the last,
stays zero: it stands for every step that does not exist. A list of rows holds their offsets, padded to blocks of eight
with the zero row.
"""

import numpy as np
from numpy.typing import NDArray

from spikemm.lanes import (
    LANES,
    PIXELS,
    Lanes,
    Octets,
    Words,
    all_set,
    kernel,
    load,
    no_bytes,
    no_lanes,
    prefetch,
    spread,
    store,
)

__all__ = [
    "Rows",
    "Values",
    "Words",
    "bridge",
    "count_rows",
    "rows_of",
    "slide_rows",
    "write_interval",
    "write_numbers",
    "write_rate",
]

Rows = NDArray[np.int64]
Values = NDArray[np.float32]

_AHEAD = 4 * LANES
"""Words from a load to the prefetch in the same row: a column of rows is too wide for the processor's own guess."""


@kernel
def rows_of(start: int, count: int, direction: int, first: int, after: int, capacity: int, width: int) -> Rows:
    """Offsets of the rows of steps start, start + direction, …; the zero row outside [first, after)."""
    offsets = np.full((count + 7) // 8 * 8, capacity * width, np.int64)
    for i in range(count):
        step = start + i * direction
        if first <= step < after:
            offsets[i] = step % capacity * width
    return offsets


@kernel
def _add(a: Lanes, b: Lanes, c: Lanes) -> tuple[Lanes, Lanes]:
    """Carry-save adder: sum and carry of three bits per pixel."""
    half = a ^ b
    return half ^ c, (a & b) | (half & c)


@kernel
def _choose(which: Lanes, a: Lanes, b: Lanes) -> Lanes:
    """Take a where `which` is set, else b."""
    return b ^ (which & (a ^ b))


@kernel
def _fetch(ring: Words, index: int) -> Lanes:
    """Load from a row of the ring; the row's next chunks are on their way by the time they are needed."""
    prefetch(ring, index + _AHEAD)
    return load(ring, index)


@kernel
def _sum(ring: Words, at: int, rows: Rows, planes: Words, here: int, bits: int) -> None:
    """Add the spikes of one chunk of `rows` to the numbers that start at word `here` of `planes`."""
    ones = load(planes, here)
    twos = load(planes, here + LANES)
    fours = load(planes, here + 2 * LANES)
    for k in range(0, len(rows), 8):
        ones, a = _add(ones, _fetch(ring, rows[k] + at), _fetch(ring, rows[k + 1] + at))
        ones, b = _add(ones, _fetch(ring, rows[k + 2] + at), _fetch(ring, rows[k + 3] + at))
        ones, c = _add(ones, _fetch(ring, rows[k + 4] + at), _fetch(ring, rows[k + 5] + at))
        ones, d = _add(ones, _fetch(ring, rows[k + 6] + at), _fetch(ring, rows[k + 7] + at))
        twos, a = _add(twos, a, b)
        twos, b = _add(twos, c, d)
        fours, carry = _add(fours, a, b)
        for p in range(here + 3 * LANES, here + bits * LANES, LANES):
            plane = load(planes, p)
            store(planes, p, plane ^ carry)
            carry = carry & plane
    store(planes, here, ones)
    store(planes, here + LANES, twos)
    store(planes, here + 2 * LANES, fours)


@kernel
def count_rows(ring: Words, width: int, rows: Rows, counts: Words, bits: int) -> None:
    """Set `counts` (`bits` ≥ 3 planes) to the number of spikes in `rows`."""
    counts[:] = 0
    for at in range(0, width, LANES):
        _sum(ring, at, rows, counts, at * bits, bits)


@kernel
def slide_rows(ring: Words, width: int, new: Rows, old: Rows, few: int, counts: Words, bits: int) -> None:
    """Add the spikes in `new` to `counts` and take off those in `old`, all of which were counted before.

    The spikes in either fit into `few` ≥ 3 planes.
    """
    plus, minus = np.empty(few * LANES, np.uint64), np.empty(few * LANES, np.uint64)
    for at in range(0, width, LANES):
        for p in range(0, few * LANES, LANES):
            store(plus, p, no_lanes())
            store(minus, p, no_lanes())
        _sum(ring, at, new, plus, 0, few)
        _sum(ring, at, old, minus, 0, few)
        carry = borrow = no_lanes()
        for p in range(bits):
            add, take = no_lanes(), no_lanes()
            if p < few:
                add, take = load(plus, p * LANES), load(minus, p * LANES)
            here = at * bits + p * LANES
            total, carry = _add(load(counts, here), add, carry)
            rest = total ^ take
            store(counts, here, rest ^ borrow)
            borrow = (~total & take) | (~rest & borrow)


@kernel
def _find(ring: Words, at: int, rows: Rows, index: Words, bits: int) -> Lanes:
    """Put into `index` (`bits` planes) the place in `rows` of each pixel's first spike; return who has one."""
    found = no_lanes()
    for p in range(bits):
        store(index, p * LANES, found)
    for k in range(0, len(rows), 8):
        a, b = _fetch(ring, rows[k] + at), _fetch(ring, rows[k + 1] + at)
        c, d = _fetch(ring, rows[k + 2] + at), _fetch(ring, rows[k + 3] + at)
        e, f = _fetch(ring, rows[k + 4] + at), _fetch(ring, rows[k + 5] + at)
        g, h = _fetch(ring, rows[k + 6] + at), _fetch(ring, rows[k + 7] + at)
        ab, ef = a | b, e | f
        abcd, efgh = ab | c | d, ef | g | h
        new = (abcd | efgh) & ~found
        odd = ~_choose(abcd, _choose(ab, a, c), _choose(ef, e, g))
        store(index, 0, load(index, 0) | (new & odd))
        store(index, LANES, load(index, LANES) | (new & ~_choose(abcd, ab, ef)))
        store(index, 2 * LANES, load(index, 2 * LANES) | (new & ~abcd))
        for p in range(3, bits):
            if k >> p & 1:
                store(index, p * LANES, load(index, p * LANES) | new)
        found = found | new
        if all_set(found):
            break
    return found


@kernel
def bridge(ring: Words, width: int, back: Rows, ahead: Rows, gaps: Words, bits: int) -> None:
    """Write into `gaps` the places in `back` and in `ahead` of the first spikes, added, plus 1; 0 where one is missing.

    With `back` the steps k, k − 1, … and `ahead` k + 1, k + 2, … this is the inter-spike interval around k.
    """
    before, behind = np.empty(bits * LANES, np.uint64), np.empty(bits * LANES, np.uint64)
    for at in range(0, width, LANES):
        both = _find(ring, at, back, before, bits) & _find(ring, at, ahead, behind, bits)
        carry = both
        for p in range(bits):
            total, carry = _add(load(before, p * LANES), load(behind, p * LANES), carry)
            store(gaps, (at * bits) + p * LANES, total & both)


@kernel
def _spread_planes(planes: Words, chunk: int, first: int, stop: int, octets: Octets) -> None:
    """Write planes [first, stop), at most eight, of the 512 pixels whose words start at `chunk` into bytes."""
    for word in range(LANES):
        numbers = no_bytes()
        for p in range(first, stop):
            numbers = numbers + spread(planes[chunk + p * LANES + word], np.uint8(1 << (p - first)))
        store(octets, 64 * word, numbers)


@kernel
def _numbers(planes: Words, chunk: int, bits: int, octets: Octets, numbers: Values) -> None:
    """Write the numbers of the 512 pixels whose words start at `chunk`."""
    _spread_planes(planes, chunk, 0, min(bits, 8), octets)
    for i in range(len(numbers)):
        numbers[i] = octets[i]
    # Few pixels of a picture pass 255: the upper planes are mostly empty.
    if bits > 8 and planes[chunk + 8 * LANES : chunk + bits * LANES].any():
        _spread_planes(planes, chunk, 8, bits, octets)
        for i in range(len(numbers)):
            numbers[i] += np.float32(256) * octets[i]


@kernel
def write_numbers(numbers: Words, bits: int, out: Values) -> None:
    """Write `numbers` into `out`, whose length is a multiple of 512."""
    octets = np.empty(PIXELS, np.uint8)
    for chunk in range(len(out) // PIXELS):
        _numbers(numbers, chunk * bits * LANES, bits, octets, out[chunk * PIXELS : (chunk + 1) * PIXELS])


@kernel
def write_rate(counts: Words, bits: int, window: int, out: Values) -> None:
    """Write count / window into `out`."""
    octets, spikes = np.empty(PIXELS, np.uint8), np.empty(PIXELS, np.float32)
    for chunk in range(len(out) // PIXELS):
        light = out[chunk * PIXELS : (chunk + 1) * PIXELS]
        _numbers(counts, chunk * bits * LANES, bits, octets, spikes)
        for i in range(PIXELS):
            light[i] = spikes[i] / np.float32(window)


@kernel
def write_interval(counts: Words, bits: int, gaps: Words, gap_bits: int, window: int, out: Values) -> None:
    """Write (count + 1) / (window + gap) where there is a gap, else count / window, into `out`."""
    octets = np.empty(PIXELS, np.uint8)
    spikes, length = np.empty(PIXELS, np.float32), np.empty(PIXELS, np.float32)
    for chunk in range(len(out) // PIXELS):
        light = out[chunk * PIXELS : (chunk + 1) * PIXELS]
        _numbers(counts, chunk * bits * LANES, bits, octets, spikes)
        _numbers(gaps, chunk * gap_bits * LANES, gap_bits, octets, length)
        for i in range(PIXELS):
            light[i] = (spikes[i] + np.float32(length[i] > 0)) / (np.float32(window) + length[i])
