import numpy as np
import pytest

from spikemm.exceptions import OptionError, RecordingError
from spikemm.front import FrontSpec
from spikemm.packing import pack
from spikemm.recording import Recording
from spikemm.simulator import Disturbances, Sensor, Simulator, make_scene, write_recording
from spikemm.vibration.measurement import measure_recording
from spikemm.vibration.proposal import propose_region
from spikemm.vibration.region_bits import RegionBits

SMALL = {"height": 125, "width": 200}
FULL = {"height": 250, "width": 400}
PRONGS = (75, 16, 50, 38)
"""Both prongs of the small fork."""


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Write the recording of a scene and open it."""

    def record(scene="short-ruler", hz=None, px=None, seconds=0.2, seed=0, sensor=None, room=None, size=SMALL):
        path = tmp_path_factory.mktemp("scene") / "scene.dat"
        made = make_scene(scene, frequency_hz=hz, amplitude_px=px, **size)
        write_recording(path, Simulator(made, sensor, room, seed=seed), seconds)
        return Recording(path), made.motions[0].region

    return record


def test_weights_of_spikes_add_up_as_in_unpacked_steps():
    random = np.random.default_rng(0)
    spikes = random.random((300, 19, 37)) < 0.3
    x, y, wide, high = roi = (5, 3, 21, 11)
    part = spikes[:, y : y + high, x : x + wide].reshape(300, -1)
    bits = RegionBits(roi, 19, 37)
    np.testing.assert_array_equal(bits.count(pack(spikes)).ravel(), part.sum(axis=0))
    weights = random.standard_normal((4, wide * high))
    group = random.integers(0, 3, bits.bytes)
    sums = bits.weigh(pack(spikes), weights, group, 3)
    of_pixel = group[bits.byte]
    for g in range(3):
        np.testing.assert_allclose(sums[:, g], part[:, of_pixel == g] @ weights[:, of_pixel == g].T, atol=1e-4)


@pytest.mark.parametrize("light", [0.03, 0.21, 0.7])
def test_spikes_of_pixels_that_began_anyhow_are_the_light_without_window_or_delay(light):
    # What `projection` rests on: at 5,000 Hz as at 50 Hz, whatever the pixels' period.
    rate, steps, pixels = 20_000, 400, 4000
    t = (np.arange(steps) + 0.5) / rate
    for hz in (50.0, 5000.0):
        shone = light * (1.0 + 0.3 * np.sin(2 * np.pi * hz * t))
        charge = np.floor(np.arange(pixels)[:, None] / pixels + np.cumsum(shone))
        spikes = np.diff(charge, axis=1, prepend=0.0)
        np.testing.assert_allclose(spikes.mean(axis=0)[1:], shone[1:], atol=2.0 / pixels)


@pytest.mark.parametrize(
    # In a fifth of a second the noise of spikes is more than 3 % at the highest frequency.
    ("hz", "px", "within"),
    [(40.0, 0.3, 0.03), (310.0, 1.0, 0.03), (1500.0, 0.05, 0.03), (4321.0, 0.3, 0.05)],
)
def test_frequency_and_amplitude_are_those_of_the_scene(record, hz, px, within):
    recording, region = record(hz=hz, px=px, size=FULL)
    found = measure_recording(recording, region)
    (peak,) = found.analysis.y.peaks
    assert peak.hz == pytest.approx(hz, rel=5e-4)
    assert peak.px == pytest.approx(px, rel=within)
    assert peak.phase_deg == pytest.approx(0.0, abs=100.0 * within)
    assert not found.analysis.x.peaks
    assert (found.method, found.steps, found.analysis.fps) == ("projection", recording.steps, 20_000)


@pytest.mark.parametrize("front", [None, FrontSpec("interval", 16)], ids=["projection", "frames"])
def test_rms_and_peak_to_peak_are_those_of_the_vibration_whatever_the_method(record, front):
    recording, region = record(hz=120.0, px=0.3)
    found = measure_recording(recording, region, front=front).analysis
    assert found.y.rms_px == pytest.approx(0.212, rel=0.03)
    assert found.y.peak_to_peak_px == pytest.approx(0.6, rel=0.03)
    assert (found.x.rms_px, found.x.peak_to_peak_px) == (0.0, 0.0)
    assert found.x.noise_floor_px > 0.0


def test_a_motion_in_flickering_light_has_no_side_bands(record):
    recording, region = record(hz=310.0, px=0.3, room=Disturbances(flicker=0.02, flicker_hz=100.0), size=FULL)
    (peak,) = measure_recording(recording, region).analysis.y.peaks
    assert (peak.hz, peak.px) == (pytest.approx(310.0, rel=5e-4), pytest.approx(0.3, rel=0.03))


@pytest.mark.parametrize(
    ("sensor", "room"),
    [
        (Sensor(), Disturbances()),
        (Sensor(light=0.1), Disturbances()),
        (Sensor(temporal_noise=0.2), Disturbances()),
        (Sensor(), Disturbances(flicker=0.02)),
    ],
    ids=["plain", "dark", "noisy", "flickering"],
)
def test_a_still_scene_reports_no_peak(record, sensor, room):
    recording, _ = record("still", sensor=sensor, room=room)
    found = measure_recording(recording, PRONGS).analysis
    assert not found.x.peaks
    assert not found.y.peaks


@pytest.mark.parametrize("seed", [0, 3])
def test_a_few_pixels_that_fire_at_the_frequency_of_a_vibration_do_not_bend_it(record, seed):
    # Two spikes of a pixel that fires 8,450 times a second and one cycle of 3,100 Hz make one step: a line right there,
    # stronger than what the whole region shows. Some 2,000 pixels of a nearly even light hold several of them.
    recording, region = record("long-ruler", hz=3100.0, px=0.05, seconds=0.5, seed=seed, size=FULL)
    (peak,) = measure_recording(recording, region).analysis.y.peaks
    assert peak.px == pytest.approx(0.05, rel=4.0 * 10 ** (-peak.snr_db / 20.0))


@pytest.mark.parametrize("light", [0.02, 0.3])
def test_a_covered_lens_shows_no_contrast_but_the_sensors_own_and_no_floor(tmp_path, light):
    random = np.random.default_rng(0)
    gain = light * (1.0 + 0.05 * random.standard_normal((64, 96)))
    charge = random.random((64, 96)) + np.arange(4001)[:, None, None] * gain
    path = tmp_path / "covered.dat"
    path.write_bytes(pack(np.diff(np.floor(charge), axis=0) > 0.0).tobytes())
    found = measure_recording(Recording(path, height=64, width=96), (20, 10, 50, 40)).analysis
    assert (found.x.noise_floor_px, found.y.noise_floor_px) == (np.inf, np.inf)


def test_the_noise_floor_of_spikes_is_far_below_a_thousandth_of_a_pixel(record):
    recording, _ = record("still")
    assert measure_recording(recording, (60, 10, 80, 100)).analysis.x.noise_density_px_per_sqrt_hz < 3e-4


def test_a_part_of_the_recording_is_measured_with_phases_of_the_whole(record):
    recording, region = record(hz=200.0, px=0.3)
    found = measure_recording(recording, region, start_s=0.051, seconds=0.1)
    assert (found.start_step, found.steps) == (1020, 2000)
    assert found.analysis.y.peaks[0].phase_deg == pytest.approx(0.0, abs=2.0)


def test_a_region_that_moves_by_several_pixels_is_followed_in_frames(record):
    recording, region = record(hz=80.0, px=5.0, seconds=0.12)
    found = measure_recording(recording, region)
    assert found.method == "frames"
    peak = found.analysis.y.peaks[0]
    assert (peak.hz, peak.px) == (pytest.approx(80.0, rel=5e-4), pytest.approx(5.0, rel=0.03))


def test_the_region_that_vibrates_most_is_proposed(record):
    recording, region = record("short-ruler", hz=120.0, px=0.4)
    x, y, wide, high = propose_region(recording)
    left, top, right, bottom = region[0], region[1], region[0] + region[2], region[1] + region[3]
    assert x < right - 8 and left + 8 < x + wide and y < bottom - 8 and top + 8 < y + high


def test_where_nothing_vibrates_a_region_is_asked_for(record):
    recording, _ = record("still")
    with pytest.raises(OptionError, match="name a region"):
        propose_region(recording)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start_s": 3.0}, "start at 3 s"),
        ({"seconds": 9.0}, "9 s to measure"),
        ({"band_hz": (1.0, 3.0)}, "band 1 to 3"),
    ],
)
def test_what_the_recording_cannot_give_is_refused(record, options, said):
    recording, region = record(seconds=0.05)
    with pytest.raises(OptionError, match=said):
        measure_recording(recording, region, **options)


def test_too_few_steps_are_refused(record):
    recording, region = record(seconds=0.05)
    with pytest.raises(RecordingError, match="64 are the least"):
        measure_recording(recording, region, seconds=0.002)


def test_a_real_still_wall_does_not_vibrate(recordings):
    found = measure_recording(Recording(recordings / "car_250x400.dat"), (340, 20, 57, 160)).analysis
    assert not found.x.peaks
    assert not found.y.peaks


def test_the_proposed_region_shows_the_motion_though_one_edge_is_all_that_moves(record):
    recording, _ = record("long-ruler", hz=40.0, px=0.6, size=FULL)
    measured = measure_recording(recording, propose_region(recording)).analysis.y.peaks[0]
    assert (measured.hz, measured.px) == (pytest.approx(40.0, abs=0.02), pytest.approx(0.6, rel=0.08))
