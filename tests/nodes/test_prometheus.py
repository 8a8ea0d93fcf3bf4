import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from engine.clocks import ManualClock
from engine.exceptions import ControlError, PipelineError
from engine.testing import make_node
from nodes.messages import Event, Reading
from nodes.prometheus import Prometheus, PrometheusOptions

DASHBOARD = Path(__file__).parents[2] / "configs" / "grafana.json"
NODE = {
    "process": "encode", "phase": "running", "restarts": 2, "processed": 100, "emitted": 99, "busy": 0.25, "cpu": 0.5,
    "cpu_s": 12.0, "rss_mb": 100.0, "type": "Encode", "counters": {"hop_raised": 3, "behind_ms_max": 7}, "status": {},
}  # fmt: skip
RULE = {
    "rule": "shaking", "region": "fork", "unit": "px", "state": "warning", "value": 0.3, "missing": "",
    "limit": {"warning": 0.2, "alarm": None},
}  # fmt: skip
LINK = {
    "source": "camera", "target": "encode", "port": "in", "sent": 110, "delivered": 100, "dropped": 5, "flushed": 3,
    "bad": 1, "lost": 2, "bytes": 4096, "blocked_s": 1.5, "gap_steps": 40, "depth": 4, "in_flight": 1,
    "age_ms": {"p50": 20.0, "p99": 50.0, "max": 80.0},
}  # fmt: skip
ELSEWHERE = {
    "source": "far",
    "target": "encode",
    "port": "in",
    "sent": 7,
}  # of a link to another host one half is known
STATUS = {
    "seconds": 60.0,
    "problems": ["one"],
    "nodes": {"encode": NODE, "alarm": NODE | {"type": "Alarm", "process": "alarm", "status": {"rules": [RULE]}}},
    "links": [LINK, ELSEWHERE],
}


class StandInControl:
    """The supervisor, as far as a scrape needs it."""

    def __init__(self, status):
        self.status, self.asked = status, 0

    def request(self, request, **_):
        assert request == "status"
        self.asked += 1
        if self.status is None:
            raise ControlError("no answer")
        return self.status

    def close(self):
        """Nothing to hang up."""


@pytest.fixture
def clock():
    return ManualClock(1000.0)


@pytest.fixture
def node(monkeypatch, clock):
    opened = []

    def start(status=STATUS, **options):
        control = StandInControl(status)
        monkeypatch.setattr(Prometheus, "_connect", lambda self: control)
        opened.append(make_node(Prometheus, clock, port=0, context={"control": "ipc://supervisor"}, **options))
        opened[-1].control = control
        return opened[-1]

    yield start
    for running in opened:
        running.close()


@pytest.fixture
def scrape(get):
    """Samples of a scrape: (name, labels) → value."""

    def fetch(node, **arguments):
        status, _, body = asyncio.run(get(node.status()["url"], **arguments))
        assert status == 200, body
        families = text_string_to_metric_families(body.decode())
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}

    return fetch


def sample(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


def axis(*peaks, floor=0.003):
    listed = [{"hz": hz, "px": px, "um": 50 * px} for hz, px in peaks]
    return {"rms_px": 0.2, "peak_to_peak_px": 0.6, "noise_floor_px": floor, "peaks": listed}


def reading(name="fork"):
    values = {"x": axis((310.0, 0.3), (620.0, 0.1)), "y": axis(), "zone": "B", "um_per_px": 50.0}
    values |= {"velocity_rms_mm_s": 2.9, "velocity_floor_mm_s": 0.1}
    return Reading(step=1, name=name, topic="region", values=values)


def event(state="raised", severity="alarm", rule="shaking", region="fork"):
    return Event(step=1, name=rule, details={"state": state, "severity": severity, "region": region})


def test_the_strongest_peak_of_each_axis_stands_beside_its_noise_floor(node, scrape):
    running = node()
    running.process(reading(), "readings")
    samples = scrape(running)
    x = {"region": "fork", "axis": "x"}
    assert sample(samples, "spikemm_region_amplitude_pixels", **x) == 0.3
    assert sample(samples, "spikemm_region_amplitude_micrometers", **x) == pytest.approx(15.0)
    assert sample(samples, "spikemm_region_frequency_hertz", **x) == 310
    assert sample(samples, "spikemm_region_noise_floor_pixels", **x) == 0.003
    assert sample(samples, "spikemm_region_velocity_rms_millimeters_per_second", region="fork") == 2.9
    assert sample(samples, "spikemm_region_zone", region="fork", zone="B") == 1


def test_an_axis_that_stands_still_has_no_frequency(node, scrape):
    running = node()
    running.process(reading(), "readings")
    samples = scrape(running)
    assert sample(samples, "spikemm_region_amplitude_pixels", region="fork", axis="y") == 0
    assert sample(samples, "spikemm_region_frequency_hertz", region="fork", axis="y") is None


def test_an_axis_that_shows_nothing_has_no_amplitude(node, scrape):
    running, blind = node(), reading()
    blind.values["y"] |= {"rms_px": None, "peak_to_peak_px": None, "noise_floor_px": float("inf")}
    running.process(blind, "readings")
    samples, y = scrape(running), {"region": "fork", "axis": "y"}
    assert sample(samples, "spikemm_region_amplitude_pixels", **y) is None
    assert sample(samples, "spikemm_region_rms_pixels", **y) is None
    assert sample(samples, "spikemm_region_noise_floor_pixels", **y) == float("inf")


def test_figures_that_have_grown_old_are_not_shown_but_their_age_is(node, scrape, clock):
    running = node(stale_s=10)
    running.process(reading(), "readings")
    clock.advance(11)
    samples = scrape(running)
    assert sample(samples, "spikemm_region_amplitude_pixels", region="fork", axis="x") is None
    assert sample(samples, "spikemm_region_reading_age_seconds", region="fork") == 11
    assert sample(samples, "spikemm_region_readings_total", region="fork") == 1


def test_a_link_tells_what_it_delivered_dropped_and_lost_and_how_old_it_was(node, scrape):
    samples, place = scrape(node()), {"source": "camera", "target": "encode", "port": "in"}
    assert sample(samples, "spikemm_link_messages_delivered_total", **place) == 100
    assert sample(samples, "spikemm_link_messages_lost_total", **place) == 2
    drops = {reason: sample(samples, "spikemm_link_messages_dropped_total", **place, reason=reason)
             for reason in ("policy", "seek", "malformed")}  # fmt: skip
    assert drops == {"policy": 5, "seek": 3, "malformed": 1}
    assert sample(samples, "spikemm_link_age_seconds", **place, quantile="0.99") == 0.05
    assert sample(samples, "spikemm_link_queue_depth", **place) == 4
    far = place | {"source": "far"}
    assert sample(samples, "spikemm_link_messages_sent_total", **far) == 7
    assert sample(samples, "spikemm_link_messages_lost_total", **far) is None


def test_a_node_tells_what_it_uses_and_counts(node, scrape):
    samples, place = scrape(node()), {"node": "encode", "process": "encode"}
    assert sample(samples, "spikemm_node_resident_memory_bytes", **place) == 100 * 2**20
    assert sample(samples, "spikemm_node_restarts_total", **place) == 2
    assert sample(samples, "spikemm_node_up", **place) == 1
    assert sample(samples, "spikemm_node_counter_total", node="encode", counter="hop_raised") == 3
    assert sample(samples, "spikemm_node_maximum", node="encode", counter="behind_ms_max") == 7


def test_an_alarm_has_the_state_that_its_node_sees_and_else_the_one_that_events_told(node, scrape):
    running = node()
    running.process(event(), "events")
    running.process(event(rule="far"), "events")
    running.process(event("raised", "mark", rule="mark"), "events")
    samples = scrape(running)
    assert sample(samples, "spikemm_alarm_state", rule="shaking", region="fork") == 1
    assert sample(samples, "spikemm_alarm_state", rule="far", region="fork") == 2
    assert sample(samples, "spikemm_alarm_state", rule="mark", region="fork") is None
    assert sample(samples, "spikemm_alarm_events_total", rule="mark", severity="mark", state="raised") == 1
    assert sample(samples, "spikemm_alarm_value", rule="shaking", region="fork", unit="px") == 0.3
    limits = {"rule": "shaking", "region": "fork", "unit": "px"}
    assert sample(samples, "spikemm_alarm_limit", **limits, severity="warning") == 0.2
    assert sample(samples, "spikemm_alarm_limit", **limits, severity="alarm") is None


def test_without_the_supervisor_what_was_measured_is_still_told(node, scrape):
    running = node(status=None)
    running.process(reading(), "readings")
    running.process(event(), "events")
    running.process(event("cleared"), "events")
    samples = scrape(running)
    assert sample(samples, "spikemm_supervisor_up") == 0
    assert sample(samples, "spikemm_region_rms_pixels", region="fork", axis="x") == 0.2
    assert sample(samples, "spikemm_alarm_state", rule="shaking", region="fork") == 0


def test_the_supervisor_is_not_asked_more_than_twice_a_second(node, scrape, clock):
    running = node()
    for _ in range(3):
        scrape(running)
    assert running.control.asked == 1
    clock.advance(0.5)
    scrape(running)
    assert running.control.asked == 2


def test_memory_is_bounded_however_many_regions_and_rules_come(node, scrape):
    running = node()
    for number in range(5000):
        running.process(reading(f"r{number}"), "readings")
        running.process(event(rule=f"rule{number}"), "events")
    samples = scrape(running)
    assert len([key for key in samples if key[0] == "spikemm_region_readings_total"]) == 256
    assert sample(samples, "spikemm_metrics_ignored_total") == 5000 - 256 + 5000 - 4096


def targets():
    """Every query of the dashboard: its panel's title, expression and legend."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            assert panel["targets"]
            yield from ((panel["title"], target["expr"], target["legendFormat"]) for target in panel["targets"])


@pytest.fixture
def shown(node, scrape):
    """Labels of the samples that a running pipeline with a region and an alarm shows, by metric."""
    running = node()
    running.process(reading(), "readings")
    running.process(event(), "events")
    found = {}
    for name, labels in scrape(running):
        found.setdefault(name, []).append(dict(labels) | {"instance": "rig:9464"})  # which Prometheus adds
    return found


@pytest.mark.parametrize(("title", "query", "legend"), list(targets()))
def test_a_panel_of_the_dashboard_finds_what_it_asks_for(shown, title, query, legend):
    (metric,) = re.findall(r"spikemm_\w+", query)
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', query))
    filtered = re.findall(r"(\w+)=~", query)
    (grouped,) = re.findall(r"by \(([^)]*)\)", query) or [""]
    named = re.findall(r"{{(\w+)}}", legend)
    fitting = [labels for labels in shown[metric] if wanted.items() <= labels.items()]
    assert fitting
    for labels in fitting:
        assert {*filtered, *grouped.replace(" ", "").split(",")} - {""} <= labels.keys()
        assert set(named) <= (set(grouped.split(", ")) if grouped else labels.keys())
    assert ("rate(" in query) <= metric.endswith("_total")  # Prometheus' name for what only grows


def test_the_dashboards_variables_are_labels_that_are_there(shown):
    board = json.loads(DASHBOARD.read_text())
    asked = [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    assert asked
    for query in asked:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()
        assert all(label in labels for labels in shown[metric])


def test_the_dashboard_can_be_imported_with_any_data_source():
    board = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] >= 39
    assert board["id"] is None
    variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all(p["datasource"]["uid"] == "${datasource}" for p in board["panels"] if p["type"] != "row")


def test_openmetrics_is_spoken_to_who_asks_for_it(node, get):
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    _, headers, body = asyncio.run(get(node().status()["url"], headers=accept))
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert any(family.name == "spikemm_link_messages_lost" for family in parse_openmetrics(body.decode()))


def test_a_bearer_token_is_asked_for(node, get, scrape, monkeypatch):
    monkeypatch.setenv("SCRAPE_TOKEN", "open-sesame")
    running = node(token="env:SCRAPE_TOKEN")
    assert asyncio.run(get(running.status()["url"]))[0] == 403
    assert asyncio.run(get(running.status()["url"], headers={"Authorization": "Bearer guess"}))[0] == 403
    assert scrape(running, headers={"Authorization": "Bearer open-sesame"})
    assert "open-sesame" not in str(running.status())


def test_it_does_not_listen_beyond_this_machine_without_a_token():
    with pytest.raises(PipelineError, match="needs a token"):
        Prometheus.check(msgspec.convert({"listen": "0.0.0.0", "port": 0}, PrometheusOptions))
