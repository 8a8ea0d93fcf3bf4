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
    Floats,
    Lanes,
    Values,
    Words,
    all_set,
    kernel,
    load,
    no_lanes,
    octets,
    prefetch,
    repeat,
    store,
)

__all__ = ["ROOM", "Held", "Move", "Rows", "Values", "Words", "write_interval", "write_isi", "write_rate"]

Rows = NDArray[np.int64]

Held = tuple[int, int, int, int]
"""What a ring holds: width and number of its rows, the first step and the one after the last."""

Move = tuple[int, int, int, int]
"""A window's first step and length, by how many steps it has moved, and the planes that a count of these takes.

With 0 planes there are no older counts, and it has moved by its length.
"""

ROOM = (5, 16 * LANES)
"""Shape of the kernels' scratch memory: the planes of one chunk, for five kinds of numbers."""

_AHEAD = 4 * LANES
"""Words from a load to the prefetch in the same row: a column of rows is too wide for the processor's own guess."""


@kernel
def _whole(count: int) -> int:
    return (count + 7) // 8 * 8


@kernel
def _list(rows: Rows, start: int, count: int, way: int, held: Held) -> None:
    """Put into `rows` those of steps start, start + way, …; the zero row outside [first, after) and behind them."""
    width, capacity, first, after = held
    rows[:] = capacity * width
    for i in range(count):
        step = start + i * way
        if first <= step < after:
            rows[i] = step % capacity * width


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
def _clear(planes: Words, here: int, bits: int) -> None:
    for p in range(here, here + bits * LANES, LANES):
        store(planes, p, no_lanes())


@kernel
def _slide(
    ring: Words, at: int, new: Rows, old: Rows, few: int, counts: Words, here: int, bits: int, room: Words
) -> None:
    """Add the spikes of one chunk of `new` to its counts and take off those of `old`; each fit into `few` planes."""
    plus, minus = room[0], room[1]
    _clear(plus, 0, few)
    _clear(minus, 0, few)
    _sum(ring, at, new, plus, 0, few)
    _sum(ring, at, old, minus, 0, few)
    carry = borrow = no_lanes()
    for p in range(bits):
        add, take = no_lanes(), no_lanes()
        if p < few:
            add, take = load(plus, p * LANES), load(minus, p * LANES)
        total, carry = _add(load(counts, here + p * LANES), add, carry)
        rest = total ^ take
        store(counts, here + p * LANES, rest ^ borrow)
        borrow = (~total & take) | (~rest & borrow)


@kernel
def _count(
    ring: Words, at: int, new: Rows, old: Rows, few: int, counts: Words, bits: int, room: Words, extra: Lanes
) -> None:
    """Bring the counts of one chunk up to date and put them, with `extra` added, into ``room[2]``.

    They slide by the rows in `new` and `old`, or with `few` 0 start anew with those in `new`.
    """
    here = at * bits
    if few:
        _slide(ring, at, new, old, few, counts, here, bits, room)
    else:
        _clear(counts, here, bits)
        _sum(ring, at, new, counts, here, bits)
    for p in range(0, bits * LANES, LANES):
        plane = load(counts, here + p)
        store(room[2], p, plane ^ extra)
        extra = plane & extra


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
def _bridge(ring: Words, at: int, back: Rows, ahead: Rows, bits: int, room: Words) -> Lanes:
    """Put into ``room[3]`` the places in `back` and in `ahead` of the first spikes, added, plus 1; 0 where one lacks.

    Return where there are both. With `back` the steps k, k − 1, … and `ahead` k + 1, k + 2, … this is the inter-spike
    interval around k.
    """
    gaps, behind = room[3], room[4]
    both = _find(ring, at, back, gaps, bits) & _find(ring, at, ahead, behind, bits)
    carry = both
    for p in range(0, bits * LANES, LANES):
        total, carry = _add(load(gaps, p), load(behind, p), carry)
        store(gaps, p, total & both)
    return both


@kernel
def _wide(planes: Words, bits: int) -> bool:
    """Whether any of 512 numbers passes 255; few pixels of a picture do."""
    some = no_lanes()
    for p in range(8 * LANES, bits * LANES, LANES):
        some = some | load(planes, p)
    return not all_set(~some)


@kernel
def _numbers(planes: Words, word: int, wide: bool) -> Floats:
    """Numbers, of 8 planes or where `wide` of 16, of the 64 pixels in a word."""
    numbers = octets(planes, word)
    if wide:
        numbers = numbers + octets(planes, word + 8 * LANES) * repeat(np.float32(256))
    return numbers


@kernel
def _divide(room: Words, wide: bool, window: Floats, out: Values, pixel: int) -> None:
    """Write the chunk's counts / (`window` + its gaps)."""
    for word in range(LANES):
        light = _numbers(room[2], word, wide) / (_numbers(room[3], word, wide) + window)
        store(out, pixel + word * 64, light)


@kernel
def _divide_all(room: Words, wide: bool, window: Floats, out: Values, pixel: int) -> None:
    """Write the chunk's counts / `window`."""
    for word in range(LANES):
        store(out, pixel + word * 64, _numbers(room[2], word, wide) / window)


@kernel
def _copy(room: Words, wide: bool, out: Values, pixel: int) -> None:
    """Write the chunk's gaps."""
    for word in range(LANES):
        store(out, pixel + word * 64, _numbers(room[3], word, wide))


@kernel
def _cache_line(out: Values) -> int:
    """First item that starts a cache line."""
    return -(out.ctypes.data // 4) % 16


@kernel
def write_rate(
    ring: Words, held: Held, offsets: Rows, room: Words, move: Move, counts: Words, bits: int, out: Values
) -> int:
    """Write the rate of a window into `out`, from the item returned on.

    `counts` are those of the window before it moved and become those of this one. `offsets` has four rows, each for a
    list of the most steps that are counted or searched, in whole blocks of eight.
    """
    start, window, moved, few = move
    new, old = offsets[0, : _whole(moved)], offsets[1, : _whole(moved)]
    _list(new, start + window - moved, moved, 1, held)
    _list(old, start - moved, moved, 1, held)
    begin, length = _cache_line(out), repeat(np.float32(window))
    _clear(room[2], 0, 16)
    for at in range(0, held[0], LANES):
        _count(ring, at, new, old, few, counts, bits, room, no_lanes())
        if _wide(room[2], bits):
            _divide_all(room, True, length, out, begin + at * 64)
        else:
            _divide_all(room, False, length, out, begin + at * 64)
    return begin


@kernel
def write_isi(
    ring: Words, held: Held, offsets: Rows, room: Words, start: int, t: int, stop: int, bits: int, out: Values
) -> int:
    """Write the inter-spike interval around `t` in the steps [start, stop) into `out`, from the item returned on."""
    back, ahead = offsets[2, : _whole(t - start + 1)], offsets[3, : _whole(stop - t - 1)]
    _list(back, t, t - start + 1, -1, held)
    _list(ahead, t + 1, stop - t - 1, 1, held)
    begin = _cache_line(out)
    _clear(room[3], 0, 16)
    for at in range(0, held[0], LANES):
        _bridge(ring, at, back, ahead, bits, room)
        if _wide(room[3], bits):
            _copy(room, True, out, begin + at * 64)
        else:
            _copy(room, False, out, begin + at * 64)
    return begin


@kernel
def write_interval(
    ring: Words,
    held: Held,
    offsets: Rows,
    room: Words,
    move: Move,
    counts: Words,
    bits: int,
    reach: int,
    gap_bits: int,
    out: Values,
) -> int:
    """Write (count + 1) / (window + gap) where a gap of at most `reach` on each side surrounds it, else the rate.

    The rest is as for `write_rate`.
    """
    start, window, moved, few = move
    new, old = offsets[0, : _whole(moved)], offsets[1, : _whole(moved)]
    _list(new, start + window - moved, moved, 1, held)
    _list(old, start - moved, moved, 1, held)
    back, ahead = offsets[2, : _whole(reach)], offsets[3, : _whole(reach)]
    _list(back, start - 1, reach, -1, held)
    _list(ahead, start + window, reach, 1, held)
    begin, length = _cache_line(out), repeat(np.float32(window))
    _clear(room[2], 0, 16)
    _clear(room[3], 0, 16)
    for at in range(0, held[0], LANES):
        both = _bridge(ring, at, back, ahead, gap_bits, room)
        _count(ring, at, new, old, few, counts, bits, room, both)
        if _wide(room[2], bits) or _wide(room[3], gap_bits):
            _divide(room, True, length, out, begin + at * 64)
        else:
            _divide(room, False, length, out, begin + at * 64)
    return begin
