"""`alarm`: readings in; alarms raised and cleared out, against limits or what was learned as normal."""

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engine import Live, Policy, Stage
from engine.exceptions import ControlError
from nodes.messages import Event, Reading
from nodes.wishes import SCALE
from spikemm.alarm import Change, Moment, Monitor, Rule, load_baselines, save_baselines
from spikemm.exceptions import OptionError, SpikeMMError

__all__ = ["Alarm"]

_Band = Annotated[tuple[float, float], Meta(description="Only what vibrates between these counts, Hz.")]


class RuleOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One rule; see `spikemm.alarm.Rule`."""

    quantity: Annotated[
        Literal["amplitude", "velocity", "band", "frequency_shift", "signal_lost"], Meta(description="What is watched.")
    ]
    region: Annotated[str, Meta(min_length=1, description="The region watched; * for each of them.")] = "*"
    unit: Annotated[str, Meta(description="px, um, mm/s, Hz, % or s; empty: the quantity's first.")] = ""
    axis: Annotated[Literal["x", "y", "larger"], Meta(description="Which motion counts.")] = "larger"
    band_hz: _Band | None = None
    warning: Annotated[float, Meta(description="First limit.")] | None = None
    alarm: Annotated[float, Meta(description="Second limit, above the first.")] | None = None
    against: Annotated[
        Literal["limit", "spread", "percent"],
        Meta(description="limit: limits as they are; spread, percent: so far above the baseline's mean."),
    ] = "limit"
    hysteresis: Annotated[float | str, Meta(description="How far below its limit a value clears: a number or 10%.")] = (
        "5%"
    )
    hold_s: Annotated[float, Meta(ge=0, description="How long a value must stay above, s.")] = 0.0
    off_s: Annotated[float, Meta(ge=0, description="How long a value must stay below again, s.")] = 0.0


class AlarmOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `alarm`."""

    rules: Annotated[
        dict[str, RuleOptions], Meta(min_length=1, max_length=64, description="What is watched, by name."), Live
    ]
    baseline: Annotated[
        str | None, Meta(description="File that keeps what was learned; a rule that compares with it needs one.")
    ] = None
    learn_s: Annotated[
        float, Meta(gt=0, le=86_400, description="Sensor time to learn for, where nothing is known.")
    ] = 60.0

    def made_rules(self) -> list[Rule]:
        """Return the rules, checked; raises OptionError."""
        return [Rule(name=name, **msgspec.structs.asdict(rule)) for name, rule in self.rules.items()]


class Alarm(Stage):
    """Watch readings by rules.

    Commands: ``learn`` {"rule", "region"} learns anew what is normal; ``acknowledge`` {"rule", "region"} notes that
    somebody has seen it; ``forget`` {"region"} stops to expect a region that was taken away. What is left out: all.

    A gap in the readings does not interrupt what must persist: on an overloaded machine nothing would ever be raised.
    """

    Options = AlarmOptions
    accepts = Reading
    emits = Event
    policy = Policy("block")
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: AlarmOptions) -> None:
        """Check the rules, and that the baseline can be kept and read."""
        needy = [rule.name for rule in options.made_rules() if rule.needs_baseline]
        if needy and options.baseline is None:
            raise OptionError(
                f"rule {needy[0]} compares with a baseline: name a file for it, baseline: FILE.json; without it, a "
                "restart would learn as normal what is wrong then"
            )
        if options.baseline is not None:
            if not Path(options.baseline).parent.is_dir():
                raise OptionError(f"baseline {options.baseline}: there is no such folder; make it first")
            load_baselines(options.baseline)

    @classmethod
    def wants(cls, options: AlarmOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for a scale where a rule's unit needs one."""
        return frozenset({SCALE}) if any(rule.needs_scale for rule in options.made_rules()) else frozenset()

    def setup(self) -> None:
        """Read what is known."""
        options = self.options
        known = load_baselines(options.baseline) if options.baseline else {}
        rules = options.made_rules()
        for (name, region), baseline in known.items():
            if any(rule.name == name and rule.fingerprint != baseline.of for rule in rules):
                self.context.log.warning(
                    "%s/%s: learned anew, the rule is another: %s before", name, region, baseline.of
                )
        announce = self.context.incarnation > 0
        self._monitor = Monitor(rules, learn_s=options.learn_s, baselines=known, announce=announce)
        self._saved = dict(known)
        self._epoch: int | None = None
        self._step = 0
        self._sensor_s = 0.0

    def process(self, reading: Reading, port: str) -> list[Event]:
        """Look at a reading, and for regions that have fallen silent."""
        self._advance(reading)
        if reading.topic != "region":
            return self.idle()
        changes = self._monitor.push(reading.name, reading.values, reading.arrays, self._moment())
        self._save()
        return self._events(changes)

    def idle(self) -> list[Event]:
        """Look for regions that have fallen silent."""
        return self._events(self._monitor.tick(self._moment()))

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over other rules."""
        self.check(self.options)
        self._monitor.retune(self.options.made_rules(), self._moment())

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Carry out ``learn``, ``acknowledge`` or ``forget``."""
        wanted = {key: arguments[key] for key in ("rule", "region") if arguments.get(key)}
        with _refusing():
            match name:
                case "learn":
                    return {"learning": self._monitor.learn(self._moment(), **wanted)}
                case "acknowledge" if "rule" in wanted:
                    return {"acknowledged": self._monitor.acknowledge(**wanted)}
                case "forget" if "region" in wanted:
                    self._monitor.forget(wanted["region"], self._moment())
                    return {"forgotten": wanted["region"]}
        raise ControlError(
            f"{self.context.name} takes learn, acknowledge with a rule, forget with a region; not {name} {arguments}"
        )

    def status(self) -> dict[str, Any]:
        """State, value and limits of each rule on each region."""
        return {"rules": self._monitor.status(), "regions_ignored": self._monitor.ignored}

    def _advance(self, reading: Reading) -> None:
        """Move sensor time on; behind a jump of the time line, from where it was."""
        if reading.epoch != self._epoch:
            self._monitor.restart()
        else:
            self._sensor_s += max(0, reading.step - self._step) / reading.rate_hz
        self._epoch, self._step = reading.epoch, reading.step

    def _moment(self) -> Moment:
        return Moment(self._sensor_s, self.context.clock.now(), self.context.clock.wall())

    def _save(self) -> None:
        """Keep what was learned; a disk that fails costs the file, not the watch."""
        if self.options.baseline is None or self._monitor.baselines == self._saved:
            return
        self._saved = dict(self._monitor.baselines)
        try:
            save_baselines(self.options.baseline, self._saved)
        except OSError as error:
            self.context.count("baselines_not_saved")
            text = "baseline %s: cannot be written (%s); make room, then learn anew"
            self.context.log.warning(text, self.options.baseline, error)

    def _events(self, changes: list[Change]) -> list[Event]:
        return [self._event(change) for change in changes]

    def _event(self, change: Change) -> Event:
        self.context.count(f"{change.severity}s_{change.state}")
        self.context.log.info("%s", change.text)
        details = change._asdict()
        return Event(step=self._step, name=details.pop("rule"), details=details)


@contextlib.contextmanager
def _refusing() -> Any:
    """Turn what the monitor refuses into an answer."""
    try:
        yield
    except OptionError as error:
        raise ControlError(str(error)) from None
