"""How an encoder makes fewer frames when those behind it cannot keep up: evenly, and only as long as it must."""

__all__ = ["HopRegulator"]

_FULL, _EMPTY = 0.5, 0.1
_SETTLE_S = 0.05
_CALM_S, _LONGEST_CALM_S = 2.0, 60.0


class HopRegulator:
    """Choose the hop by the pressure of the queues behind.

    Above a pressure of 0.5 the hop doubles, at most every 0.05 s of sensor time, up to the limit. Once the pressure has
    stayed below 0.1 for 2 s it is halved again. When that brings the pressure back, the calm that is asked for doubles,
    up to 60 s, so that a machine that is too slow is not tried out over and over; a hop that holds for twice that long
    makes it 2 s again.

    Parameters
    ----------
    hop : int
        Steps from frame to frame without pressure.
    limit : int
        Largest hop that overload may lead to; one below `hop` leaves `hop` as it is.

    Attributes
    ----------
    raised : int
        How often the hop was doubled.
    """

    def __init__(self, hop: int, limit: int) -> None:
        self._hop, self._limit = hop, limit
        self._doublings = 0
        self._calm_s = _CALM_S
        self._changed_s = self._pressed_s = float("-inf")
        self._lowered = False
        self.raised = 0

    @property
    def hop(self) -> int:
        """Steps from frame to frame now."""
        return self._hop << self._doublings

    def update(self, pressure: float, seconds: float) -> int:
        """Return the hop to use.

        Parameters
        ----------
        pressure : float
            How full the fullest queue is, from 0 to 1.
        seconds : float
            Sensor time, never going back.
        """
        if pressure > _EMPTY:
            self._pressed_s = seconds
        held_s = seconds - self._changed_s
        if pressure > _FULL and held_s >= _SETTLE_S and 2 * self.hop <= self._limit:
            self._raise(held_s)
            self._changed_s = seconds
        elif self._doublings and min(held_s, seconds - self._pressed_s) >= self._calm_s:
            self._doublings, self._lowered = self._doublings - 1, True
            self._changed_s = seconds
        return self.hop

    def _raise(self, held_s: float) -> None:
        if self._lowered:
            tried_too_early = held_s < 2 * self._calm_s
            self._calm_s = min(2 * self._calm_s, _LONGEST_CALM_S) if tried_too_early else _CALM_S
        self._doublings, self._lowered = self._doublings + 1, False
        self.raised += 1
