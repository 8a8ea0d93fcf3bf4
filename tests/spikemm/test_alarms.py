import json
import math

import numpy as np
import pytest

from spikemm.alarm import Figure, Moment, Monitor, Rule, figure_of, load_baselines, save_baselines
from spikemm.exceptions import OptionError
from spikemm.vibration.spectrum import analyse

FLOOR = 0.003


def axis(*peaks, floor=FLOOR, density=0.0003):
    listed = [{"hz": hz, "px": px, "snr_db": 20.0, "phase_deg": 0.0} for hz, px in peaks]
    return {"peaks": listed, "noise_floor_px": floor, "noise_density_px_per_sqrt_hz": density}


def values(*peaks, y=(), **more):
    whole = {"x": axis(*peaks), "y": axis(*y), "seconds": 0.5, "fps": 1000, "um_per_px": None}
    return whole | {"velocity_rms_mm_s": None} | more


class Rig:
    """A monitor with time of its own."""

    def __init__(self, *rules, **options):
        self.monitor = Monitor(rules, **options)
        self.seconds = 0.0

    @property
    def at(self):
        return Moment(self.seconds, self.seconds, self.seconds)

    def read(self, *peaks, after=1.0, region="fork", arrays=None, **more):
        """Changes that a reading brings, as (state, severity)."""
        self.seconds += after
        changes = self.monitor.push(region, values(*peaks, **more), arrays or {}, self.at)
        return [(change.state, change.severity) for change in changes]

    def amplitudes(self, *pixels, **more):
        return [self.read((310.0, px), **more) for px in pixels]

    def state(self, rule, region="fork"):
        return next(r for r in self.monitor.status() if (r["rule"], r["region"]) == (rule, region))


def amplitude(**more):
    return Rule(**{"name": "shaking", "quantity": "amplitude", "warning": 0.2, "alarm": 0.5} | more)


WARNED, ALARMED, CLEARED = [("raised", "warning")], [("raised", "alarm")], [("cleared", "warning")]


def test_an_alarm_is_raised_at_its_limit_and_told_once():
    assert Rig(amplitude()).amplitudes(0.1, 0.199, 0.2, 0.3, 0.5, 0.7) == [[], [], WARNED, [], ALARMED, []]


def test_an_alarm_that_falls_is_raised_as_a_warning_then_cleared():
    rig = Rig(amplitude())
    assert rig.amplitudes(0.6, 0.3, 0.1) == [ALARMED, WARNED, CLEARED]
    assert rig.amplitudes(0.6, 0.1) == [ALARMED, [("cleared", "alarm")]]


@pytest.mark.parametrize(("hysteresis", "held", "release"), [("10%", 0.181, 0.179), (0.05, 0.151, 0.149)])
def test_it_clears_only_below_its_hysteresis(hysteresis, held, release):
    rig = Rig(amplitude(hysteresis=hysteresis))
    assert rig.amplitudes(0.2, held, release) == [WARNED, [], CLEARED]


def test_it_must_persist_before_it_is_raised_and_be_gone_before_it_clears():
    rig = Rig(amplitude(hold_s=3, off_s=2))
    assert rig.amplitudes(0.3, 0.3, 0.1, 0.3, 0.3, 0.3, 0.3) == [[], [], [], [], [], [], WARNED]
    assert rig.amplitudes(0.1, 0.1, 0.3, 0.1, 0.1, 0.1) == [[], [], [], [], [], CLEARED]


def test_a_jump_of_the_time_line_begins_the_hold_anew():
    rig = Rig(amplitude(hold_s=2))
    rig.amplitudes(0.3, 0.3)
    rig.monitor.restart()
    assert rig.amplitudes(0.3, 0.3, 0.3) == [[], [], WARNED]


def test_nothing_is_raised_by_a_figure_below_its_noise_floor():
    rule = amplitude(warning=0.0025, alarm=0.01)
    rig = Rig(rule)
    assert rig.amplitudes(0.002) == [[]]
    assert rig.state("shaking")["value"] == 0
    assert rig.state("shaking")["floor"] == FLOOR
    assert rig.amplitudes(0.004, 0.02) == [WARNED, ALARMED]
    assert rig.read() == WARNED  # it is below the alarm's limit, and may be above the warning's


@pytest.mark.parametrize(
    ("more", "value"), [({"axis": "x"}, 0.1), ({"axis": "y"}, 0.4), ({}, 0.4), ({"band_hz": (50, 90)}, 0.05)]
)
def test_the_amplitude_is_that_of_the_strongest_peak_of_the_axis_and_band(more, value):
    reading = values((310, 0.1), (60, 0.05), y=[(310, 0.4)])
    assert figure_of(amplitude(**more), reading, {}).value == value


def test_with_a_scale_the_amplitude_is_in_micrometres():
    figure = figure_of(amplitude(unit="um"), values((310, 0.1), um_per_px=50.0), {})
    assert figure[:2] == pytest.approx((5.0, FLOOR * 50))


def test_a_rule_that_cannot_be_answered_warns():
    rig = Rig(Rule(name="hot", quantity="velocity", alarm=7.1, hold_s=1))
    assert [rig.read((310, 0.3)) for _ in range(2)] == [[], WARNED]
    assert "needs a scale" in rig.state("hot")["missing"]
    assert rig.read((310, 0.3), um_per_px=100.0, velocity_rms_mm_s=1.0, velocity_floor_mm_s=0.1) == CLEARED


def test_the_velocity_and_its_floor_are_the_readings():
    rule = Rule(name="hot", quantity="velocity", alarm=7.1)
    reading = values(um_per_px=100.0, velocity_rms_mm_s=9.0, velocity_floor_mm_s=0.2)
    assert figure_of(rule, reading, {}) == (9.0, 0.2, "")


def in_band(samples, low, high):
    """Figure of a band rule on the spectrum that a record of 1000 samples a second has."""
    found = analyse(samples, 1000.0)
    together = -(-found.x.spectrum.size // 1024)  # as readings are packed: the largest of several bins
    whole = found.x.spectrum.size // together * together
    both = np.stack((found.x.spectrum, found.y.spectrum))[:, :whole].reshape(2, -1, together).max(-1)
    hertz = found.x.frequencies_hz[:whole].reshape(-1, together).mean(-1)
    axes = {name: axis(density=getattr(found, name).noise_density_px_per_sqrt_hz) for name in "xy"}
    rule = Rule(name="bearing", quantity="band", band_hz=(low, high), warning=0.2)
    reading = values() | axes | {"seconds": len(samples) / 1000}
    return figure_of(rule, reading, {"spectrum": both, "frequencies_hz": hertz})


@pytest.mark.parametrize(("count", "within"), [(1000, 0.03), (2000, 0.03), (8000, 0.25)])
def test_what_vibrates_in_a_band_is_its_rms(count, within):
    generator, seconds = np.random.default_rng(3), np.arange(count) / 1000
    lines = 0.3 * np.sin(2 * np.pi * 100.3 * seconds) + 0.4 * np.sin(2 * np.pi * 141.7 * seconds)
    record = np.stack((lines + 2.0 * np.sin(2 * np.pi * 310 * seconds), 0 * lines), 1)
    figure = in_band(record + generator.normal(0, 0.01, record.shape), 90, 160)
    assert figure.value == pytest.approx(0.5 / math.sqrt(2), rel=within)


def test_a_band_with_nothing_but_noise_is_below_its_floor():
    generator = np.random.default_rng(4)
    for _ in range(10):
        figure = in_band(generator.normal(0, 0.01, (1000, 2)), 90, 160)
        assert figure.value < figure.floor < 0.01


def test_a_band_above_the_spectrum_has_no_answer():
    arrays = {"spectrum": np.zeros((2, 3), np.float32), "frequencies_hz": np.float32([0, 1, 2])}
    assert figure_of(Rule(name="b", quantity="band", band_hz=(5, 9), alarm=1), values(), arrays).value is None


def shift(**more):
    return Rule(**{"name": "detuned", "quantity": "frequency_shift", "warning": 1.0, "alarm": 5.0} | more)


def learned(*rules, hz=310.0, seconds=10):
    rig = Rig(*rules, learn_s=seconds)
    for _ in range(seconds + 1):
        rig.read((hz, 0.1))
    return rig


@pytest.mark.parametrize("change", [-1, 1])
def test_a_frequency_that_leaves_its_baseline_up_or_down_is_told(change):
    rig = learned(shift())
    assert rig.read((310 + 0.9 * change, 0.1)) == []
    assert rig.read((310 + 1.1 * change, 0.1)) == WARNED
    assert rig.read((310 + 5.1 * change, 0.1)) == ALARMED
    assert rig.state("detuned")["value"] == pytest.approx(5.1)


def test_a_shift_in_per_cent_is_of_the_baseline():
    rig = learned(shift(unit="%", warning=1, alarm=2), hz=200.0)
    assert rig.read((201.9, 0.1)) == []
    assert rig.read((202.1, 0.1)) == WARNED


def test_a_shift_within_the_uncertainty_of_a_weak_peaks_frequency_is_not_told():
    rig = learned(shift(warning=0.6))
    uncertain_hz = math.sqrt(3) / math.pi * FLOOR / 0.0031 / 0.5
    assert uncertain_hz > 1
    assert rig.read((311.0, 0.0031)) == []
    assert rig.read((311.0, 0.1)) == WARNED


def test_a_machine_that_stands_still_is_no_frequency_that_is_well():
    rig = learned(shift(hold_s=2))
    assert [rig.read() for _ in range(3)] == [[], [], WARNED]
    assert rig.state("detuned")["value"] is None
    assert rig.read((310.0, 0.1)) == CLEARED


def test_learning_is_not_put_off_by_outliers_and_raises_nothing():
    rig = Rig(amplitude(against="spread", warning=4, alarm=None, hysteresis="0%"), learn_s=100)
    generator = np.random.default_rng(5)
    pixels = generator.normal(0.1, 0.01, 101)
    pixels[::10] = 3.0
    assert rig.amplitudes(*pixels) == [[]] * 101
    known = rig.state("shaking")["baseline"]
    assert known["mean"] == pytest.approx(0.1, abs=0.004)
    assert known["spread"] == pytest.approx(0.01, rel=0.4)
    limit = known["mean"] + 4 * known["spread"]
    assert rig.amplitudes(limit - 1e-6, limit + 1e-6) == [[], WARNED]


def test_the_spread_is_never_below_the_error_of_a_reading():
    rig = learned(amplitude(against="spread", warning=3, alarm=None))
    assert rig.state("shaking")["baseline"]["spread"] == pytest.approx(FLOOR / 3)


def test_limits_in_per_cent_are_above_the_baselines_mean():
    rig = learned(amplitude(against="percent", warning=50, alarm=100, hysteresis="0%"))
    assert rig.amplitudes(0.149, 0.151, 0.201) == [[], WARNED, ALARMED]


def test_a_long_time_of_learning_takes_bounded_memory():
    rig = Rig(amplitude(against="percent", warning=50, alarm=None), learn_s=9000)
    rig.amplitudes(*np.linspace(0.1, 0.3, 9001))
    assert rig.state("shaking")["baseline"]["mean"] == pytest.approx(0.2, rel=1e-3)


def test_what_was_learned_outlives_a_restart(tmp_path):
    rule, path = amplitude(against="percent", warning=50, alarm=None), tmp_path / "normal.json"
    save_baselines(path, learned(rule).monitor.baselines)
    again = Rig(rule, baselines=load_baselines(path))
    assert again.amplitudes(0.16) == [WARNED]


def test_a_baseline_of_another_quantity_is_not_used():
    baselines = learned(amplitude(against="percent", warning=50, alarm=None)).monitor.baselines
    rig = Rig(amplitude(against="percent", warning=50, alarm=None, band_hz=(300, 320)), baselines=baselines)
    rig.amplitudes(0.4)
    assert rig.state("shaking")["state"] == "learning"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "other", "baselines": []}', '{"format": "spikemm-baselines-1"}']
)
def test_a_damaged_file_of_baselines_is_an_error_and_never_an_empty_one(tmp_path, text):
    path = tmp_path / "normal.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"normal\.json: cannot be used"):
        load_baselines(path)


def test_a_baseline_that_is_no_number_is_an_error(tmp_path):
    path = tmp_path / "normal.json"
    save_baselines(path, learned(shift()).monitor.baselines)
    document = json.loads(path.read_text())
    document["baselines"][0]["mean"] = "310"
    path.write_text(json.dumps(document))
    with pytest.raises(OptionError, match="no baseline"):
        load_baselines(path)


def test_learning_anew_clears_the_alarm_and_takes_the_present_for_normal():
    rig = learned(amplitude(against="percent", warning=50, alarm=None), seconds=8)
    rig.amplitudes(0.4)
    assert rig.monitor.learn(rig.at, "shaking") == ["shaking/fork"]
    assert rig.amplitudes(*[0.4] * 9) == [CLEARED, *[[]] * 8]
    assert rig.amplitudes(0.5, 0.61) == [[], WARNED]


def test_a_rule_for_all_regions_watches_each_by_itself():
    rig = Rig(amplitude())
    assert [rig.amplitudes(0.3, region=name) for name in "ab"] == [[WARNED], [WARNED]]
    assert rig.amplitudes(0.1, region="a") == [CLEARED]
    assert [rig.state("shaking", name)["state"] for name in "ab"] == ["ok", "warning"]


def test_a_rule_for_one_region_leaves_the_others_alone():
    rig = Rig(amplitude(region="a"))
    assert rig.amplitudes(0.9, region="b") == [[]]


def lost(**more):
    return Rule(**{"name": "blind", "quantity": "signal_lost", "warning": 2.0, "alarm": 5.0} | more)


def test_a_region_that_falls_silent_is_told_while_others_go_on():
    rig = Rig(lost())
    rig.read(region="b")
    assert [rig.read(region="a") for _ in range(5)] == [[], WARNED, [], [], ALARMED]
    assert rig.read(region="b") == [("cleared", "alarm")]


def test_a_stream_that_never_begins_is_told():
    rig = Rig(lost(warning=None))
    assert rig.monitor.tick(rig.at) == []
    rig.seconds = 5.0
    (change,) = rig.monitor.tick(rig.at)
    assert (change.region, change.severity, change.value) == ("*", "alarm", 5.0)
    assert "no reading for 5 s" in change.text
    assert rig.read() == [("cleared", "alarm")]


def test_a_region_that_was_taken_away_is_no_longer_missed():
    rig = Rig(lost())
    rig.read(region="a")
    rig.read(after=3, region="b")
    rig.monitor.forget("a", rig.at)
    assert rig.read(region="b") == CLEARED
    assert [rig.read(region="b") for _ in range(4)] == [[]] * 4


def test_an_acknowledged_alarm_stays_raised_until_the_next():
    rig = Rig(amplitude())
    rig.amplitudes(0.3)
    assert rig.monitor.acknowledge("shaking") == 1
    assert rig.state("shaking")["acknowledged"]
    assert rig.state("shaking")["state"] == "warning"
    rig.amplitudes(0.6)
    assert not rig.state("shaking")["acknowledged"]


def test_there_is_nothing_to_acknowledge_while_all_is_well():
    rig = Rig(amplitude())
    rig.amplitudes(0.1)
    with pytest.raises(OptionError, match="raised no alarm"):
        rig.monitor.acknowledge("shaking")


def test_other_limits_take_effect_at_once_and_keep_the_state():
    rig = Rig(amplitude())
    rig.amplitudes(0.3)
    rig.monitor.retune([amplitude(warning=0.4)], rig.at)
    assert rig.amplitudes(0.3, 0.39) == [CLEARED, []]


def test_a_rule_that_is_taken_away_clears_its_alarm():
    rig = Rig(amplitude())
    rig.amplitudes(0.3)
    rig.monitor.retune([lost()], rig.at)
    assert rig.read() == CLEARED


def test_after_a_restart_the_first_verdict_is_told_even_if_all_is_well():
    rig = Rig(amplitude(), announce=True)
    assert rig.amplitudes(0.1, 0.1, 0.3) == [CLEARED, [], WARNED]


def test_memory_is_bounded_however_many_regions_come():
    rig = Rig(amplitude(), lost())
    for number in range(100):
        rig.read(after=0, region=f"r{number}")
    assert rig.monitor.ignored == 36
    assert len(rig.monitor.status()) == 2 * 64 + 1


def test_the_text_of_a_change_is_one_line_for_people():
    monitor = Monitor([amplitude()])
    (change,) = monitor.push("fork", values((310, 0.6)), {}, Moment(0, 0, 0))
    assert change.text == "fork: shaking alarm, amplitude 0.6 px, limit 0.5 px"
    assert (change.value, change.limit, change.unit) == (0.6, 0.5, "px")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"quantity": "loudness"}, "loudness"),
        ({"warning": 0.5, "alarm": 0.2}, "warning below the alarm"),
        ({"warning": None, "alarm": None}, "one or both"),
        ({"warning": math.nan}, "above 0"),
        ({"unit": "mm/s"}, "does not fit amplitude"),
        ({"hysteresis": "lots"}, "hysteresis 'lots'"),
        ({"hysteresis": 0.3}, "less than the limit"),
        ({"hold_s": -1.0}, "hold_s -1"),
        ({"band_hz": (9.0, 5.0)}, "band_hz"),
        ({"quantity": "band"}, "needs band_hz"),
        ({"quantity": "velocity", "band_hz": (1.0, 2.0)}, "leave it out"),
        ({"quantity": "frequency_shift", "against": "percent"}, "leave it out"),
        ({"axis": "z"}, "axis 'z'"),
        ({"against": "luck"}, "luck"),
        ({"name": "a/b"}, "a/b"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_value(more, told):
    with pytest.raises(OptionError, match=told):
        amplitude(**more)


def test_a_figure_knows_its_standard_error():
    assert Figure(1.0, 0.03).error == pytest.approx(0.01)
