"""A thread that reads whole steps from pipes and sockets into a bounded buffer."""

import os
import select
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.clocks import Clock
from nodes.camera.raw_address import Opener

__all__ = ["Chunk", "StepReader"]

_LONGEST_LOOK_MS = 100


class Chunk(NamedTuple):
    """Steps that arrived together.

    Attributes
    ----------
    raw : numpy.ndarray
        (n, step_bytes) uint8, the receiver's own.
    lost : int
        Steps right before it that the buffer could not hold.
    connection : int
        Number of the connection that it came on, from 1.
    wall_s : float
        When its last byte arrived.
    """

    raw: NDArray[np.uint8]
    lost: int
    connection: int
    wall_s: float


class StepReader:
    """Reads steps in a thread of its own, so that a sender waits no longer than it must.

    Parameters
    ----------
    opener : Opener
        Opens what is read from.
    step_bytes : int
        Bytes of a step.
    chunk_steps, chunk_s : int, float
        Steps that are handed on together, and the seconds that they take: what came is handed on after that time.
    buffer_chunks : int
        Chunks that wait at most.
    waits : bool
        Whether the sender may be kept waiting when the buffer is full; else what comes then is lost, and counted.
    reconnects : bool
        Whether to wait for a sender again after one has gone.
    patience_s : float
        Seconds to wait for the first sender.
    clock : Clock
        For the times of arrival.
    wake : callable
        Called when there is something new.
    tell : callable
        Takes a line for the log.

    Attributes
    ----------
    failure : Exception or None
        Why it had to end.
    connected : bool
        Whether a sender is there.
    connections, overrun_steps, torn_bytes : int
        Connections so far; steps that the buffer could not hold; bytes after the last whole step of all connections.
    """

    def __init__(
        self,
        opener: Opener,
        *,
        step_bytes: int,
        chunk_steps: int,
        chunk_s: float,
        buffer_chunks: int,
        waits: bool,
        reconnects: bool,
        patience_s: float,
        clock: Clock,
        wake: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._opener, self._step_bytes, self._chunk_steps = opener, step_bytes, chunk_steps
        self._look_ms = min(max(1, round(1000 * chunk_s)), _LONGEST_LOOK_MS)
        self._limit, self._waits, self._reconnects = buffer_chunks, waits, reconnects
        self._patience_s, self._clock, self._wake, self._tell = patience_s, clock, wake, tell
        self._chunks: deque[Chunk] = deque()
        self._changed = Condition()
        self._stopped = self._ended = self.connected = False
        self._lost = self.connections = self.overrun_steps = self.torn_bytes = 0
        self.failure: Exception | None = None
        self._thread = Thread(target=self._run, name="raw reader", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self) -> Chunk | None:
        """Return the oldest chunk, or None if none has come."""
        with self._changed:
            if not self._chunks:
                return None
            self._changed.notify()
            return self._chunks.popleft()

    @property
    def ended(self) -> bool:
        """True when everything has been taken and nothing more will come."""
        with self._changed:
            return self._ended and not self._chunks

    @property
    def waiting(self) -> int:
        """Chunks in the buffer."""
        return len(self._chunks)

    def close(self) -> None:
        """End the thread and let go of the sender."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._opener.close()

    def _run(self) -> None:
        try:
            while not self._stopped:
                descriptor = self._await_sender()
                if descriptor is None:
                    break
                try:
                    self._read_connection(descriptor)
                finally:
                    os.close(descriptor)
                if not self._reconnects:
                    break
        except Exception as error:  # it is raised again in the node's thread
            self.failure = error
        with self._changed:
            self._ended = True
        self._wake()

    def _await_sender(self) -> int | None:
        give_up_at = float("inf") if self.connections else self._clock.now() + self._patience_s
        while not self._stopped:
            descriptor = self._opener.open()
            if descriptor is not None:
                return descriptor
            if self._clock.now() > give_up_at:
                raise TimeoutError(f"no sender within {self._patience_s:g} s")
        return None

    def _read_connection(self, descriptor: int) -> None:
        self.connections, self.connected = self.connections + 1, True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        raw, filled = self._room(), 0
        while not self._stopped:
            events = poll.poll(self._look_ms)
            if events:
                count = _read(descriptor, raw[filled:]) if events[0][1] & select.POLLIN else 0
                if count == 0:
                    break
                filled += max(count, 0)
            if filled == len(raw) or (filled >= self._step_bytes and not events):
                raw, filled = self._hand_on(raw, filled)
        if filled >= self._step_bytes:
            _, filled = self._hand_on(raw, filled)
        self.connected = False
        self._note_torn_end(filled)

    def _room(self) -> NDArray[np.uint8]:
        return np.empty(self._chunk_steps * self._step_bytes, np.uint8)

    def _hand_on(self, raw: NDArray[np.uint8], filled: int) -> tuple[NDArray[np.uint8], int]:
        """Put whole steps into the buffer; return room for what follows, with the torn step at its beginning."""
        whole = filled - filled % self._step_bytes
        following = self._room()
        following[: filled - whole] = raw[whole:filled]
        self._offer(raw[:whole].reshape(-1, self._step_bytes))
        return following, filled - whole

    def _offer(self, steps: NDArray[np.uint8]) -> None:
        wall_s = self._clock.wall()
        with self._changed:
            while self._waits and len(self._chunks) >= self._limit and not self._stopped:
                self._changed.wait()
            if len(self._chunks) >= self._limit:
                self._lost += len(steps)
                self.overrun_steps += len(steps)
                return
            self._chunks.append(Chunk(steps, self._lost, self.connections, wall_s))
            self._lost = 0
        self._wake()

    def _note_torn_end(self, size: int) -> None:
        if size and not self._stopped:
            self.torn_bytes += size
            self._tell(f"the last {size} bytes are not a whole step of {self._step_bytes} bytes, left out")


def _read(descriptor: int, room: NDArray[np.uint8]) -> int:
    """Return how many bytes came, 0 at the end, -1 if there were none after all."""
    try:
        return os.readv(descriptor, [room.data])
    except BlockingIOError:
        return -1
    except ConnectionError:
        return 0
