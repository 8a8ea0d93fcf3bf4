"""What is known about a link, from both of its ends, in bounded memory."""

import math
from typing import NamedTuple

__all__ = ["AgeHistogram", "AgeStatistics", "InletStatistics", "OutletStatistics"]

_SHORTEST_S = 1e-4
_STEP = math.log(1.05)
_BUCKETS = 340


class AgeStatistics(NamedTuple):
    """Ages in milliseconds, each within 5 % of the true value."""

    p50: float = 0.0
    """Half of the messages were younger."""
    p99: float = 0.0
    """99 of 100 messages were younger."""
    max: float = 0.0
    """The oldest, exact."""


class AgeHistogram:
    """Ages from 0.1 ms to half an hour in logarithmic buckets."""

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total = 0
        self._longest_s = 0.0

    def add(self, age_s: float) -> None:
        """Count one age in seconds."""
        bucket = math.ceil(math.log(max(age_s, _SHORTEST_S) / _SHORTEST_S) / _STEP)
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self._total += 1
        self._longest_s = max(self._longest_s, age_s)

    def statistics(self) -> AgeStatistics:
        """Return the summary of all ages so far."""
        return AgeStatistics(self._quantile_ms(0.5), self._quantile_ms(0.99), 1e3 * self._longest_s)

    def _quantile_ms(self, fraction: float) -> float:
        if self._total == 0:
            return 0.0
        wanted, bucket = fraction * self._total - self._counts[0], 0
        while wanted > 0:
            bucket += 1
            wanted -= self._counts[bucket]
        return 1e3 * min(_SHORTEST_S * math.exp(bucket * _STEP), self._longest_s)


class OutletStatistics(NamedTuple):
    """The producer's half of a link."""

    source: str
    """The node that sends."""
    target: str
    """The node that receives."""
    port: str
    """The receiver's port."""
    policy: str
    """What happens when the receiver is slow."""
    sent: int = 0
    """Messages handed to the transport."""
    delivered: int = 0
    """Messages that the receiver has finished with."""
    dropped: int = 0
    """Messages that a `drop_oldest` or `latest` queue let go, as its policy says."""
    flushed: int = 0
    """Messages made void by a seek."""
    lost: int = 0
    """Messages that a `block` link could not keep, or that were with a receiver when it died."""
    in_flight: int = 0
    """Messages sent and not yet finished with."""
    depth: int = 0
    """Messages waiting at the producer."""
    bytes: int = 0
    """Bytes handed to the transport."""
    blocked_s: float = 0.0
    """Seconds that the producer has waited for room."""
    connected: bool = False
    """True while a receiver is there."""


class InletStatistics(NamedTuple):
    """The consumer's half of a link."""

    source: str
    """The node that sends."""
    target: str
    """The node that receives."""
    port: str
    """The receiver's port."""
    policy: str = ""
    """What happens when the receiver is slow."""
    received: int = 0
    """Messages taken from the transport."""
    flushed: int = 0
    """Messages made void by a seek after they had arrived."""
    bad: int = 0
    """Messages that broke the wire format and were dropped."""
    gap_steps: int = 0
    """Sensor steps that never came."""
    age: AgeStatistics = AgeStatistics()
    """Age of a message when its receiver had finished with it."""
