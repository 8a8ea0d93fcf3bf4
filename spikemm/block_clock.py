"""Blocks that a camera's driver has dropped without a word, found by the clock."""

import math
from collections import deque
from itertools import pairwise
from statistics import median

__all__ = ["BlockClock"]

_CONFIRM_S = 0.5
_PATIENCE = 4
_FEWEST_BLOCKS = 8
_FALSE_ALARM = 1e-12
_USUALLY_LATE = 0.05
_PARTS = 4
_UNEVEN = 0.15
_NOT_WHOLE = 0.35
_EARLY_BLOCKS = 0.25
_QUEUED_BLOCKS = 3
_MEMORY_BLOCKS = 2000
_DRIFT_LIMIT = 5e-4
_BUCKET_S = 1.0
_BUCKET_BLOCKS = 40
_BUCKETS = 8
_BUCKETS_FOR_DRIFT = 5


class BlockClock:
    """Tell from times of arrival alone how many blocks are missing, and where.

    A block cannot arrive before its last step was taken, so arrivals are late and never early: their lower envelope is
    the camera's clock, whose drift against ours is followed up to 500 ppm. A block that is late by half a block or more
    is doubted. The first later one that is on time proves that nothing is missing, and all are decided: they were
    late. If none comes for 0.5 s, and for so many blocks that lateness of the kind seen until now would do that once
    in 10¹², and the least lateness was even all the while, then so many whole blocks are missing. After 2 s of doubt it
    is believed even if it was uneven, as in an overload.

    The gap is told before the first block from which on none comes too early by the new count. Where lateness is small
    beside half a block that is the right one, else it may be off by the blocks that were doubted before the loss. Where
    that block is still late by more than three, blocks have waited in the driver, which drops the newest when all its
    frames are in use: then the gap is told behind them, before the first that is on time by the new count.

    Parameters
    ----------
    block_s : float
        Seconds from block to block. Lateness must often be below half of it, or a loss cannot be told from a delay:
        blocks of 2.5 ms are right where a good part of them arrives within 1.25 ms.

    Attributes
    ----------
    missing : int
        Blocks found missing.
    miscounted : int
        Of these, how many had only been late for longer than was waited: proven by a block that was early.
    """

    def __init__(self, block_s: float) -> None:
        self._block_s = block_s
        self._next = 0
        self._doubted: list[_Block] = []
        self._late_share = _USUALLY_LATE
        self._envelope = _Envelope(block_s)
        self.missing = self.miscounted = 0

    @property
    def drift_ppm(self) -> float:
        """By how much a block takes longer than `block_s`, in parts per million; 0 until it is known."""
        return 1e6 * self._envelope.drift

    def arrive(self, time_s: float, skipped: int = 0) -> list[int]:
        """Note the arrival of a block.

        Parameters
        ----------
        time_s : float
            When, by a clock that never jumps.
        skipped : int
            Blocks right before it that are known to be missing.

        Returns
        -------
        list of int
            For every block that is decided now, oldest first: how many are missing right before it, known ones
            included. Blocks are decided in the order of their arrival, all of them once.
        """
        self._next += skipped + 1
        return self._judge(_Block(time_s, self._next, skipped))

    def settle(self) -> list[int]:
        """Decide what is still doubted: as late, for want of proof."""
        gaps = [block.gap for block in self._doubted]
        self._doubted = []
        return gaps

    def _judge(self, block: "_Block") -> list[int]:
        block.late = self._envelope.lateness(block.time_s, self._offset_s(block)) / self._block_s
        self._doubted.append(block)
        if block.late < 0.5:
            self._learn(block)
            return self.settle()
        return self._confirm()

    def _offset_s(self, block: "_Block") -> float:
        """Return when block 0 must have arrived, had all come as punctually as this one."""
        return block.time_s - (block.number + self.missing) * self._block_s

    def _learn(self, block: "_Block") -> None:
        keep = (1 - 1 / _MEMORY_BLOCKS) ** len(self._doubted)
        doubted = 1 - 1 / len(self._doubted)
        self._late_share = keep * self._late_share + (1 - keep) * doubted
        if block.late < -0.5:
            self.miscounted = min(self.missing, self.miscounted + round(-block.late))
            self._envelope = _Envelope(self._block_s)
        self._envelope.add(block.time_s, self._offset_s(block))

    def _confirm(self) -> list[int]:
        """Tell of a loss if it is certain, and look at what came after it by the new count."""
        waited_s = self._doubted[-1].time_s - self._doubted[0].time_s
        by_chance = math.log(_FALSE_ALARM) / math.log(min(max(self._late_share, 1e-3), 0.999))
        longest = _PATIENCE * _CONFIRM_S / self._block_s
        if waited_s < _CONFIRM_S or len(self._doubted) < max(_FEWEST_BLOCKS, min(by_chance, longest)):
            return []
        late = [block.late for block in self._doubted]
        least, even = _least_late(late)
        return self._tell(late, least) if even or waited_s > _PATIENCE * _CONFIRM_S else []

    def _tell(self, late: list[float], least: float) -> list[int]:
        lost = math.floor(least + 0.5)
        first = late[: len(late) // _PARTS]
        place = max((i + 1 for i, blocks in enumerate(first) if blocks < least - _EARLY_BLOCKS), default=0)
        if late[place] > lost + _QUEUED_BLOCKS:
            place = next(i for i, blocks in enumerate(late) if i >= place and blocks < lost + 0.5)
        before, behind, self._doubted = self._doubted[:place], self._doubted[place:], []
        self.missing += lost
        behind[0].gap += lost
        gaps = [block.gap for block in before]
        for block in behind:
            gaps += self._judge(block)
        return gaps


def _least_late(late: list[float]) -> tuple[float, bool]:
    """Return the least lateness, in blocks, and whether it was even, or grew by whole blocks only.

    An overload of the machine is late by anything, now more and now less. Blocks at the beginning may have been late
    before the loss, so where their lateness is no whole number, that of the rest counts.
    """
    parts = [min(late[part * len(late) // _PARTS : (part + 1) * len(late) // _PARTS]) for part in range(_PARTS)]
    steps = [after - before for before, after in pairwise(parts[1:])]
    even = all(step > -_UNEVEN and abs(step - round(step)) < _UNEVEN for step in steps)
    least = min(parts) if _is_whole(min(parts)) else min(parts[1:])
    return least, even and _is_whole(least)


def _is_whole(blocks: float) -> bool:
    return abs(blocks - round(blocks)) < _NOT_WHOLE


class _Block:
    """A block that has arrived; its number counts those that came, and those known to be missing.

    It is `late` by so many blocks.
    """

    __slots__ = ("gap", "late", "number", "time_s")

    def __init__(self, time_s: float, number: int, gap: int) -> None:
        self.time_s, self.number, self.gap, self.late = time_s, number, gap, 0.0


class _Envelope:
    """The line below the lateness of blocks: their least lateness in each of the last seconds, and its drift."""

    def __init__(self, block_s: float) -> None:
        self._bucket_s = max(_BUCKET_S, _BUCKET_BLOCKS * block_s)
        self._minima: deque[tuple[float, float]] = deque(maxlen=_BUCKETS)
        self._bucket_end_s = math.inf
        self._least = (0.0, math.inf)
        self._origin = (0.0, 0.0)
        self.drift = 0.0

    def lateness(self, time_s: float, offset_s: float) -> float:
        """Return by how much a block lies above the line; the first one is on time."""
        if self._minima:
            return offset_s - self._origin[1] - self.drift * (time_s - self._origin[0])
        return offset_s - self._least[1] if self._least[1] < math.inf else 0.0

    def add(self, time_s: float, offset_s: float) -> None:
        """Take a block that was on time."""
        if time_s >= self._bucket_end_s:
            self._minima.append(self._least)
            self._fit(time_s)
            self._least, self._bucket_end_s = (time_s, math.inf), math.inf
        self._bucket_end_s = min(self._bucket_end_s, time_s + self._bucket_s)
        if offset_s < self._least[1]:
            self._least = (time_s, offset_s)

    def _fit(self, now_s: float) -> None:
        """Fit a line through the minima by medians (Theil and Sen): one bad second does not move it."""
        points = list(self._minima)
        if len(points) >= _BUCKETS_FOR_DRIFT:
            slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(points) for t, b in points[i + 1 :]]
            self.drift = min(max(median(slopes), -_DRIFT_LIMIT), _DRIFT_LIMIT)
        self._origin = (now_s, median(offset + self.drift * (now_s - time_s) for time_s, offset in points))
