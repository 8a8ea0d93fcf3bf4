"""What Prometheus is told: of the pipeline by the supervisor's status, of the machine watched by readings and events.

Names follow Prometheus' conventions: base units, or the unit in the name where plants use another (pixels, mm/s).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nodes.messages import Event, Reading

__all__ = ["Board", "PipelineMetrics"]

_MOST_REGIONS = 256
_MOST_ALARMS = 4096
_LEVELS = {"warning": 1, "alarm": 2}
_STATES = {"ok": 0, "warning": 1, "alarm": 2}
_LINK = ("source", "target", "port")
_AXIS_FIGURES = (
    ("spikemm_region_rms_pixels", "rms_px", "Vibration above the noise, RMS"),
    ("spikemm_region_peak_to_peak_pixels", "peak_to_peak_px", "Vibration above the noise, peak to peak"),
    ("spikemm_region_noise_floor_pixels", "noise_floor_px", "Smallest amplitude that can be told from noise (3 sigma)"),
)
_REGION_FIGURES = (
    ("spikemm_region_velocity_rms_millimeters_per_second", "velocity_rms_mm_s", "Velocity, RMS"),
    ("spikemm_region_velocity_floor_millimeters_per_second", "velocity_floor_mm_s", "Smallest velocity to be told"),
)
_LINK_COUNTERS = (
    ("spikemm_link_messages_sent", "sent", "Messages handed to the transport"),
    ("spikemm_link_messages_delivered", "delivered", "Messages that the receiver has finished with"),
    ("spikemm_link_messages_lost", "lost", "Messages that a crash or a full block buffer has cost"),
    ("spikemm_link_bytes", "bytes", "Bytes handed to the transport"),
    ("spikemm_link_blocked_seconds", "blocked_s", "Time that the sender has waited for room"),
    ("spikemm_link_gap_steps", "gap_steps", "Sensor steps that the receiver has missed, whatever the cause"),
)
_DROPS = {"policy": "dropped", "seek": "flushed", "malformed": "bad"}
_LINK_GAUGES = (
    ("spikemm_link_queue_depth", "depth", "Messages that wait at the sender"),
    ("spikemm_link_in_flight", "in_flight", "Messages sent and not finished with"),
)
_NODE_COUNTERS = (
    ("spikemm_node_restarts", "restarts", 1.0, "Restarts of the node's process"),
    ("spikemm_node_processed", "processed", 1.0, "Messages taken, of a source: made"),
    ("spikemm_node_emitted", "emitted", 1.0, "Messages sent"),
    ("spikemm_node_cpu_seconds", "cpu_s", 1.0, "CPU time of the node's process"),
)
_NODE_GAUGES = (
    ("spikemm_node_busy_ratio", "busy", 1.0, "Share of its time that the node spends working"),
    ("spikemm_node_cpu_ratio", "cpu", 1.0, "Recent use of CPU by the node's process, in cores"),
    ("spikemm_node_resident_memory_bytes", "rss_mb", 2**20, "Resident memory of the node's process"),
)


class _Latest(NamedTuple):
    reading: Mapping[str, Any]
    now_s: float


class Board:
    """Keeps the latest of each region and alarm, in bounded memory; written by the node's thread, read by the server's.

    Parameters
    ----------
    stale_s : float
        Seconds after which a region's figures are no longer shown: a flat line would look alive.
    """

    def __init__(self, stale_s: float) -> None:
        self._stale_s = stale_s
        self._regions: dict[str, _Latest] = {}
        self._readings: Counter[str] = Counter()
        self._alarms: dict[tuple[str, str], int] = {}
        self._events: Counter[tuple[str, str, str]] = Counter()
        self.ignored = 0

    def reading(self, reading: Reading, now_s: float) -> None:
        """Keep a region's reading."""
        if reading.name not in self._regions and len(self._regions) >= _MOST_REGIONS:
            self.ignored += 1
            return
        self._regions[reading.name] = _Latest(reading.values, now_s)
        self._readings[reading.name] += 1

    def event(self, event: Event) -> None:
        """Count an event, and keep the state of its alarm."""
        state, severity = str(event.details.get("state", "")), str(event.details.get("severity", ""))
        key, counted = (event.name, str(event.details.get("region", ""))), (event.name, severity, state)
        full = len(self._alarms) >= _MOST_ALARMS or len(self._events) >= _MOST_ALARMS
        if full and (key not in self._alarms or counted not in self._events):
            self.ignored += 1
            return
        self._events[counted] += 1
        if severity in _LEVELS:
            self._alarms[key] = _LEVELS[severity] if state == "raised" else 0

    def regions(self, now_s: float) -> Iterator[Metric]:
        """Metrics of what was measured."""
        shown, fresh = dict(self._regions), {}
        age = GaugeMetricFamily(
            "spikemm_region_reading_age_seconds", "Time since a region's last reading", labels=["region"]
        )
        count = CounterMetricFamily("spikemm_region_readings", "Readings of a region", labels=["region"])
        for name, latest in shown.items():
            age.add_metric([name], now_s - latest.now_s)
            count.add_metric([name], self._readings[name])
            if now_s - latest.now_s <= self._stale_s:
                fresh[name] = latest.reading
        yield from (age, count)
        yield from _axis_metrics(fresh)
        yield from _region_metrics(fresh)

    def alarms(self, watched: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
        """Metrics of the alarms: as events told, or, where the alarm node is of this run, as it sees them now."""
        rows = list(watched)
        states = dict(self._alarms) | {
            (row["rule"], row["region"]): _STATES[row["state"]] for row in rows if row["state"] in _STATES
        }
        text = "State of an alarm: 0 all well, 1 warning, 2 alarm"
        state = GaugeMetricFamily("spikemm_alarm_state", text, labels=["rule", "region"])
        for key, level in states.items():
            state.add_metric(key, level)
        yield state
        events = CounterMetricFamily("spikemm_alarm_events", "Events by rule", labels=["rule", "severity", "state"])
        for kind, number in dict(self._events).items():
            events.add_metric(kind, number)
        yield events
        yield from _watch_metrics(rows)


def _axis_metrics(fresh: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    axes = [(name, axis, values[axis]) for name, values in fresh.items() for axis in ("x", "y") if axis in values]
    for metric, key, text in _AXIS_FIGURES:
        family = GaugeMetricFamily(metric, text, labels=["region", "axis"])
        for name, axis, figures in axes:
            _add(family, [name, axis], figures.get(key))
        yield family
    text = "Amplitude of the strongest peak, half of peak to peak; 0 where none stands above a finite noise floor"
    amplitude = GaugeMetricFamily("spikemm_region_amplitude_pixels", text, labels=["region", "axis"])
    scaled = GaugeMetricFamily("spikemm_region_amplitude_micrometers", text, labels=["region", "axis"])
    hertz = GaugeMetricFamily("spikemm_region_frequency_hertz", "Frequency of it, if any", labels=["region", "axis"])
    for name, axis, figures in axes:
        peak: Mapping[str, Any] = next(iter(figures.get("peaks", ())), {})
        seen = isfinite(figures.get("noise_floor_px") or 0.0)
        _add(amplitude, [name, axis], peak.get("px", 0.0) if seen else None)
        _add(scaled, [name, axis], peak.get("um"))
        _add(hertz, [name, axis], peak.get("hz"))
    yield from (amplitude, scaled, hertz)


def _region_metrics(fresh: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    for metric, key, text in _REGION_FIGURES:
        family = GaugeMetricFamily(metric, text, labels=["region"])
        for name, values in fresh.items():
            _add(family, [name], values.get(key))
        yield family
    zone = GaugeMetricFamily("spikemm_region_zone", "1 for the zone after ISO 20816-3", labels=["region", "zone"])
    for name, values in fresh.items():
        if values.get("zone"):
            zone.add_metric([name, values["zone"]], 1)
    yield zone


def _watch_metrics(rows: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    value = GaugeMetricFamily("spikemm_alarm_value", "What a rule sees, in its unit", labels=["rule", "region", "unit"])
    limit = GaugeMetricFamily("spikemm_alarm_limit", "Limit in force", labels=["rule", "region", "unit", "severity"])
    blind = GaugeMetricFamily(
        "spikemm_alarm_unanswered", "1 while a rule cannot be answered", labels=["rule", "region"]
    )
    for row in rows:
        place = [row["rule"], row["region"], row["unit"]]
        _add(value, place, row["value"])
        for severity, bound in row["limit"].items():
            _add(limit, [*place, severity], bound)
        blind.add_metric(place[:2], float(bool(row["missing"])))
    yield from (value, limit, blind)


class PipelineMetrics(Collector):
    """Metrics of one scrape.

    Parameters
    ----------
    board : Board
        What was measured.
    status : mapping
        The supervisor's status; empty if it does not answer.
    now_s : float
        The node's clock.
    """

    def __init__(self, board: Board, status: Mapping[str, Any], now_s: float) -> None:
        self._board, self._status, self._now_s = board, status, now_s

    def collect(self) -> Iterator[Metric]:
        """Return every family, also those without a sample, so that a dashboard knows them."""
        status = self._status
        nodes, links = status.get("nodes", {}), status.get("links", [])
        yield GaugeMetricFamily("spikemm_supervisor_up", "1 if the supervisor answers", float(bool(status)))
        yield GaugeMetricFamily("spikemm_pipeline_uptime_seconds", "Time since the start", status.get("seconds", 0.0))
        yield GaugeMetricFamily(
            "spikemm_pipeline_problems", "Problems told, 200 at most", len(status.get("problems", ()))
        )
        yield from _link_metrics(links)
        yield from _node_metrics(nodes)
        yield from self._board.regions(self._now_s)
        watched = [node.get("status", {}).get("rules", ()) for node in nodes.values() if node.get("type") == "Alarm"]
        yield from self._board.alarms(row for rules in watched for row in rules)
        text = "Readings and events left out: more regions or rules than are kept"
        yield CounterMetricFamily("spikemm_metrics_ignored", text, self._board.ignored)


def _link_metrics(links: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    links = list(links)
    for metric, key, text in _LINK_COUNTERS:
        yield _family(CounterMetricFamily, metric, text, _LINK, ((_labels(link), link.get(key)) for link in links))
    drops = CounterMetricFamily("spikemm_link_messages_dropped", "Messages left out", labels=[*_LINK, "reason"])
    for link in links:
        for reason, key in _DROPS.items():
            _add(drops, [*_labels(link), reason], link.get(key))
    yield drops
    for metric, key, text in _LINK_GAUGES:
        yield _family(GaugeMetricFamily, metric, text, _LINK, ((_labels(link), link.get(key)) for link in links))
    text = "Age of a message when its receiver had finished with it; quantile 1 is the oldest"
    ages = GaugeMetricFamily("spikemm_link_age_seconds", text, labels=[*_LINK, "quantile"])
    for link in links:
        for quantile, key in (("0.5", "p50"), ("0.99", "p99"), ("1", "max")):
            age_ms = (link.get("age_ms") or {}).get(key)
            _add(ages, [*_labels(link), quantile], None if age_ms is None else age_ms / 1e3)
    yield ages


def _node_metrics(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    labels = ("node", "process")
    named = {(name, str(node.get("process", ""))): node for name, node in nodes.items()}
    for table, kind in ((_NODE_COUNTERS, CounterMetricFamily), (_NODE_GAUGES, GaugeMetricFamily)):
        for metric, key, factor, text in table:
            values = ((place, _times(node.get(key), factor)) for place, node in named.items())
            yield _family(kind, metric, text, labels, values)
    running = ((place, float(node.get("phase") == "running")) for place, node in named.items())
    yield _family(GaugeMetricFamily, "spikemm_node_up", "1 while the node runs", labels, running)
    counted = CounterMetricFamily("spikemm_node_counter", "What nodes count", labels=["node", "counter"])
    largest = GaugeMetricFamily("spikemm_node_maximum", "What nodes keep the largest of", labels=["node", "counter"])
    for name, node in nodes.items():
        for counter, number in node.get("counters", {}).items():
            (largest if counter.endswith("_max") else counted).add_metric([name, counter], number)
    yield from (counted, largest)


def _family(kind: Any, metric: str, text: str, labels: Iterable[str], values: Iterable[tuple[Any, Any]]) -> Metric:
    family: Metric = kind(metric, text, labels=list(labels))
    for place, value in values:
        _add(family, place, value)
    return family


def _add(family: Any, labels: Iterable[str], value: float | None) -> None:
    """Add a sample, if there is a value."""
    if value is not None:
        family.add_metric(list(labels), value)


def _labels(link: Mapping[str, Any]) -> list[str]:
    return [str(link.get(key, "")) for key in _LINK]


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
