"""Scenes: the stated motion is the motion in the picture."""

import functools
import math

import numpy as np
import pytest
from scipy import ndimage, optimize

from spikemm.exceptions import OptionError
from spikemm.simulator import SCENES, make_scene

MOVING = [name for name in SCENES if name not in ("still", "flat")]


@functools.cache
def painted(name, **options):
    """A frame of a scene at its full size; the options are those of `Scene.frame`."""
    return make_scene(name).frame(**options)


def measured_shift(frame, reference, region, margin=2):
    """The shift (right, down) of a region, by least squares against a quintic-spline shift of the reference."""
    x, y, w, h = region
    # A spline feels what lies a few pixels away, and nothing beyond.
    top, left = max(0, y - 16), max(0, x - 16)
    near = (slice(top, y + h + 16), slice(left, x + w + 16))
    inside = (slice(y - top + margin, y - top + h - margin), slice(x - left + margin, x - left + w - margin))
    spline, moved_by_scene = ndimage.spline_filter(reference[near].astype(float), order=5), frame[near]

    def misfit(shift):
        moved = ndimage.shift(spline, (shift[1], shift[0]), order=5, prefilter=False, mode="mirror")
        return (moved - moved_by_scene)[inside].ravel()

    return optimize.least_squares(misfit, (0.0, 0.0), x_scale=0.1, diff_step=1e-3).x


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("factor", [1.0, -0.6])
def test_displacement_in_every_region_is_within_one_percent_of_the_stated_one(name, factor):
    rest, moved = painted(name), painted(name, factor=factor)
    for motion in make_scene(name).motions:
        along = factor * motion.px * math.cos(math.radians(motion.phase_deg))
        angle = math.radians(motion.angle_deg)
        stated = np.array([along * math.cos(angle), along * math.sin(angle)])
        error = measured_shift(moved, rest, motion.region) - stated
        assert np.hypot(*error) < 0.01 * abs(factor * motion.px)


@pytest.mark.parametrize("name", MOVING)
def test_magnified_frame_shows_the_factor_times_the_displacement(name):
    motion = make_scene(name).motions[-1]
    right, down = measured_shift(painted(name, factor=1.0, magnification=10.0), painted(name), motion.region, margin=6)
    expected = 10.0 * motion.px
    assert math.hypot(right, down) == pytest.approx(expected, rel=0.01)


def test_magnification_multiplies_the_factor_and_nothing_else():
    scene = make_scene("short-ruler", height=64, width=96)
    magnified = scene.frame(0.25, magnification=4.0, sway_px=1.0, shake_px=(0.2, 0.1))
    np.testing.assert_array_equal(magnified, scene.frame(1.0, sway_px=1.0, shake_px=(0.2, 0.1)))


@pytest.mark.parametrize("name", MOVING)
def test_displacement_of_ten_pixels_is_drawn(name):
    scene = make_scene(name, amplitude_px=10.0)
    right, down = np.abs(measured_shift_coarse(scene, painted(name)))
    assert math.hypot(right, down) == pytest.approx(10.0, abs=0.6)


def measured_shift_coarse(scene, rest):
    """Whole-pixel shift of the middle of the last region, by exhaustive search."""
    x, y, w, h = scene.motions[-1].region
    moved = scene.frame(1.0)
    patch = rest[y + 6 : y + h - 6, x + 6 : x + w - 6]
    best = (np.inf, 0, 0)
    for down in range(-12, 13):
        for right in range(-12, 13):
            candidate = moved[y + 6 + down : y + h - 6 + down, x + 6 + right : x + w - 6 + right]
            best = min(best, (float(((candidate - patch) ** 2).sum()), right, down))
    return np.array(best[1:])


def test_prongs_of_the_fork_move_in_antiphase():
    rest, moved = painted("tuning-fork"), painted("tuning-fork", factor=1.0)
    left, right = (measured_shift(moved, rest, motion.region)[0] for motion in make_scene("tuning-fork").motions)
    assert left == pytest.approx(-right, abs=0.003)


def test_motion_gives_its_displacement_at_any_time():
    left, right = make_scene("tuning-fork", frequency_hz=100.0, amplitude_px=0.5).motions
    assert right.displacement(1 / 400) == pytest.approx((0.5, 0.0))
    assert left.displacement(1 / 400) == pytest.approx((-0.5, 0.0))
    (ruler,) = make_scene("long-ruler", frequency_hz=100.0, amplitude_px=0.5).motions
    assert ruler.displacement(1 / 400) == pytest.approx((0.0, 0.5))


def test_factor_follows_a_sine_over_steps():
    scene = make_scene("balloon", frequency_hz=200.0)
    assert scene.factor(25, 20_000) == pytest.approx(1.0)
    assert scene.factor(12.5, 20_000) == pytest.approx(math.sqrt(0.5))
    assert scene.factor(20_000 * 1000, 20_000) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", SCENES)
def test_light_lies_in_the_range_where_the_sensor_is_neither_dark_nor_saturated(name):
    frame = painted(name)
    assert np.quantile(frame, 0.01) > 0.03
    assert 0.4 < np.quantile(frame, 0.995) < 0.8
    assert frame.dtype == np.float32


def test_still_scene_never_moves():
    scene = make_scene("still", height=50, width=80)
    np.testing.assert_array_equal(scene.frame(1.0, magnification=100.0), scene.frame())
    assert {motion.px for motion in scene.motions} == {0.0}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (73, 25)])
def test_any_size_from_sixteen_pixels_up_has_its_regions_inside(name, size):
    height, width = size
    scene = make_scene(name, height=height, width=width)
    assert scene.frame(1.0).shape == size
    for motion in scene.motions:
        x, y, w, h = motion.region
        assert 0 <= x < x + w <= width
        assert 0 <= y < y + h <= height


def test_twig_sways_by_the_stated_pixels():
    tip = (16, 92, 26, 20)
    right, down = measured_shift(painted("tuning-fork", sway_px=0.8), painted("tuning-fork"), tip, margin=0)
    assert right == pytest.approx(0.8, rel=0.1)
    assert down == pytest.approx(0.0, abs=0.05)


def test_shake_moves_the_whole_picture():
    shaken = painted("balloon", shake_px=(0.3, -0.2))
    shift = measured_shift(shaken, painted("balloon"), (10, 10, 380, 230))
    np.testing.assert_allclose(shift, (0.3, -0.2), atol=0.003)


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(OptionError, match=r"'guitar'.*tuning-fork.*still"):
        make_scene("guitar")


@pytest.mark.parametrize(
    "options",
    [
        {"height": 8},
        {"width": 15},
        {"amplitude_px": -0.1},
        {"amplitude_px": 11.0},
        {"amplitude_px": math.nan},
        {"frequency_hz": -1.0},
        {"frequency_hz": math.inf},
    ],
)
def test_number_out_of_range_is_refused_with_its_value(options):
    (value,) = options.values()
    with pytest.raises(OptionError, match=str(value).replace("+", r"\+")):
        make_scene("balloon", **options)


@pytest.mark.parametrize("name", ["still", "flat"])
def test_a_scene_without_motion_cannot_be_asked_to_move(name):
    with pytest.raises(OptionError, match=f"'{name}' does not move"):
        make_scene(name, amplitude_px=0.3)


def test_flat_scene_has_the_same_light_everywhere():
    scene = make_scene("flat", height=50, width=90)
    assert np.ptp(scene.frame(1.0, sway_px=1.0, shake_px=(0.3, 0.2))) == 0.0
    assert scene.motions == ()
