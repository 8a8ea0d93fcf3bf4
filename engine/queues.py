"""The producer's bounded queue for one consumer: policy, counting and nothing else (no sockets, no threads)."""

from collections import deque
from typing import Any, NamedTuple

from engine.policy import Policy

__all__ = ["OutboundQueue", "Parcel"]

_BYTES_LIMIT_REPLAY = 64 << 20
_BYTES_LIMIT_LIVE = 2 << 30


class Parcel(NamedTuple):
    """An encoded message that waits to be sent."""

    parts: list[Any]
    """Header and arrays, as they go on the wire."""
    nbytes: int
    """Bytes of all parts."""
    epoch: int
    """The message's epoch."""
    flush_before: int
    """Messages of an epoch below this are void."""
    seconds: float
    """Length of the piece of the stream that it carries."""
    queued_s: float = 0.0
    """When it was queued, on the monotonic clock."""


class OutboundQueue:
    """Parcels on their way to one consumer.

    Parameters
    ----------
    policy : Policy
        What to do when the consumer is slow.
    live : bool
        True if the stream cannot wait: then `block` keeps `policy.buffer_s` seconds and loses what comes after.

    Attributes
    ----------
    dropped, flushed, lost : int
        Parcels let go by policy, made void by a seek, and lost by a `block` link of a live stream.
    """

    def __init__(self, policy: Policy, *, live: bool) -> None:
        self.policy = policy
        self._live = live
        self._parcels: deque[Parcel] = deque()
        self._bytes, self._seconds = 0, 0.0
        self.dropped = self.flushed = self.lost = 0

    def __len__(self) -> int:
        """Parcels that wait."""
        return len(self._parcels)

    @property
    def full(self) -> bool:
        """True where the producer has to wait: a `block` queue of a stream that can."""
        if self._live or self.policy.name != "block":
            return False
        return len(self._parcels) >= self.policy.depth or self._bytes >= _BYTES_LIMIT_REPLAY

    @property
    def pressure(self) -> float:
        """How full a `drop_oldest` queue is, from 0 to 1; 0 for the others, whose producer need not mind."""
        return len(self._parcels) / self.policy.depth if self.policy.name == "drop_oldest" else 0.0

    @property
    def may_let_go(self) -> bool:
        """True where the consumer of a live stream was not promised everything: nobody has to wait for it."""
        return self._live and self.policy.name != "block"

    def offer(self, parcel: Parcel) -> None:
        """Put a parcel in, or let one go, as the policy says."""
        self.flush(parcel.flush_before)
        if self.policy.name == "block" and self._live and self._overflows(parcel):
            self.lost += 1
            return
        if self.policy.name != "block" and len(self._parcels) >= self.policy.depth:
            self.take()
            self.dropped += 1
        self._parcels.append(parcel)
        self._bytes += parcel.nbytes
        self._seconds += parcel.seconds

    def _overflows(self, parcel: Parcel) -> bool:
        if not self._parcels:
            return False
        seconds = self._seconds + parcel.seconds
        return seconds > self.policy.buffer_s or self._bytes + parcel.nbytes > _BYTES_LIMIT_LIVE

    def flush(self, epoch: int) -> None:
        """Let go of every parcel of an epoch below `epoch`."""
        while self._parcels and self._parcels[0].epoch < epoch:
            self.take()
            self.flushed += 1

    def drop_queued_before(self, moment_s: float) -> None:
        """Let go of what was queued before a moment, unless the consumer was promised everything."""
        while self.may_let_go and self._parcels and self._parcels[0].queued_s < moment_s:
            self.take()
            self.dropped += 1

    def peek(self) -> Parcel | None:
        """Return the oldest parcel and leave it in."""
        return self._parcels[0] if self._parcels else None

    def take(self) -> Parcel:
        """Remove and return the oldest parcel."""
        parcel = self._parcels.popleft()
        self._bytes -= parcel.nbytes
        self._seconds = self._seconds - parcel.seconds if self._parcels else 0.0
        return parcel

    def clear(self) -> int:
        """Let go of everything; return how many parcels that was."""
        count = len(self._parcels)
        self._parcels.clear()
        self._bytes, self._seconds = 0, 0.0
        return count
