import msgspec
import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.envelope import decode, encode
from engine.exceptions import ControlError, PipelineError
from engine.loop import Member
from engine.pipeline import parse_pipeline
from engine.testing import make_node
from nodes.alarm import Alarm, AlarmOptions
from nodes.measure import Measure
from nodes.messages import Reading
from spikemm.alarm import load_baselines
from spikemm.exceptions import OptionError

RATE_HZ = 20_000
LIMITS = {"quantity": "amplitude", "warning": 0.2, "alarm": 0.5}
SHIFT = {"quantity": "frequency_shift", "warning": 1}
DETAILS = {"state", "severity", "region", "quantity", "value", "limit", "unit", "text"}


def reading(seconds, px=0.1, *, region="fork", hz=310.0, epoch=0, topic="region"):
    axis = {"noise_floor_px": 0.003, "noise_density_px_per_sqrt_hz": 0.0003}
    values = {"seconds": 0.5, "fps": 1000, "um_per_px": None, "velocity_rms_mm_s": None}
    values |= {"x": {**axis, "peaks": [{"hz": hz, "px": px}]}, "y": {**axis, "peaks": []}}
    step = round(seconds * RATE_HZ)
    return Reading(step=step, rate_hz=RATE_HZ, epoch=epoch, name=region, topic=topic, values=values)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def alarm(clock):
    def make(context=None, **options):
        return make_node(Alarm, clock, context=context or {}, **({"rules": {"shaking": LIMITS}} | options))

    return make


def told(events):
    return [(event.name, event.details["state"], event.details["severity"]) for event in events]


def run(node, *pixels, start=0.0, every=1.0, **more):
    return [told(node.process(reading(start + every * k, px, **more), "in")) for k, px in enumerate(pixels)]


def test_an_alarm_is_an_event_with_all_that_it_promises(alarm):
    (event,) = alarm().process(reading(1.5, 0.3), "in")
    assert (event.name, event.step) == ("shaking", 1.5 * RATE_HZ)
    assert event.details.keys() == DETAILS
    assert event.details["value"] == 0.3
    assert decode([bytes(encode(event)[0])]).details == event.details


def test_what_is_raised_and_cleared_is_told_in_the_terminal(alarm, caplog):
    with caplog.at_level("INFO"):
        run(alarm(), 0.1, 0.3, 0.1)
    raised, cleared = caplog.messages
    assert raised.startswith("fork: shaking warning, amplitude 0.3 px")
    assert cleared.startswith("fork: shaking cleared")


def test_what_must_persist_does_so_in_sensor_time(alarm):
    node = alarm(rules={"shaking": LIMITS | {"hold_s": 1.0}})
    assert run(node, 0.3, 0.3, 0.3, every=0.5) == [[], [], [("shaking", "raised", "warning")]]


def test_a_seek_begins_it_anew_whichever_way_it_goes(alarm):
    node = alarm(rules={"shaking": LIMITS | {"hold_s": 1.0}})
    assert run(node, 0.3, 0.3, start=10, every=0.9) == [[], []]
    assert run(node, 0.3, 0.3, 0.3, start=2, epoch=1, every=0.5) == [[], [], [("shaking", "raised", "warning")]]
    assert run(node, 0.1, start=500, epoch=2) == [[("shaking", "cleared", "warning")]]


def test_a_stream_that_stops_is_told_by_the_clock_without_another_message(alarm, clock):
    node = alarm(rules={"blind": {"quantity": "signal_lost", "alarm": 3}})
    node.process(reading(0), "in")
    assert node.idle() == []
    clock.advance(3.1)
    assert told(node.idle()) == [("blind", "raised", "alarm")]
    assert node.idle() == []
    assert told(node.process(reading(0.1), "in")) == [("blind", "cleared", "alarm")]


def test_a_map_is_a_sign_of_life_but_no_region(alarm):
    node = alarm()
    assert node.process(reading(0, 0.9, topic="map"), "in") == []
    assert node.status()["rules"][0]["state"] == "waiting"


def test_a_restart_compares_with_what_was_normal_before_it(alarm, tmp_path):
    options = {"rules": {"detuned": SHIFT}, "baseline": str(tmp_path / "normal.json"), "learn_s": 5.0}
    node = alarm(**options)
    run(node, *[0.1] * 9)
    assert node.status()["rules"][0]["state"] == "ok"
    again = alarm({"incarnation": 1}, **options)
    assert run(again, 0.1, hz=315.0) == [[("detuned", "raised", "warning")]]
    assert load_baselines(tmp_path / "normal.json")["detuned", "fork"].mean == 310.0


def test_a_restarted_watch_tells_its_first_verdict(alarm):
    assert run(alarm({"incarnation": 1}), 0.1, 0.1) == [[("shaking", "cleared", "warning")], []]


def test_a_disk_that_fails_costs_the_file_and_not_the_watch(alarm, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("nodes.alarm.save_baselines", full)
    node = alarm(rules={"detuned": SHIFT}, baseline=str(tmp_path / "normal.json"), learn_s=5.0)
    run(node, *[0.1] * 9)
    assert node.context.counters["baselines_not_saved"] == 1
    assert run(node, 0.1, start=9, hz=312.0) == [[("detuned", "raised", "warning")]]


def test_limits_change_while_it_runs(alarm):
    node = alarm()
    run(node, 0.1)
    Member(node).set_option("rules", {"shaking": LIMITS | {"warning": 0.05}})
    assert run(node, 0.1, start=1) == [[("shaking", "raised", "warning")]]


def test_rules_that_cannot_be_are_refused_while_it_runs_and_change_nothing(alarm):
    node = alarm()
    with pytest.raises(ControlError, match="warning below the alarm"):
        Member(node).set_option("rules", {"shaking": LIMITS | {"warning": 0.9}})
    assert node.options.rules["shaking"].warning == 0.2


def test_learn_takes_the_present_for_normal(alarm, tmp_path):
    node = alarm(rules={"detuned": SHIFT}, baseline=str(tmp_path / "normal.json"), learn_s=5.0)
    run(node, *[0.1] * 9)
    assert node.command("learn", {}) == {"learning": ["detuned/fork"]}
    run(node, *[0.1] * 9, start=9, hz=400.0)
    assert node.status()["rules"][0]["baseline"]["mean"] == 400.0


def test_an_alarm_can_be_acknowledged(alarm):
    node = alarm()
    run(node, 0.3)
    assert node.command("acknowledge", {"rule": "shaking"}) == {"acknowledged": 1}
    assert node.status()["rules"][0]["acknowledged"]


def test_a_region_that_was_taken_away_is_forgotten(alarm):
    node = alarm()
    run(node, 0.3)
    node.command("forget", {"region": "fork"})
    assert told(node.idle()) == [("shaking", "cleared", "warning")]


@pytest.mark.parametrize(
    ("name", "arguments"), [("acknowledge", {}), ("acknowledge", {"rule": "no"}), ("forget", {}), ("sing", {})]
)
def test_a_command_that_cannot_be_is_refused(alarm, name, arguments):
    with pytest.raises(ControlError):
        alarm().command(name, arguments)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rules": {"a": LIMITS | {"warning": 0.9}}}, "rule a: warning 0.9, alarm 0.5"),
        ({"rules": {"a": SHIFT}}, "name a file"),
        ({"rules": {"a": SHIFT}, "baseline": "nowhere/normal.json"}, "no such folder"),
    ],
)
def test_rules_are_checked_before_anything_starts(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        Alarm.check(msgspec.convert(options, AlarmOptions))


def test_a_damaged_baseline_is_told_before_anything_starts(tmp_path):
    (tmp_path / "normal.json").write_text("{")
    options = {"rules": {"a": SHIFT}, "baseline": str(tmp_path / "normal.json")}
    with pytest.raises(OptionError, match=r"normal\.json"):
        Alarm.check(msgspec.convert(options, AlarmOptions))


def test_an_unknown_quantity_is_told_with_its_place_in_the_file(tmp_path):
    nodes = {
        "camera": {"type": "synthetic_camera"},
        "alarm": {"inputs": "camera", "rules": {"a": {"quantity": "colour"}}},
    }
    with pytest.raises(PipelineError, match=r"nodes\.alarm.*colour"):
        parse_pipeline({"nodes": nodes}, folder=tmp_path, name="p")


def test_the_spectrum_of_a_reading_is_watched(alarm):
    node = alarm(rules={"bearing": {"quantity": "band", "band_hz": [900, 1100], "alarm": 0.1}})
    loud = reading(0)
    hertz = np.arange(0, 2000, 10, dtype=np.float32)
    loud.arrays = {"frequencies_hz": hertz, "spectrum": np.where(hertz == 1000, [[0.2], [0.0]], 0).astype(np.float32)}
    assert told(node.process(loud, "in")) == [("bearing", "raised", "alarm")]


def test_a_rule_in_millimetres_asks_measure_for_a_scale():
    def asked(**rule):
        return Alarm.wants(msgspec.convert({"rules": {"shaking": rule}}, Alarm.Options), frozenset())

    assert not asked(quantity="amplitude", alarm=1.0)
    wanted = asked(quantity="velocity", alarm=7.1)
    with pytest.raises(OptionError, match=r"needs a scale, which measure has not"):
        Measure.wants(Measure.Options(), wanted)
    scaled = msgspec.convert({"scale": {"um_per_px": 50.0}}, Measure.Options)
    assert Measure.wants(scaled, wanted) == frozenset()
