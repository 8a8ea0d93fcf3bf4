import numpy as np
import pytest

from spikemm.exceptions import OptionError
from spikemm.vibration.severity import Machine, Velocity, severity_of, velocity_rms, zone_of

FPS, UM = 2500.0, 100.0
T = np.arange(2500) / FPS
BAND = (10.0, 1000.0)


def velocity(px, band_hz=BAND, kept=np.ones_like):
    return velocity_rms(px, FPS, UM, kept=kept, band_hz=band_hz)


def sine(hz, mm_s):
    """Displacement in px whose velocity has this root mean square."""
    return mm_s * np.sqrt(2) / (2 * np.pi * hz * UM * 1e-3) * np.sin(2 * np.pi * hz * T + 0.4)


@pytest.mark.parametrize(
    ("group", "support", "limits"),
    [
        (1, "rigid", (2.3, 4.5, 7.1)),
        (1, "flexible", (3.5, 7.1, 11.0)),
        (2, "rigid", (1.4, 2.8, 4.5)),
        (2, "flexible", (2.3, 4.5, 7.1)),
    ],
)
def test_the_zones_are_those_of_the_standard(group, support, limits):
    machine = Machine(group, support)
    below = [zone_of(limit * 0.999, machine) for limit in limits]
    above = [zone_of(limit * 1.001, machine) for limit in limits]
    assert below == ["A", "B", "C"]
    assert above == ["B", "C", "D"]


def test_slow_machines_count_from_2_hz_on():
    assert Machine(1, "rigid").band_hz == (10.0, 1000.0)
    assert Machine(1, "rigid", 600.0).band_hz == (10.0, 1000.0)
    assert Machine(1, "rigid", 599.0).band_hz == (2.0, 1000.0)


@pytest.mark.parametrize(("group", "support", "rpm"), [(3, "rigid", None), (1, "soft", None), (1, "rigid", 0.0)])
def test_a_machine_that_the_standard_does_not_know_is_refused(group, support, rpm):
    with pytest.raises(OptionError):
        Machine(group, support, rpm)


def test_the_velocity_of_several_tones_adds_up_by_power():
    found = velocity(sine(25.0, 3.0) + sine(311.3, 4.0))
    assert found.mm_s == pytest.approx(5.0, rel=2e-3)


def test_what_lies_outside_the_band_does_not_count():
    assert velocity(sine(5.0, 50.0) + sine(100.0, 1.0)).mm_s == pytest.approx(1.0, rel=0.02)
    assert velocity(sine(1100.0, 9.0) + sine(100.0, 1.0)).mm_s == pytest.approx(1.0, rel=0.02)


def test_drift_is_never_integrated():
    assert velocity(sine(100.0, 1.0) + 20.0 * T + 5.0).mm_s == pytest.approx(1.0, rel=1e-3)


def test_the_noise_is_taken_off():
    noise = 0.01 * np.random.default_rng(0).standard_normal(T.size)
    found = velocity(sine(100.0, 2.0) + noise)
    alone = velocity(noise)
    assert found.mm_s == pytest.approx(2.0, rel=0.1)
    assert alone.mm_s < 1.5 * alone.floor_mm_s
    # White noise of σ px has a power of 2σ²/fps a Hz, so its velocity has (2π)²·2σ²/(3·fps)·(f₂³ − f₁³).
    whole = 2 * np.pi * 0.01 * UM * 1e-3 * np.sqrt(2 / (3 * FPS) * (BAND[1] ** 3 - BAND[0] ** 3))
    assert 0.1 * whole < alone.floor_mm_s < 0.6 * whole


def test_noise_alone_seldom_shows_a_velocity():
    random = np.random.default_rng(1)
    shown = [velocity(0.01 * random.standard_normal(T.size)).mm_s > 0 for _ in range(100)]
    assert sum(shown) <= 6


def test_what_the_frames_keep_is_divided_out():
    found = velocity(0.5 * sine(200.0, 3.0), kept=lambda hz: np.full_like(hz, 0.5))
    assert found.mm_s == pytest.approx(3.0, rel=2e-3)


def test_the_band_ends_where_the_frames_keep_too_little():
    found = velocity(sine(100.0, 2.0) + sine(700.0, 5.0), kept=lambda hz: np.where(hz < 500.0, 1.0, 0.1))
    assert found.mm_s == pytest.approx(2.0, rel=1e-2)
    assert found.band_hz == (10.0, pytest.approx(500.0, abs=2.0))


def test_a_record_too_short_for_the_band_is_refused_with_the_remedy():
    with pytest.raises(OptionError, match=r"take 1\.5 s or more"):
        velocity_rms(sine(100.0, 1.0), FPS, UM, kept=np.ones_like, band_hz=(2.0, 1000.0))


MACHINE = Machine(2, "rigid")


@pytest.mark.parametrize(
    ("machine", "scaled", "housing", "told"),
    [
        (None, True, True, "no machine"),
        (MACHINE, False, True, "no scale"),
        (MACHINE, True, False, "not marked as a point of the housing"),
    ],
)
def test_without_machine_scale_or_housing_point_there_is_no_zone_and_the_text_says_why(machine, scaled, housing, told):
    zone, text = severity_of([Velocity(3.0, 0.1, BAND)], machine, scaled=scaled, housing=housing)
    assert zone is None
    assert told in text


def severity(*velocities):
    return severity_of(list(velocities), MACHINE, scaled=True, housing=True)


def test_the_larger_direction_decides():
    zone, text = severity(Velocity(1.0, 0.1, BAND), Velocity(3.0, 0.1, BAND))
    assert zone == "C"
    assert "3 mm/s over 10 to 1000 Hz" in text


def test_a_direction_that_shows_nothing_hides_no_worse_zone_of_the_other():
    assert severity(Velocity(0.0, 9.0, BAND), Velocity(5.0, 0.1, BAND)).zone == "D"
    assert severity(Velocity(0.0, 9.0, BAND), Velocity(3.0, 0.1, BAND)).zone is None


def test_a_band_that_the_frames_cut_short_is_told():
    assert "not up to 1000 Hz" in severity(Velocity(3.0, 0.1, (10.0, 480.0))).text


def test_below_the_floor_the_zone_is_a_if_the_floor_is():
    assert severity(Velocity(0.0, 1.0, BAND)).zone == "A"
    zone, text = severity(Velocity(0.0, 2.0, BAND))
    assert zone is None
    assert "floor of 2 mm/s" in text
