import math

import numpy as np
import pytest

from spikemm.alarm import Baseline, Moment, Monitor, Rule, figure_of, save_baselines

SHAKING = Rule(name="shaking", quantity="amplitude", alarm=0.2)


def axis(px=None, floor=0.01):
    peaks = [] if px is None else [{"hz": 50.0, "px": px}]
    return {"peaks": peaks, "noise_floor_px": floor, "noise_density_px_per_sqrt_hz": floor / 10}


SEEN, BLIND = axis(), axis(floor=math.inf)


def reading(x, y, **more):
    return {"x": x, "y": y, "seconds": 1.0, "um_per_px": None, "velocity_rms_mm_s": None, **more}


def pushed(monitor, readings):
    changes = []
    for second, values in enumerate(readings):
        changes += monitor.push("fork", values, {}, Moment(*[float(second)] * 3))
    return changes


@pytest.mark.parametrize("nothing", [math.inf, math.nan])
def test_a_region_without_contrast_is_unknown_and_warns(nothing):
    hidden = axis(floor=nothing)
    (change,) = pushed(Monitor([SHAKING]), [reading(SEEN, SEEN), reading(hidden, hidden)])
    assert (change.state, change.severity) == ("raised", "warning")
    assert "no contrast" in change.text


def told(rule, *readings, **known):
    return [
        (change.state, change.severity, change.value, change.text)
        for change in pushed(Monitor([rule], **known), readings)
    ]


def test_an_alarm_stands_in_the_dark_and_is_told_to_be_out_of_sight_and_in_sight_again():
    shaking, dark = reading(axis(0.4), SEEN), reading(BLIND, BLIND)
    changes = told(SHAKING, shaking, dark, dark, shaking, shaking, reading(SEEN, SEEN))
    assert [change[:3] for change in changes] == [
        ("raised", "alarm", 0.4),
        ("raised", "alarm", None),
        ("raised", "alarm", 0.4),
        ("cleared", "alarm", 0.0),
    ]
    assert "stands but can no longer be seen: nothing to measure by" in changes[1][3]
    assert "seen again, amplitude 0.4 px, limit 0.2 px" in changes[2][3]


def test_it_is_told_when_what_the_dark_hid_is_a_warning():
    rule = Rule(name="shaking", quantity="amplitude", warning=0.2)
    changes = told(rule, reading(BLIND, BLIND), reading(axis(0.4), SEEN))
    assert [change[:3] for change in changes] == [("raised", "warning", None), ("raised", "warning", 0.4)]


def test_an_alarm_that_ends_in_the_dark_clears_when_it_is_seen():
    (_, _, cleared) = told(SHAKING, reading(axis(0.4), SEEN), reading(BLIND, BLIND), reading(SEEN, SEEN))
    assert cleared[:3] == ("cleared", "alarm", 0.0)


@pytest.mark.parametrize("floor", [0.19, 0.39])
def test_a_noise_floor_about_the_limit_or_below_is_no_blindness(floor):
    assert told(SHAKING, reading(axis(floor=floor), BLIND)) == []


def test_a_noise_floor_far_above_the_limit_clears_nothing_and_is_told():
    noisy = reading(axis(floor=0.5), axis(floor=0.9))
    ((_, severity, value, text),) = told(SHAKING, noisy, noisy)
    assert (severity, value) == ("warning", None)
    assert "noise floor of 0.5 px is above the limit of 0.2" in text
    assert [change[:2] for change in told(SHAKING, reading(axis(0.4), SEEN), noisy)] == [("raised", "alarm")] * 2


def test_a_floor_above_the_limit_ends_no_alarm_but_one_whose_limit_was_learned_from_noise():
    calm = [reading(axis(floor=0.3), BLIND)] * 3
    changes = told(SHAKING, reading(axis(0.4), SEEN), *calm, reading(SEEN, SEEN))
    assert [change[:3] for change in changes] == [
        ("raised", "alarm", 0.4),
        ("raised", "alarm", None),
        ("cleared", "alarm", 0.0),
    ]
    learned = Rule(name="shaking", quantity="amplitude", against="spread", alarm=2.0)
    known = Baseline(mean=0.0, spread=0.1, values=9, learned_at=0.0, of=learned.fingerprint)
    changes = told(learned, reading(axis(0.4), SEEN), *calm, baselines={("shaking", "fork"): known})
    assert [change[0] for change in changes] == ["raised", "cleared"]


IN_AND_OUT = [reading(SEEN, SEEN), reading(BLIND, BLIND)] * 300


def test_a_region_that_goes_in_and_out_of_sight_is_told_a_few_times_not_at_every_reading():
    assert len(told(SHAKING, *IN_AND_OUT)) <= 4
    shaking = reading(axis(0.4), SEEN)
    assert len(told(SHAKING, *[shaking, reading(BLIND, BLIND)] * 300)) <= 5
    assert told(SHAKING, *IN_AND_OUT, *[reading(SEEN, SEEN)] * 62)[-1][:2] == ("cleared", "warning")


@pytest.mark.parametrize("severity", ["warning", "alarm"])
def test_what_gets_worse_while_in_and_out_of_sight_is_told_at_once(severity):
    rule = Rule(name="shaking", quantity="amplitude", **{severity: 0.2})
    *_, change = told(rule, *IN_AND_OUT, reading(axis(0.4), SEEN))
    assert change[:3] == ("raised", severity, 0.4)
    assert "in and out of sight, amplitude 0.4 px" in change[3]


def test_what_nobody_has_seen_has_not_been_calm():
    rule = Rule(name="shaking", quantity="amplitude", alarm=0.2, off_s=5.0)
    dark = [reading(BLIND, BLIND)] * 10
    changes = told(rule, reading(axis(0.4), SEEN), reading(SEEN, SEEN), *dark, reading(SEEN, SEEN))
    assert [change[:2] for change in changes] == [("raised", "alarm"), ("raised", "alarm")]


def test_nothing_to_learn_from_is_told():
    rule = Rule(name="more", quantity="amplitude", against="spread", alarm=3.0)
    changes = told(rule, reading(BLIND, BLIND), reading(BLIND, BLIND), reading(SEEN, SEEN), announce=True)
    assert [change[:2] for change in changes] == [("raised", "warning"), ("cleared", "warning")]
    assert told(rule, reading(SEEN, SEEN), announce=True) == []


def test_an_axis_without_contrast_hides_not_what_the_other_shows():
    assert figure_of(SHAKING, reading(SEEN, BLIND), {})[:2] == (0.0, 0.01)
    assert figure_of(SHAKING, reading(BLIND, axis(0.4)), {}).value == 0.4


def test_a_blind_velocity_is_no_small_velocity():
    rule = Rule(name="hot", quantity="velocity", alarm=7.1)
    values = reading(BLIND, BLIND, um_per_px=50.0, velocity_rms_mm_s=0.0, velocity_floor_mm_s=0.0)
    assert figure_of(rule, values, {}).value is None


def test_nothing_is_learned_while_nothing_is_seen():
    monitor = Monitor([Rule(name="more", quantity="amplitude", against="spread", alarm=3.0)], learn_s=5.0)
    pushed(monitor, [reading(BLIND, BLIND)] * 20)
    assert monitor.baselines == {}
    pushed(monitor, [reading(SEEN, BLIND)] * 20)
    assert math.isfinite(monitor.baselines["more", "fork"].spread)


def test_a_baseline_that_is_no_number_is_never_saved(tmp_path):
    bad = Baseline(mean=1.0, spread=math.inf, values=9, learned_at=0.0, of="amplitude px larger")
    with pytest.raises(ValueError, match="JSON"):
        save_baselines(tmp_path / "normal.json", {("more", "fork"): bad})
    assert not (tmp_path / "normal.json").exists()


def test_a_band_narrower_than_a_bin_is_told():
    rule = Rule(name="tone", quantity="band", band_hz=(49.2, 49.8), alarm=0.1)
    arrays = {"frequencies_hz": np.arange(500.0), "spectrum": np.full((2, 500), 0.5)}
    figure = figure_of(rule, reading(SEEN, SEEN), arrays)
    assert figure.value is None
    assert "narrower than a bin of 1 Hz" in figure.missing
