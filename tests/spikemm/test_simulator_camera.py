"""The camera: integrate and fire, with the faults and disturbances that are asked for and no others."""

import math

import numpy as np
import pytest

from spikemm.exceptions import OptionError
from spikemm.simulator import Disturbances, Sensor, Simulator, make_scene

RATE = 20_000.0
IDEAL = Sensor(fixed_pattern=0.0, dark_current=0.0)
COMPUTED = Disturbances(flicker=1e-9)  # makes the light be computed at every step instead of looked up


def small(name="still", **options):
    return make_scene(name, height=33, width=47, **options)


def spikes(simulator, steps):
    bits = np.unpackbits(simulator.steps(steps), axis=1, bitorder="little")
    size = (simulator.scene.height, simulator.scene.width)
    assert not bits[:, math.prod(size) :].any()
    return bits[:, : math.prod(size)].reshape(steps, *size)


def both_ways(test):
    return pytest.mark.parametrize("room", [Disturbances(), COMPUTED], ids=["looked-up", "computed"])(test)


@both_ways
def test_rate_of_every_pixel_is_its_light(room):
    scene = small()
    rate = spikes(Simulator(scene, IDEAL, room), 8000).mean(axis=0)
    np.testing.assert_allclose(rate, scene.frame(), atol=1.1 / 8000, rtol=1e-4)


@both_ways
def test_rate_is_right_even_at_a_hundredth_of_the_light(room):
    scene = small()
    sensor = Sensor(light=0.01, fixed_pattern=0.0, dark_current=0.0)
    total = spikes(Simulator(scene, sensor, room), 40_000).sum(axis=0, dtype=float)
    np.testing.assert_allclose(total, 400.0 * scene.frame(), atol=1.1)


@both_ways
def test_intervals_under_still_light_differ_by_one_step_at_most(room):
    fired = spikes(Simulator(small(), Sensor(), room), 1500).reshape(1500, -1)
    for pixel in fired.T:
        intervals = np.diff(np.flatnonzero(pixel))
        assert np.ptp(intervals) <= 1


@both_ways
def test_pixels_start_at_random_phases(room):
    scene = small()
    share = spikes(Simulator(scene, IDEAL, room), 40).mean(axis=(1, 2))
    assert np.ptp(share) < 0.12
    assert share[0] == pytest.approx(float(scene.frame().mean()), abs=0.05)


@both_ways
def test_saturated_pixel_fires_at_every_step(room):
    sensor = Sensor(light=50.0, fixed_pattern=0.0)
    fired = spikes(Simulator(small(), sensor, room), 3000)
    assert fired[:, small().frame() > 0.02].all()


@both_ways
def test_dark_current_alone_makes_the_dark_fire(room):
    sensor = Sensor(light=0.0, dark_current=0.02, dark_spread=0.0)
    rate = spikes(Simulator(small(), sensor, room), 5000).mean(axis=0)
    np.testing.assert_allclose(rate, 0.02, atol=1 / 4000)


def test_dark_current_spreads_between_pixels_as_stated():
    sensor = Sensor(light=0.0, dark_current=0.1, dark_spread=0.2)
    rate = spikes(Simulator(small(), sensor), 4000).mean(axis=0)
    assert rate.mean() == pytest.approx(0.1, rel=0.03)
    assert rate.std() == pytest.approx(0.02, rel=0.1)


def test_fixed_pattern_has_the_stated_spread_and_stays():
    scene = small()
    simulator = Simulator(scene, Sensor(fixed_pattern=0.08, dark_current=0.0))
    early, late = (spikes(simulator, 6000).mean(axis=0) / scene.frame() for _ in range(2))
    assert early.std() == pytest.approx(0.08, rel=0.1)
    np.testing.assert_allclose(early, late, atol=0.01)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_same_seed_gives_the_same_spikes_however_they_are_asked_for(noise):
    room = Disturbances(shadow_depth=0.3, air_px=0.5) if noise else None
    scene, sensor = small("tuning-fork"), Sensor(temporal_noise=noise)
    whole = Simulator(scene, sensor, room, seed=7).steps(230)
    pieces = Simulator(scene, sensor, room, seed=7)
    np.testing.assert_array_equal(np.concatenate([pieces.steps(n) for n in (1, 99, 7, 123)]), whole)
    assert pieces.step == 230
    assert (Simulator(scene, sensor, room, seed=8).steps(230) != whole).any()


def test_temporal_noise_is_as_large_as_stated():
    scene, noise, window = small(), 0.3, 100
    fired = spikes(Simulator(scene, Sensor(fixed_pattern=0.0, dark_current=0.0, temporal_noise=noise)), 60 * window)
    counts = fired.reshape(60, window, *fired.shape[1:]).sum(axis=1, dtype=float)
    # Variance of a window's charge, plus 1/6 of the quantisation at its two ends.
    expected = window * noise**2 * scene.frame() + 1 / 6
    assert (counts.var(axis=0, ddof=1) / expected).mean() == pytest.approx(1.0, abs=0.06)
    np.testing.assert_allclose(fired.mean(axis=0), scene.frame(), atol=0.025)


def test_temporal_noise_does_not_repeat_from_pixel_to_pixel_or_step_to_step():
    sensor = Sensor(light=0.5, temporal_noise=0.5)
    noisy = spikes(Simulator(small(), sensor), 4000).reshape(40, 100, -1).sum(axis=1, dtype=float)
    noisy -= noisy.mean(axis=0)
    correlation = np.corrcoef(noisy.T)
    beside = np.diagonal(correlation, 1)
    assert abs(beside.mean()) < 0.02
    assert abs((noisy[1:] * noisy[:-1]).mean() / noisy.var()) < 0.1


@both_ways
def test_motion_in_the_spikes_is_the_motion_of_the_scene(room):
    scene = make_scene("tuning-fork", height=32, width=50, frequency_hz=313.7, amplitude_px=0.5)
    angle = 2.0 * np.pi * (np.arange(32) + 0.5) / 32
    swing = np.mean([2.0 * np.sin(a) * scene.frame(np.sin(a)) for a in angle], axis=0)
    wave = 2.0 * np.sin(2.0 * np.pi * 313.7 / RATE * (np.arange(8_000) + 0.5))
    seen = np.tensordot(wave, spikes(Simulator(scene, IDEAL, room), 8_000), axes=1) / 8_000
    assert (swing * seen).sum() / (swing**2).sum() == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(seen, swing, atol=0.01)


def test_flicker_changes_the_light_by_the_stated_fraction_at_the_stated_frequency():
    scene, room = small(), Disturbances(flicker=0.2, flicker_hz=50.0)
    level = spikes(Simulator(scene, IDEAL, room), 8000).mean(axis=(1, 2)) / scene.frame().mean()
    wave = 2.0 * np.mean(level * np.exp(-2j * np.pi * 50.0 * (np.arange(8000) + 0.5) / RATE))
    assert abs(wave) == pytest.approx(0.2, rel=0.02)
    assert level.mean() == pytest.approx(1.0, abs=0.002)


def test_shadow_takes_the_stated_fraction_and_wanders_at_the_stated_speed():
    scene = make_scene("still", height=40, width=400)
    room = Disturbances(shadow_depth=0.4, shadow_speed=2000.0)
    simulator = Simulator(scene, IDEAL, room)
    ratio = [spikes(simulator, 400)[150:250].mean(axis=(0, 1)) / scene.frame().mean(axis=0) for _ in range(2)]
    for at, seen in enumerate(ratio):
        truth = simulator.light(400 * at + 200).mean(axis=0) / scene.frame().mean(axis=0)
        np.testing.assert_allclose(seen, truth, atol=0.06)
        assert truth.min() == pytest.approx(0.6, abs=0.01)
        assert truth.max() == pytest.approx(1.0, abs=0.001)
    lag = np.array([np.sum((ratio[1][80:] - ratio[0][80 - n : 400 - n]) ** 2) for n in range(80)]).argmin()
    assert lag == pytest.approx(400 / RATE * 2000.0, abs=4)


def test_desk_shakes_the_whole_picture_as_stated():
    scene = make_scene("still", height=64, width=96)
    room = Disturbances(desk_px=0.4, desk_hz=100.0, desk_angle_deg=0.0)
    fired = spikes(Simulator(scene, IDEAL, room), 20_000).reshape(100, 200, 64, 96).mean(axis=0)
    right, left = fired[40:60].mean(axis=0), fired[140:160].mean(axis=0)
    mean = np.mean(np.sin(2 * np.pi * (np.arange(40, 60) + 0.5) / 200))
    expected = scene.frame(shake_px=(0.4 * mean, 0.0)) - scene.frame(shake_px=(-0.4 * mean, 0.0))
    gain = np.sum(expected * (right - left)) / np.sum(expected**2)
    assert gain == pytest.approx(1.0, abs=0.02)


def test_air_current_sways_the_twig_by_its_root_mean_square():
    room = Disturbances(air_px=0.7)
    sway = np.array([room.sway(seconds, seed=3) for seconds in np.arange(0.0, 200.0, 0.05)])
    assert sway.std() == pytest.approx(0.7, rel=0.03)
    assert np.abs(np.diff(sway)).max() < 0.8


def test_air_current_reaches_the_spikes_of_the_twig_and_no_others():
    scene = make_scene("still", height=125, width=200)
    simulator = Simulator(scene, IDEAL, Disturbances(air_px=2.0), seed=1)
    seen = spikes(simulator, 1000).mean(axis=0)
    truth = np.mean([simulator.light(step) for step in range(50, 1000, 100)], axis=0)
    np.testing.assert_allclose(seen, truth, atol=0.006)
    changed = np.abs(truth - scene.frame()) > 0.01
    assert changed[:, :30].sum() > 50
    assert not changed[:, 40:].any()


def test_truth_holds_every_disturbance_at_once():
    scene = small("balloon")
    room = Disturbances(shadow_depth=0.3, air_px=1.0, desk_px=0.3, flicker=0.1)
    simulator = Simulator(scene, IDEAL, room, seed=2)
    truth = np.mean([simulator.light(step) for step in range(20, 800, 40)], axis=0)
    np.testing.assert_allclose(spikes(simulator, 800).mean(axis=0), truth, atol=0.006)


def test_truth_can_be_magnified():
    scene = small("long-ruler", frequency_hz=100.0)
    magnified = Simulator(scene, Sensor(light=0.5)).light(50, magnification=5.0)
    np.testing.assert_allclose(magnified, 0.5 * scene.frame(1.0, magnification=5.0), rtol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (250, 400)])
def test_any_size_gives_packed_steps(size):
    height, width = size
    packed = Simulator(make_scene("tuning-fork", height=height, width=width)).steps(3)
    assert packed.shape == (3, -(-height * width // 8))
    assert packed.dtype == np.uint8
    assert packed.flags.c_contiguous


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Sensor, {"light": -1.0}),
        (Sensor, {"fixed_pattern": 1.5}),
        (Sensor, {"temporal_noise": math.nan}),
        (Disturbances, {"desk_px": 0.75}),
        (Disturbances, {"shadow_depth": 1.25}),
        (Disturbances, {"flicker_hz": -5.0}),
    ],
)
def test_option_out_of_range_is_refused_by_name_and_value(kind, options):
    ((name, value),) = options.items()
    with pytest.raises(OptionError, match=f"{name} is {value}"):
        kind(**options)


def test_scene_too_fast_for_the_rate_is_refused():
    with pytest.raises(OptionError, match="at most 250 Hz"):
        Simulator(make_scene("tuning-fork"), rate_hz=1000.0)
