"""Corrected maps measure what a sensor without a pattern measures; and what can be had without a flat recording."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from spikemm.encoding import Encoder
from spikemm.exceptions import CalibrationError
from spikemm.flat_field import from_dark_and_flat
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine
from spikemm.recording import Recording
from spikemm.self_calibration import KNOWN, estimate
from spikemm.simulator import Disturbances, Sensor, Simulator, make_scene, write_recording

AROUND = {
    "short-ruler": (150, 70, 200, 125),
    "long-ruler": (190, 70, 200, 125),
    "still": (104, 0, 200, 125),
    "flat": (0, 0, 200, 125),
}
"""The part (x, y, width, height) of a scene that is recorded."""
TEXTURED = (150, 110, 200, 125)
"""A part of the short ruler with more of the desk in it."""
HEIGHT, WIDTH, RATE = 125, 200, 20_000.0
SHAKE = {"desk_px": 0.4, "desk_angle_deg": 45.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("calibration")


@pytest.fixture(scope="module")
def record(folder, part):
    """Write a recording of one sensor: the same seed gives the same pattern."""

    def write(name, scene, seconds, room=None, around=None, **sensor):
        path, picture = folder / f"{name}.dat", part(scene, around or AROUND[scene])
        write_recording(path, Simulator(picture, Sensor(**sensor), Disturbances(**(room or {})), seed=0), seconds)
        return Recording(path)

    return write


@pytest.fixture(scope="module")
def measured(record):
    dark = record("dark", "flat", 0.2, light=0.0)
    return from_dark_and_flat(dark, record("flat", "flat", 0.2))


def amplitude(recording, motion, calibration=None):
    """Measured amplitude of a motion, px."""
    encoder = Encoder(HEIGHT, WIDTH, [MapSpec("interval", 32)], 40, calibration=calibration)
    windows = encoder.push(recording.packed(0, recording.steps), 0)
    moved = displacement(np.stack([one.maps["interval:32"] for one in windows]), motion.region)
    along = moved[:, 0 if motion.angle_deg == 0.0 else 1]
    return fit_sine(along, np.array([one.step for one in windows]), RATE, motion.hz).amplitude


def left_of_pattern(found, truth):
    """Standard deviation of what a calibration leaves of fine pattern, and of what there was."""
    fine = [np.log(one.gain) - gaussian_filter(np.log(one.gain), 5.0) for one in (found, truth)]
    return float((fine[0] - fine[1]).std()), float(fine[1].std())


@pytest.mark.parametrize(("scene", "seconds"), [("long-ruler", 0.1), ("short-ruler", 0.05)])
def test_under_a_pattern_of_5_percent_the_corrected_amplitude_is_that_without_pattern(
    record, part, measured, scene, seconds
):
    (motion,) = part(scene, AROUND[scene]).motions
    without = amplitude(record("without", scene, seconds, fixed_pattern=0.0), motion)
    patterned = record("patterned", scene, seconds, fixed_pattern=0.05)
    assert amplitude(patterned, motion) < 0.97 * without
    assert amplitude(patterned, motion, measured) == pytest.approx(without, rel=0.02)


@pytest.fixture(scope="module")
def shaken(record):
    return record("shaken", "short-ruler", 0.1, SHAKE, TEXTURED)


@pytest.fixture(scope="module")
def estimated(shaken):
    return estimate(shaken)


def test_a_shaking_desk_tells_pattern_from_texture(estimated, measured):
    left, there = left_of_pattern(estimated, measured)
    assert there == pytest.approx(0.05, rel=0.05)
    assert left < 0.65 * there
    assert (estimated.error < KNOWN).mean() > 0.9
    assert np.sqrt((estimated.error**2).mean()) == pytest.approx(left, rel=0.25)


def test_an_estimate_brings_back_half_of_the_lost_amplitude(record, part, shaken, estimated):
    (motion,) = part("short-ruler", TEXTURED).motions
    pattern_free = record("free", "short-ruler", 0.1, SHAKE, TEXTURED, fixed_pattern=0.0)
    without = amplitude(pattern_free, motion)
    lost, still_lost = (1.0 - amplitude(shaken, motion, one) / without for one in (None, estimated))
    assert lost > 0.03
    assert abs(still_lost) < 0.5 * lost


def test_a_still_scene_stays_exactly_as_it_is(record):
    made = estimate(record("still", "still", 0.07))
    assert (made.gain == 1.0).all()
    assert not (made.error < KNOWN).any()


@pytest.mark.parametrize("room", [{"shadow_depth": 0.3, "shadow_speed": 300.0}, {"flicker": 0.1}])
def test_changing_light_on_a_still_scene_makes_nothing_worse(record, measured, room):
    left, there = left_of_pattern(estimate(record("lit", "still", 0.1, room)), measured)
    assert left <= 1.005 * there


def test_too_short_a_recording_and_too_small_a_picture_are_refused(folder, record):
    path = folder / "small.dat"
    write_recording(path, Simulator(make_scene("still", height=24, width=32)), 0.1)
    with pytest.raises(CalibrationError, match="24×32 pixels, 4096 in all are the least"):
        estimate(Recording(path))
    with pytest.raises(CalibrationError, match="has 1000 steps, 1248 are the least"):
        estimate(record("short", "still", 0.05))
