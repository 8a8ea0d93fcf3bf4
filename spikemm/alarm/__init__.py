"""Alarms: rules on measured vibration, against fixed limits or a learned baseline."""

from spikemm.alarm.baseline import Baseline, load_baselines, save_baselines
from spikemm.alarm.figures import Figure, figure_of
from spikemm.alarm.monitor import Change, Moment, Monitor
from spikemm.alarm.rules import Rule

__all__ = [
    "Baseline",
    "Change",
    "Figure",
    "Moment",
    "Monitor",
    "Rule",
    "figure_of",
    "load_baselines",
    "save_baselines",
]
