"""What a user asks to be watched: rules, checked before anything starts."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from spikemm.exceptions import OptionError

__all__ = ["Against", "Axis", "Quantity", "Rule"]

Quantity = Literal["amplitude", "velocity", "band", "frequency_shift", "signal_lost"]
Axis = Literal["x", "y", "larger"]
Against = Literal["limit", "spread", "percent"]

_UNITS: dict[str, tuple[str, ...]] = {
    "amplitude": ("px", "um"),
    "velocity": ("mm/s",),
    "band": ("px", "um"),
    "frequency_shift": ("Hz", "%"),
    "signal_lost": ("s",),
}
_FORBIDDEN = frozenset("/+#")
_LONGEST_NAME = 64


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing to be watched.

    Parameters
    ----------
    name : str
        Its name, which the events carry.
    region : str
        The region watched; ``*``: each of them.
    quantity : {"amplitude", "velocity", "band", "frequency_shift", "signal_lost"}
        Amplitude of the strongest peak; velocity in mm/s RMS; RMS within `band_hz`; deviation of the strongest peak's
        frequency from the baseline's, up or down; seconds of wall time without a reading.
    unit : str
        ``px`` or ``um`` (amplitude, band), ``mm/s`` (velocity), ``Hz`` or ``%`` (frequency_shift), ``s``
        (signal_lost); empty: the first of these.
    axis : {"x", "y", "larger"}
        Which motion counts; not for velocity and signal_lost.
    band_hz : tuple of float, optional
        Only what vibrates between these two frequencies counts.
    warning, alarm : float, optional
        The two limits, in `unit`, or as `against` says; one of them may be left out.
    against : {"limit", "spread", "percent"}
        ``limit``: they are limits themselves. ``spread``: so many spreads above the baseline's mean. ``percent``: so
        many per cent above the baseline's mean.
    hysteresis : float or str
        How far below a limit a value must fall before the alarm may clear: in `unit`, or ``"10%"`` of the limit.
    hold_s, off_s : float
        Seconds of sensor time for which a value must stay above before the alarm is raised, and below before it clears.

    Raises
    ------
    OptionError
        If the parts do not fit each other.
    """

    name: str
    quantity: Quantity
    region: str = "*"
    unit: str = ""
    axis: Axis = "larger"
    band_hz: tuple[float, float] | None = None
    warning: float | None = None
    alarm: float | None = None
    against: Against = "limit"
    hysteresis: float | str = "5%"
    hold_s: float = 0.0
    off_s: float = 0.0

    def __post_init__(self) -> None:
        """Fill in the unit; check."""
        if not self.name or len(self.name) > _LONGEST_NAME or _FORBIDDEN & set(self.name):
            raise OptionError(f"rule {self.name!r}: a name has 1 to {_LONGEST_NAME} characters, none of / + #")
        if self.quantity not in _UNITS:
            raise self._error(f"quantity {self.quantity!r} is none of {', '.join(_UNITS)}")
        object.__setattr__(self, "unit", self.unit or _UNITS[self.quantity][0])
        self._check_words()
        self._check_band()
        self._check_limits()

    @property
    def needs_baseline(self) -> bool:
        """True if the rule compares with what was learned."""
        return self.against != "limit" or self.quantity == "frequency_shift"

    @property
    def needs_scale(self) -> bool:
        """True if the rule's unit needs the size of a pixel in the scene."""
        return self.unit in ("um", "mm/s")

    @property
    def limits(self) -> tuple[float, float]:
        """The limits as stated, (warning, alarm); infinite where there is none."""
        return (
            math.inf if self.warning is None else self.warning,
            math.inf if self.alarm is None else self.alarm,
        )

    @property
    def fingerprint(self) -> str:
        """What a baseline was learned of; another quantity needs another baseline."""
        band = "" if self.band_hz is None else " {:g}-{:g} Hz".format(*self.band_hz)
        unit = "Hz" if self.quantity == "frequency_shift" else self.unit
        return f"{self.quantity} {unit} {self.axis}{band}"

    def margin(self, limit: float) -> float:
        """Return the hysteresis below a limit, in the rule's unit."""
        if isinstance(self.hysteresis, str):
            return limit * float(self.hysteresis.rstrip("% ")) / 100 if math.isfinite(limit) else 0.0
        return self.hysteresis

    def watches(self, region: str) -> bool:
        """Tell whether the rule is about a region."""
        return self.region in ("*", region)

    def _check_words(self) -> None:
        if self.unit not in _UNITS[self.quantity]:
            raise self._error(f"unit {self.unit!r} does not fit {self.quantity}: {' or '.join(_UNITS[self.quantity])}")
        if self.axis not in get_args(Axis):
            raise self._error(f"axis {self.axis!r} is none of {', '.join(get_args(Axis))}")
        if self.against not in get_args(Against):
            raise self._error(f"against {self.against!r} is none of {', '.join(get_args(Against))}")
        if self.against != "limit" and self.quantity in ("frequency_shift", "signal_lost"):
            raise self._error(
                f"against {self.against} does not fit {self.quantity}, whose limits are limits: leave it out"
            )
        if self.axis != "larger" and self.quantity in ("velocity", "signal_lost"):
            raise self._error(f"axis {self.axis} does not fit {self.quantity}, which has none: leave it out")

    def _check_band(self) -> None:
        if self.band_hz is None:
            if self.quantity == "band":
                raise self._error("quantity band needs band_hz: [LOW, HIGH] in Hz")
        elif self.quantity in ("velocity", "signal_lost"):
            raise self._error(f"band_hz does not fit {self.quantity}: leave it out, or take quantity band")
        elif not 0 <= self.band_hz[0] < self.band_hz[1] < math.inf:
            raise self._error(f"band_hz {list(self.band_hz)}: give two limits, 0 ≤ low < high")

    def _check_limits(self) -> None:
        given = [limit for limit in (self.warning, self.alarm) if limit is not None]
        if not given or not all(0 < limit < math.inf for limit in given) or given != sorted(set(given)):
            stated = f"warning {self.warning}, alarm {self.alarm}"
            raise self._error(f"{stated}: give one or both, above 0, the warning below the alarm")
        try:
            margins = [self.margin(limit) for limit in given]
        except ValueError:
            raise self._error(f"hysteresis {self.hysteresis!r}: give a number, or per cent such as 10%") from None
        # relative limits become absolute only with the baseline; what they say of the size of a margin is the per cent
        absolute = self.against == "limit" or isinstance(self.hysteresis, str)
        if any(margin < 0 or not margin < limit for margin, limit in zip(margins, given, strict=True) if absolute):
            raise self._error(f"hysteresis {self.hysteresis}: from 0 to less than the limit")
        if min(self.hold_s, self.off_s) < 0:
            raise self._error(f"hold_s {self.hold_s:g}, off_s {self.off_s:g}: 0 or more")

    def _error(self, text: str) -> OptionError:
        return OptionError(f"rule {self.name}: {text}")
