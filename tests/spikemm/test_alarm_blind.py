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


def test_darkness_clears_no_alarm():
    monitor = Monitor([SHAKING])
    (raised,) = pushed(monitor, [reading(axis(0.4), SEEN), reading(BLIND, BLIND), reading(BLIND, BLIND)])
    assert raised.severity == "alarm"
    assert monitor.status()[0]["state"] == "alarm"


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
