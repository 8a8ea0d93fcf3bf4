"""Random scenes: each unlike the others, and its stated motion is the motion in the picture."""

import functools
import math

import numpy as np
import pytest
from scipy import ndimage, optimize

from spikemm.exceptions import OptionError
from spikemm.simulator import Sensor, Simulator, random_scene

SEEDS = range(12)


@functools.cache
def scene_of(seed):
    return random_scene(seed, height=96, width=128, amplitude_px=0.5)


@functools.cache
def painted(seed, factor=0.0):
    return scene_of(seed).frame(factor)


def measured_shift(frame, reference, region):
    """The shift (right, down) of a region, by least squares against a quintic-spline shift of the reference."""
    x, y, w, h = region
    # A spline feels what lies a few pixels away, and nothing beyond.
    top, left = max(0, y - 16), max(0, x - 16)
    near = (slice(top, y + h + 16), slice(left, x + w + 16))
    inside = (slice(y - top + 3, y - top + h - 3), slice(x - left + 3, x - left + w - 3))
    spline, moved_by_scene = ndimage.spline_filter(reference[near].astype(float), order=5), frame[near]

    def misfit(shift):
        moved = ndimage.shift(spline, (shift[1], shift[0]), order=5, prefilter=False, mode="mirror")
        return (moved - moved_by_scene)[inside].ravel()

    return optimize.least_squares(misfit, (0.0, 0.0), x_scale=0.1, diff_step=1e-3).x


def textured(frame, region):
    """Whether a region holds detail that changes in both directions, without which no shift can be seen."""
    x, y, w, h = region
    down, right = np.gradient(frame[y : y + h, x : x + w].astype(float))
    tensor = np.cov(down.ravel(), right.ravel())
    return np.linalg.eigvalsh(tensor)[0] > (0.01 * frame[y : y + h, x : x + w].mean()) ** 2


def test_displacement_of_every_textured_region_is_within_one_percent_of_the_stated_one():
    measured = 0
    for seed in SEEDS:
        rest, moved = painted(seed), painted(seed, 1.0)
        for motion in scene_of(seed).motions:
            if textured(rest, motion.region):
                stated = np.array(motion.displacement(0.25 / motion.hz))
                error = measured_shift(moved, rest, motion.region) - stated
                assert np.hypot(*error) < 0.01 * motion.px
                measured += 1
    assert measured >= 4


def test_regions_lie_inside_the_picture():
    motions = [motion for seed in SEEDS for motion in scene_of(seed).motions]
    assert motions
    for motion in motions:
        x, y, w, h = motion.region
        assert 0 <= x < x + w <= 128
        assert 0 <= y < y + h <= 96


def test_shapes_move_in_different_directions_on_a_background_that_stands_still():
    angles = {round(motion.angle_deg) for seed in SEEDS for motion in scene_of(seed).motions}
    assert len(angles) > 4
    for seed in SEEDS:
        still = np.isclose(painted(seed, 1.0), painted(seed), rtol=0, atol=1e-7)
        assert 0.1 < still.mean() < 1.0


def test_frequency_and_amplitude_are_drawn_from_their_ranges_and_can_be_given():
    drawn = [random_scene(seed, height=16, width=16) for seed in range(60)]
    hz, px = [scene.hz for scene in drawn], [scene.px for scene in drawn]
    assert 20.0 <= min(hz) < 40.0
    assert 300.0 < max(hz) <= 600.0
    assert 0.05 <= min(px) < 0.1
    assert 0.75 < max(px) <= 1.5
    given = random_scene(0, frequency_hz=100.0, amplitude_px=0.2)
    assert (given.hz, given.px) == (100.0, 0.2)


def test_same_seed_is_the_same_scene_and_another_seed_another():
    frames = [random_scene(seed, height=64, width=64).frame() for seed in (3, 3, 4)]
    np.testing.assert_array_equal(frames[0], frames[1])
    assert np.corrcoef(frames[0].ravel(), frames[2].ravel())[0, 1] < 0.5


def test_scenes_have_edges_texture_and_smooth_areas():
    frames = [painted(seed) for seed in SEEDS]
    steepness = np.stack([np.hypot(*np.gradient(frame)) / frame.mean() for frame in frames])
    assert (steepness > 0.3).mean() > 0.02
    assert (steepness < 0.02).mean() > 0.15
    assert all(frame.min() >= 0.02 and frame.max() <= 0.75 for frame in frames)


def test_camera_sees_the_scene():
    scene = random_scene(5, height=40, width=48, frequency_hz=50.0, amplitude_px=1.2)
    simulator = Simulator(scene, Sensor(fixed_pattern=0.0, dark_current=0.0))
    bits = np.unpackbits(simulator.steps(4000), axis=1, bitorder="little").reshape(4000, 40, 48)
    one_period = scene.factors(np.arange(5.0, 400.0, 10.0), 20_000.0)
    mean = np.mean([scene.frame(factor) for factor in one_period], axis=0)
    np.testing.assert_allclose(bits.mean(axis=0), mean, atol=1e-3)


def test_seed_or_size_out_of_range_is_refused():
    with pytest.raises(OptionError, match="seed is -1"):
        random_scene(-1)
    with pytest.raises(OptionError, match="8×128"):
        random_scene(0, height=8)
    assert math.isfinite(random_scene(2**40, height=16, width=16).px)
