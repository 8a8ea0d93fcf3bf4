"""One limit with hysteresis and hold: the bistable below every alarm."""

from dataclasses import dataclass

__all__ = ["Latch"]

_ROUNDING_S = 1e-6  # seconds are summed


@dataclass
class Latch:
    """Raised when a value has stayed at or above a limit; cleared when it has stayed below the release.

    Attributes
    ----------
    hold_s, off_s : float
        How long it must have stayed there.
    raised : bool
        The state.
    """

    hold_s: float
    off_s: float
    raised: bool = False
    _since_s: float | None = None

    def push(self, seconds: float, *, above: bool, below: bool) -> bool:
        """Take a value; return the state.

        Parameters
        ----------
        seconds : float
            Its time, never going back.
        above : bool
            It reaches the limit.
        below : bool
            It is under the release; between the two it changes nothing.
        """
        if below if self.raised else above:
            self._since_s = seconds if self._since_s is None else self._since_s
            if seconds - self._since_s >= (self.off_s if self.raised else self.hold_s) - _ROUNDING_S:
                self.raised, self._since_s = not self.raised, None
        else:
            self._since_s = None
        return self.raised

    def restart(self) -> None:
        """Forget how long a value has been where it is; the state stays."""
        self._since_s = None
