"""Which steps of a recording are to be sent, and when: speed, pause, single steps, seek and loop."""

from bisect import bisect_right
from collections.abc import Sequence

from engine.clocks import Clock
from nodes.schedule import Schedule

__all__ = ["Playback"]

_CHUNK_S = 0.004
_SLOW = 0.1
_LATE_S = 0.1
_IDLE_S = 0.5


class Playback:
    """A position that moves over a recording by an absolute schedule.

    Parameters
    ----------
    clock : Clock
        The node's clock.
    steps : int
        Length of the recording.
    rate_hz : float
        Steps per second of sensor time.
    position : int
        The next step to send.
    speed : float
        Seconds of sensor time per second of the clock; 0 sends as fast as it is asked.
    seams : sequence of int
        Steps in front of which something is missing, in order: no range that is sent goes across one. The time that is
        missing there is not waited for.

    Attributes
    ----------
    position : int
        The next step to send.
    paused : bool
        True while only steps that were asked for one by one are sent.
    slipped_s : float
        Seconds by which the schedule was moved in all, because a step was asked for more than 0.1 s late.
    """

    def __init__(
        self,
        clock: Clock,
        steps: int,
        rate_hz: float,
        position: int = 0,
        speed: float = 1.0,
        *,
        seams: Sequence[int] = (),
    ) -> None:
        self._clock = clock
        self._steps = steps
        self._seams = (*seams, steps)
        self._rate_hz = rate_hz
        self._speed = speed
        self._allowed = 0
        self._started = False
        self._schedule = Schedule(clock, rate_hz, position, speed)
        self.position = position
        self.paused = False
        self.slipped_s = 0.0

    @property
    def at_end(self) -> bool:
        """True when nothing is left to send."""
        return self.position >= self._steps

    @property
    def target(self) -> int:
        """Where the steps that were asked for one by one end; the position where none are left."""
        return min(self.position + self._allowed, self._steps)

    @property
    def speed(self) -> float:
        """Seconds of sensor time per second of the clock; a change keeps sensor time continuous."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._speed = speed
        if not self.paused:
            self._run()

    def advance(self) -> range | float:
        """Return the steps to send now, having moved behind them, or the clock's time at which to ask again.

        The steps of a range span 4 ms of sensor time, and less below a tenth of real time, so that pictures keep
        coming. What is up to 0.1 s late is sent at once; beyond that the schedule moves, so that no burst follows a
        blockage. The schedule starts with the first call.
        """
        if not self._started:
            self._started = True
            self._schedule.anchor(self.position)
        if self.paused and (self.at_end or not self._allowed):
            return self._clock.now() + _IDLE_S
        stop = min(self.position + self._chunk_steps(), self._end_of_piece())
        if not self._allowed and self._speed:
            late = self._schedule.behind(stop)
            if late < 0:
                return self._schedule.due(stop)
            self._slip(stop, late)
        start, self.position = self.position, stop
        self._allowed = max(0, self._allowed - (stop - start))
        return range(start, stop)

    def _end_of_piece(self) -> int:
        return self._seams[min(bisect_right(self._seams, self.position), len(self._seams) - 1)]

    def _chunk_steps(self) -> int:
        whole = max(1, round(self._rate_hz * _CHUNK_S))
        if self._allowed:
            return min(whole, self._allowed)
        return max(1, round(whole * self._speed / _SLOW)) if 0 < self._speed < _SLOW else whole

    def _slip(self, stop: int, late: float) -> None:
        if late > _LATE_S:
            self.slipped_s += late
            self._schedule.anchor(stop)

    def _run(self) -> None:
        if self._schedule.speed == 0:
            self._schedule.anchor(self.position)
        self._schedule.speed = self._speed

    def pause(self) -> None:
        """Stand still."""
        self.paused, self._schedule.speed = True, 0.0

    def resume(self) -> None:
        """Go on at the speed set."""
        self.paused, self._allowed = False, 0
        self._run()

    def step(self, steps: int) -> None:
        """Pause, but send so many steps at once."""
        self.pause()
        self._allowed = steps

    def seek(self, step: int, preview_steps: int = 0) -> None:
        """Move to a step; while paused, send `preview_steps` from there, so that the new place is seen."""
        self.position = step
        self._schedule.anchor(step)
        self._allowed = preview_steps if self.paused else 0

    def rewind(self, start: int) -> None:
        """Go on from `start` in place of the step that would be next; the seam costs no time."""
        self._schedule.rewind(self.position, start)
        self.position = start
