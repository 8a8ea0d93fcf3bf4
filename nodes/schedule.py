"""When a source's steps are due: an absolute schedule, so that nothing drifts however late a single message leaves."""

from engine.clocks import Clock, ScaledClock

__all__ = ["Schedule"]


class Schedule:
    """Due times of sensor steps on a clock, at any speed.

    Parameters
    ----------
    clock : Clock
        The node's clock.
    rate_hz : float
        Steps per second of sensor time.
    step : int
        The step at which sensor time stands now.
    speed : float
        Seconds of sensor time per second of the clock; 0 stands still.
    """

    def __init__(self, clock: Clock, rate_hz: float, step: int = 0, speed: float = 1.0) -> None:
        self._clock = clock
        self._rate_hz = rate_hz
        self._sensor = ScaledClock(clock, speed)
        self._anchor_step = step
        self._anchor_time = 0.0

    @property
    def speed(self) -> float:
        """Seconds of sensor time per second of the clock; a change keeps sensor time continuous."""
        return self._sensor.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._sensor.speed = speed

    def due(self, step: int) -> float:
        """Time of the clock at which `step` has been sensed; inf while sensor time stands still before it."""
        sensed = self._anchor_time + (step - self._anchor_step) / self._rate_hz
        return self._sensor.base_time(sensed)

    def behind(self, step: int) -> float:
        """Seconds of the clock by which `step` is late; negative when it is still to come."""
        return self._clock.now() - self.due(step)

    def anchor(self, step: int) -> None:
        """Make `step` due now, and the following ones after it."""
        self._anchor_step, self._anchor_time = step, self._sensor.now()

    def rewind(self, end: int, start: int) -> None:
        """Let `start` take the place of `end`: a loop that loses no time at its seam."""
        self._anchor_step -= end - start
