"""A ring between a camera driver's thread, which must never wait, and a node's."""

import ctypes
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.clocks import Clock
from spikemm.exceptions import OptionError

__all__ = ["Arrival", "BlockRing"]


class Arrival(NamedTuple):
    """A block that has come.

    Attributes
    ----------
    number : int
        As the driver counts.
    time_s, wall_s : float
        When: by the clock that never jumps, and since 1970.
    slot : int or None
        Where it lies in the ring; None if there was no room for it.
    """

    number: int
    time_s: float
    wall_s: float
    slot: int | None


class BlockRing:
    """Keeps blocks until the node takes them; one thread puts, one takes, none waits for the other.

    Parameters
    ----------
    blocks : int
        How many it holds. The memory is there from the beginning.
    block_bytes : int
        Bytes of a block.
    clock : Clock
        For the times of arrival.
    wake : callable
        Called for each block.

    Attributes
    ----------
    failure : OptionError or None
        Why the driver's blocks cannot be used.
    """

    def __init__(self, blocks: int, block_bytes: int, clock: Clock, wake: Callable[[], None]) -> None:
        self._memory: NDArray[np.uint8] = np.empty((blocks, block_bytes), np.uint8)
        self._memory.fill(0)  # the system gives memory when it is first written, which would delay the driver
        self._free = deque(range(blocks))
        self._arrivals: deque[Arrival] = deque()
        self._clock, self._wake = clock, wake
        self.failure: OptionError | None = None

    def put(self, address: int, size: int, number: int) -> None:
        """Copy a block of the driver's; called in its thread."""
        time_s, wall_s = self._clock.now(), self._clock.wall()
        if size != self._memory.shape[1]:
            self.failure = OptionError(
                f"the SDK sends blocks of {size} bytes; cusum, height, width and layout make "
                f"{self._memory.shape[1]}: correct them"
            )
        elif self._free:
            slot = self._free.popleft()
            ctypes.memmove(self._memory[slot].ctypes.data, address, size)
            self._arrivals.append(Arrival(number, time_s, wall_s, slot))
        else:
            self._arrivals.append(Arrival(number, time_s, wall_s, None))
        self._wake()

    def take(self) -> Arrival | None:
        """Return the oldest block, or None if there is none; its slot is to be given back."""
        return self._arrivals.popleft() if self._arrivals else None

    def data(self, slot: int) -> NDArray[np.uint8]:
        """Return the bytes of a slot, (block_bytes,) uint8, which change once it is given back."""
        block: NDArray[np.uint8] = self._memory[slot]
        return block

    def give_back(self, slot: int) -> None:
        """Let a slot be used again."""
        self._free.append(slot)
