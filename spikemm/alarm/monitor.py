"""All rules on all regions: readings in, alarms raised and cleared out."""

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from spikemm.alarm.baseline import Baseline
from spikemm.alarm.figures import Figure, figure_of
from spikemm.alarm.rules import Rule
from spikemm.alarm.watch import Change, Moment, Watch
from spikemm.exceptions import OptionError

__all__ = ["Change", "Moment", "Monitor"]

_MOST_REGIONS = 64
_EVERYWHERE = "*"


class Monitor:
    """Watches regions by rules; its memory is bounded by their numbers.

    Parameters
    ----------
    rules : iterable of Rule
        What is watched.
    learn_s : float
        Seconds of sensor time to learn a baseline for, where none is known.
    baselines : mapping of (rule, region) to Baseline
        What is known; one that was learned of another quantity is not used.
    announce : bool
        Tell each first verdict, see `Watch`.

    Attributes
    ----------
    baselines : dict of (rule, region) to Baseline
        What is known by now.
    ignored : int
        Readings of regions beyond the 64th, which only rules that name them watch.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        learn_s: float = 60.0,
        baselines: Mapping[tuple[str, str], Baseline] | None = None,
        announce: bool = False,
    ) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._learn_s = learn_s
        self._announce = announce
        self.baselines = dict(baselines or {})
        self._watches: dict[tuple[str, str], Watch] = {}
        self._last_s: dict[str, float] = {}
        self._started_s: float | None = None
        self._owed: list[Change] = []
        self.ignored = 0

    def push(
        self, region: str, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], at: Moment
    ) -> list[Change]:
        """Take a region's reading; return what changed, lost signals included."""
        if self._admits(region):
            self._last_s[region] = at.now_s
            for rule in self._rules.values():
                if rule.watches(region) and rule.quantity != "signal_lost":
                    self._look(rule, region, figure_of(rule, values, arrays), at)
        else:
            self.ignored += 1
        return self.tick(at)

    def tick(self, at: Moment) -> list[Change]:
        """Look for regions that have fallen silent; return what changed since the last call."""
        self._started_s = at.now_s if self._started_s is None else self._started_s
        for rule in self._rules.values():
            if rule.quantity == "signal_lost":
                for region in self._expected(rule):
                    last_s = self._last_s.get(region, self._started_s)
                    silent_s = 0.0 if region == _EVERYWHERE and self._last_s else at.now_s - last_s
                    self._look(rule, region, Figure(silent_s, 0.0), at)
        owed, self._owed = self._owed, []
        return owed

    def retune(self, rules: Iterable[Rule], at: Moment) -> None:
        """Take over other rules: limits change in place, a rule about something else begins anew."""
        self._rules = {rule.name: rule for rule in rules}
        for key, watch in tuple(self._watches.items()):
            rule = self._rules.get(key[0])
            if rule is not None and rule.watches(key[1]) and _alike(rule, watch.rule):
                watch.retune(rule)
            else:
                self._owe(watch.clear(at, "its rule has changed"))
                del self._watches[key]

    def learn(self, at: Moment, rule: str = "", region: str = "") -> list[str]:
        """Learn anew what is normal; return ``rule/region`` of all that do.

        Raises
        ------
        OptionError
            If nothing fits the names, or what fits learns nothing.
        """
        chosen = [watch for watch in self._chosen(rule, region) if watch.rule.needs_baseline]
        if not chosen:
            raise OptionError(f"learn {rule or 'all'}: this rule compares with no baseline")
        for watch in chosen:
            self._owe(watch.learn(at))
        return [f"{watch.rule.name}/{watch.region}" for watch in chosen]

    def acknowledge(self, rule: str, region: str = "") -> int:
        """Note that somebody has seen a rule's raised alarms; return how many.

        Raises
        ------
        OptionError
            If the rule has raised none.
        """
        chosen = [watch for watch in self._chosen(rule, region) if watch.state in ("warning", "alarm")]
        if not chosen:
            raise OptionError(f"acknowledge {rule}: it has raised no alarm")
        for watch in chosen:
            watch.acknowledged = True
        return len(chosen)

    def forget(self, region: str, at: Moment) -> None:
        """Stop to expect a region that was taken away; its alarms clear.

        Raises
        ------
        OptionError
            If nothing is known of it.
        """
        for watch in self._chosen("", region):
            self._owe(watch.clear(at, "the region was taken away"))
            del self._watches[watch.rule.name, region]
        self._last_s.pop(region, None)

    def restart(self) -> None:
        """Time has jumped: whatever must persist begins to do so anew."""
        for watch in self._watches.values():
            watch.restart()

    def status(self) -> list[dict[str, Any]]:
        """Return the state of each rule on each region; a rule that has seen no region yet is waiting."""
        rows = [watch.status() for watch in self._watches.values()]
        seen = {name for name, _ in self._watches}
        waiting = (rule for rule in self._rules.values() if rule.name not in seen)
        return [*rows, *(Watch(rule, rule.region, None, 0.0, announce=False).status() for rule in waiting)]

    def _admits(self, region: str) -> bool:
        named = any(rule.region == region for rule in self._rules.values())
        return region in self._last_s or named or len(self._last_s) < _MOST_REGIONS

    def _expected(self, rule: Rule) -> list[str]:
        """Return the regions whose silence a rule would tell, and the stream as a whole, until a region was seen."""
        return [*self._last_s, _EVERYWHERE] if rule.region == _EVERYWHERE else [rule.region]

    def _look(self, rule: Rule, region: str, figure: Figure, at: Moment) -> None:
        watch = self._watches.get((rule.name, region)) or self._begin(rule, region)
        known = watch.baseline
        self._owe(watch.push(figure, at))
        if watch.baseline is not None and watch.baseline is not known:
            self.baselines[rule.name, region] = watch.baseline

    def _begin(self, rule: Rule, region: str) -> Watch:
        known = self.baselines.get((rule.name, region))
        if known is not None and known.of != rule.fingerprint:
            known = None
        watch = Watch(rule, region, known, self._learn_s, announce=self._announce)
        self._watches[rule.name, region] = watch
        return watch

    def _owe(self, change: Change | None) -> None:
        if change is not None:
            self._owed.append(change)

    def _chosen(self, rule: str, region: str) -> list[Watch]:
        chosen = [watch for key, watch in self._watches.items() if rule in ("", key[0]) and region in ("", key[1])]
        if not chosen:
            known = ", ".join(f"{name}/{place}" for name, place in self._watches) or "none yet"
            raise OptionError(
                f"rule {rule or 'any'}, region {region or 'any'}: nothing such is watched; there are {known}"
            )
        return chosen


def _alike(one: Rule, other: Rule) -> bool:
    return (one.fingerprint, one.unit, one.against) == (other.fingerprint, other.unit, other.against)
