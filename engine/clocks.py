"""Clocks: where time comes from, so that tests never sleep and a replay runs at any speed."""

import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "ScaledClock", "WallClock"]


class Clock(Protocol):
    """A source of time.

    `now` counts seconds from an arbitrary start and paces; `wall` is seconds since 1970 and stamps.
    """

    def now(self) -> float:
        """Seconds from an arbitrary start, never going back."""

    def wall(self) -> float:
        """Seconds since 1970."""


class WallClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


class ScaledClock:
    """Another clock, run faster or slower from now on; changing the speed keeps the time continuous.

    Parameters
    ----------
    base : Clock
        The clock that is scaled.
    speed : float
        Seconds of this clock per second of `base`; 0 stands still.
    """

    def __init__(self, base: Clock, speed: float = 1.0) -> None:
        self._base = base
        self._speed = speed
        self._base_start = base.now()
        self._start = 0.0

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of its base."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._start, self._base_start = self.now(), self._base.now()
        self._speed = speed

    def now(self) -> float:
        """Scaled seconds since the clock was made."""
        return self._start + (self._base.now() - self._base_start) * self._speed

    def wall(self) -> float:
        """Seconds since 1970, unscaled."""
        return self._base.wall()

    def base_time(self, scaled: float) -> float:
        """Return the time of the base clock at which this clock will show `scaled`; inf when it stands still."""
        if self._speed == 0:
            return float("inf")
        return self._base_start + (scaled - self._start) / self._speed


class ManualClock:
    """A clock that moves only when told to: for tests."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds as last set."""
        return self._now

    def wall(self) -> float:
        """Seconds as last set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._now += seconds
