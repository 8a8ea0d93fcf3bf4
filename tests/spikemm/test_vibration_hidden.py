import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.maps import MapSpec
from spikemm.vibration.region_record import RegionRecord
from spikemm.vibration.spectrum import analyse

FPS, HOP, HZ, PX, LENGTH, BATCH = 1000.0, 20, 80.0, 0.5, 200, 10
NOISE = np.random.default_rng(0)


def scene(frames, light=1.0, noise=0.001):
    """Three bright spots that vibrate to the right and back."""
    dx = PX * np.sin(2 * np.pi * HZ / FPS * np.arange(frames))[:, None, None]
    y, x = np.mgrid[:48, :48]
    spots = sum(np.exp(-((x - cx - dx) ** 2 + (y - cy) ** 2) / 18) for cx, cy in ((14, 14), (26, 22), (18, 30)))
    return light * (0.1 + 0.25 * spots) + noise * NOISE.standard_normal((frames, 48, 48))


def analysed(*parts):
    """What the record of a region shows after frames, and how full it is."""
    front = MapSpec.parse("interval:4")
    record = RegionRecord((6, 6, 32, 32), length=LENGTH, hop=HOP, rate_hz=FPS * HOP, front=front)
    pixels = np.concatenate(parts)
    for at in range(0, len(pixels), BATCH):
        part = torch.from_numpy(pixels[at : at + BATCH])
        record.push(FrameBatch(part, (at + np.arange(len(part))) * HOP))
    return analyse(record.px, FPS, kept=record.kept), record


def assert_measured(analysis):
    assert analysis.x.peaks[0].hz == pytest.approx(HZ, abs=0.2)
    assert analysis.x.peaks[0].px == pytest.approx(PX, rel=0.1)


DARK = {
    "black": np.zeros((1, 48, 48)),
    "noise": (0.01 + 0.003 * NOISE.standard_normal((1, 48, 48))).clip(0),
    "no numbers": np.full((1, 48, 48), np.nan),
}


@pytest.mark.parametrize("first", DARK.values(), ids=DARK)
def test_a_region_is_measured_whatever_its_first_frame_showed(first):
    analysis, record = analysed(first, scene(299))
    assert record.full
    assert_measured(analysis)


def test_it_measures_on_in_the_little_light_that_is_left():
    assert_measured(analysed(scene(200), scene(300, light=0.04, noise=0.0002))[0])


def test_an_amplitude_is_right_when_the_light_falls_to_a_tenth():
    analysis, _ = analysed(scene(200, noise=0.002), scene(300, light=0.09, noise=0.002))
    assert analysis.x.peaks[0].px == pytest.approx(PX, rel=0.03)


def test_what_the_front_end_keeps_is_that_of_the_present_light():
    _, alone = analysed(scene(300, light=0.25, noise=0.0))
    _, record = analysed(scene(200), scene(900, light=0.25, noise=0.0))
    assert alone.kept(800.0) < 0.95
    assert record.kept(800.0) == pytest.approx(alone.kept(800.0), abs=0.01)


def test_noise_in_the_first_frame_is_not_taken_for_the_picture():
    analysis, _ = analysed(scene(300, noise=0.02))
    assert analysis.x.peaks[0].px == pytest.approx(PX, rel=0.03)


PATTERN = 1.0 + 0.05 * NOISE.standard_normal((48, 48))
COVERED = {
    "dark": np.zeros((48, 48)),
    "covered": np.full((48, 48), 0.3),
    "covered and a sensor's fixed pattern": 0.3 * PATTERN,
}


def assert_blind(analysis, record):
    assert record.full
    assert record.hidden
    assert np.isinf(analysis.x.noise_floor_px)
    assert np.isinf(analysis.y.noise_floor_px)


@pytest.mark.parametrize("nothing", COVERED.values(), ids=COVERED)
def test_what_is_dark_or_covered_has_an_infinite_noise_floor(nothing):
    covered = nothing + 0.003 * NOISE.standard_normal((260, 48, 48))
    assert_blind(*analysed(PATTERN * scene(200), covered))
    assert_blind(*analysed(covered))


def test_darkness_puts_no_band_out_of_reach():
    _, record = analysed(scene(100), np.zeros((300, 48, 48)))
    assert record.highest_hz == FPS / 2
    assert record.kept(400.0) == 1.0


def test_a_frame_that_is_no_numbers_begins_the_record_anew():
    torn = scene(180)
    torn[50, 20, 20] = np.nan
    analysis, record = analysed(torn)
    assert record.count == 120
    assert_measured(analysis)
