"""One rule on one region: its baseline, its two latches, and what to tell when they change."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from spikemm.alarm.baseline import Baseline, Learner
from spikemm.alarm.figures import Figure
from spikemm.alarm.latch import Latch
from spikemm.alarm.rules import Rule

__all__ = ["Change", "Moment", "Watch"]

State = Literal["waiting", "learning", "unknown", "ok", "warning", "alarm"]
_LEVELS: tuple[State, ...] = ("ok", "warning", "alarm")

_ABOVE = 2.0
"""How many times its limit a noise floor hides it: a limit that was learned from noise is itself about the floor."""

_STEADY_S = 60.0
"""What is out of sight again sooner than this must stay in sight so long: else every reading would be told."""


class Moment(NamedTuple):
    """When something is looked at.

    Attributes
    ----------
    sensor_s : float
        Seconds of sensor time, never going back.
    now_s : float
        Seconds of a clock that nobody sets.
    wall_s : float
        Seconds since 1970.
    """

    sensor_s: float
    now_s: float
    wall_s: float


class Change(NamedTuple):
    """An alarm that was raised or cleared.

    One that falls from alarm to warning is raised anew, as a warning. One that can no longer be seen is raised anew as
    what it was, without a value, and so it is when it is seen again; what goes in and out of sight counts as blind
    until it has been seen for a minute.
    """

    rule: str
    region: str
    state: Literal["raised", "cleared"]
    severity: Literal["warning", "alarm"]
    quantity: str
    value: float | None
    limit: float | None
    unit: str
    text: str


@dataclass
class _Look:
    """What the rule has seen last: the value in its unit, the limits in force, the floor."""

    value: float | None = None
    limits: tuple[float, float] = (math.inf, math.inf)
    floor: float = 0.0
    missing: str = ""


class Watch:
    """One rule on one region.

    Parameters
    ----------
    rule, region : Rule, str
        What is watched, and where.
    baseline : Baseline or None
        What is known already.
    learn_s : float
        How long to learn where nothing is known.
    announce : bool
        Tell the first verdict even if all is well: somebody may still hold an alarm of before a restart for true.
    """

    def __init__(self, rule: Rule, region: str, baseline: Baseline | None, learn_s: float, *, announce: bool) -> None:
        self.rule, self.region = rule, region
        self.baseline = baseline
        self._learn_s = learn_s
        self._learner = Learner(learn_s) if rule.needs_baseline and baseline is None else None
        self._latches = (Latch(rule.hold_s, rule.off_s), Latch(rule.hold_s, rule.off_s))
        self._unknown = Latch(rule.hold_s, rule.off_s)
        self._level, self._raised, self._blind = 0, 0, False
        self._sighted_s = -math.inf
        self._announce = announce
        self._look = _Look()
        self._seen = False
        self._since_wall_s: float | None = None
        self.acknowledged = False

    @property
    def _absolute(self) -> bool:
        return self.rule.against == "limit"

    @property
    def state(self) -> State:
        """What is shown of it; ``unknown``: the question has no answer at present, see `Figure.missing`."""
        if self._learner is not None:
            return "learning"
        if self._level == 0 and self._look.missing:
            return "unknown"
        return _LEVELS[self._level] if self._seen else "waiting"

    def push(self, figure: Figure, at: Moment) -> Change | None:
        """Take a figure; return what changed."""
        self._seen = True
        if self._learner is not None:
            self._learn(self._learner, figure, at)
            self._see(at.sensor_s, seen=not figure.missing)
            return self._turn(0, at.wall_s) if self._unknown.raised or not self._announce else None
        self._look = look = self._compare(figure)
        raised = self._levels(look, at.sensor_s if self.rule.quantity != "signal_lost" else at.now_s)
        return self._turn(raised, at.wall_s)

    def learn(self, at: Moment) -> Change | None:
        """Learn anew what is normal."""
        change = self.clear(at, "what is normal is learned anew")
        self._learner = Learner(self._learn_s)
        self._look = _Look()
        return change

    def clear(self, at: Moment, reason: str) -> Change | None:
        """End the watch's alarm, if there is one, because the question itself has changed."""
        for latch in (*self._latches, self._unknown):
            latch.raised = False
            latch.restart()
        raised, self._announce = self._level > 0, False
        change = self._turn(0, at.wall_s)
        return change._replace(text=f"{self.region}: {self.rule.name} cleared, {reason}") if raised and change else None

    def retune(self, rule: Rule) -> None:
        """Take over other limits; the state and the baseline stay."""
        self.rule = rule
        for latch in (*self._latches, self._unknown):
            latch.hold_s, latch.off_s = rule.hold_s, rule.off_s

    def restart(self) -> None:
        """Time has jumped: whatever must persist begins to do so anew."""
        for latch in (*self._latches, self._unknown):
            latch.restart()

    def status(self) -> dict[str, Any]:
        """Return what is shown of it."""
        look, rule = self._look, self.rule
        limits = dict(zip(("warning", "alarm"), (_finite(limit) for limit in look.limits), strict=True))
        known = self.baseline
        return {
            "rule": rule.name, "region": self.region, "quantity": rule.quantity, "unit": rule.unit,
            "state": self.state, "value": look.value, "limit": limits, "floor": look.floor, "missing": look.missing,
            "since": self._since_wall_s, "acknowledged": self.acknowledged,
            "baseline": known and {"mean": known.mean, "spread": known.spread, "learned_at": known.learned_at},
            "learned": self._learner.progress if self._learner else None,
        }  # fmt: skip

    def _learn(self, learner: Learner, figure: Figure, at: Moment) -> None:
        self._look = _Look(missing=figure.missing)
        if figure.value is None or not (math.isfinite(figure.value) and math.isfinite(figure.error)):
            return
        if learner.push(at.sensor_s, figure.value, figure.error):
            self.baseline, self._learner = learner.result(self.rule.fingerprint, at.wall_s), None

    def _compare(self, figure: Figure) -> _Look:
        """Bring value and limits into the rule's unit."""
        rule, known, value, floor = self.rule, self.baseline, figure.value, figure.floor
        if rule.quantity == "frequency_shift" and known is not None:
            per_hz = 100 / known.mean if rule.unit == "%" else 1.0
            value = None if value is None else abs(value - known.mean) * per_hz
            floor *= per_hz
        limits = rule.limits
        if rule.against == "spread" and known is not None:
            limits = (known.mean + limits[0] * known.spread, known.mean + limits[1] * known.spread)
        elif rule.against == "percent" and known is not None:
            limits = (known.mean * (1 + limits[0] / 100), known.mean * (1 + limits[1] / 100))
        raised = [limit for latch, limit in zip(self._latches, limits, strict=True) if latch.raised]
        standing = raised if self._absolute else []
        limit = max(standing, default=min(limits))
        if value is not None and value < floor and floor > limit * (1.0 if standing else _ABOVE):
            what = f"the noise floor of {floor:.2g} {rule.unit} is above the limit of {limit:.2g}: more light, a longer"
            return _Look(None, limits, floor, f"{what} measure.seconds or a higher limit")
        return _Look(value, limits, floor, figure.missing)

    def _levels(self, look: _Look, seconds: float) -> int:
        """Return how many of the limits are exceeded."""
        self._see(seconds, seen=look.value is not None)
        for latch, limit in zip(self._latches, look.limits, strict=True):
            if look.value is not None:
                release = limit - self.rule.margin(limit)
                above = look.value >= max(limit, look.floor)
                ends = look.floor <= limit or not self._absolute  # the true value may be anything up to the floor
                latch.push(seconds, above=above, below=ends and look.value < max(release, look.floor))
            elif latch.raised:
                latch.restart()  # what nobody has seen has not been below
        return max((n + 1 for n, latch in enumerate(self._latches) if latch.raised), default=0)

    def _see(self, seconds: float, *, seen: bool) -> None:
        """Tell blindness from sight."""
        was = self._unknown.raised
        if self._unknown.push(seconds, above=not seen, below=seen) == was:
            return
        if was:
            self._sighted_s = seconds
        else:
            again = seconds - self._sighted_s < _STEADY_S
            self._unknown.off_s = max(self.rule.off_s, _STEADY_S if again else 0.0)

    def _turn(self, raised: int, wall_s: float) -> Change | None:
        """Go over to so many limits exceeded; return what is told of it: also what is found worse while half blind."""
        was_blind, self._blind = self._blind, self._unknown.raised
        worse, self._raised = raised > self._raised, raised
        level = max(raised, int(self._blind))
        before, self._level = self._level, level
        if (level, self._blind) == (before, was_blind) and not (worse or self._announce):
            return None
        self._announce, self.acknowledged, self._since_wall_s = False, False, wall_s
        state: Literal["raised", "cleared"] = "raised" if level else "cleared"
        severity: Literal["warning", "alarm"] = "alarm" if max(level, before if not level else 0) == 2 else "warning"
        limit = _finite(self._look.limits[severity == "alarm"])
        rule = self.rule
        return Change(
            rule.name, self.region, state, severity, rule.quantity, self._look.value, limit, rule.unit,
            self._text(state, severity, limit, again=was_blind and not self._blind),
        )  # fmt: skip

    def _text(self, state: str, severity: str, limit: float | None, *, again: bool) -> str:
        """One line for people."""
        look, rule = self._look, self.rule
        head = f"{self.region}: {rule.name} {severity if state == 'raised' else 'cleared'}"
        if look.missing:
            stands = any(latch.raised for latch in self._latches)
            return f"{head}, {'stands but can no longer be seen: ' if stands else ''}{look.missing}"
        head += ", seen again" if again else ", in and out of sight" if self._blind else ""
        if look.value is None:
            return head
        if rule.quantity == "signal_lost" and state == "cleared":
            return f"{head}, readings come again"
        what = "no reading for" if rule.quantity == "signal_lost" else rule.quantity.replace("_", " ")
        bound = "" if limit is None else f", limit {limit:.4g} {rule.unit}"
        return f"{head}, {what} {look.value:.4g} {rule.unit}{bound}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
