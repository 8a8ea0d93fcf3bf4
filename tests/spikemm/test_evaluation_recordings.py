"""Front ends on recordings: what is told without a truth, with a true picture, and where windows do not fit."""

import numpy as np
import pytest

from spikemm import Recording, SpikeRing
from spikemm.evaluation import TruthPicture, centred_hop, evaluate_recording, scaled_truth, survey
from spikemm.evaluation.recordings import fitting
from spikemm.exceptions import OptionError, RecordingError
from spikemm.flow import DisFlow
from spikemm.front import FrontSpec
from spikemm.packing import pack
from spikemm.reconstruction import make_front_end

HEIGHT, WIDTH = 64, 96
CALM = (32, 16, 32, 32)
"""x, y, width, height of a block whose pixels fire at regular intervals."""


def light():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return 0.3 + 0.15 * np.sin(x / 5.0) * np.cos(y / 7.0)


def spikes(steps, calm=CALM):
    """Regular trains in a block, random ones around it."""
    random = np.random.default_rng(6)
    fired = random.random((steps, HEIGHT, WIDTH)) < light()
    x, y, width, height = calm
    calm = np.s_[y : y + height, x : x + width]
    charge = random.random((height, width))[None] + light()[calm] * np.arange(1, steps + 1)[:, None, None]
    fired[(slice(None), *calm)] = np.diff(np.floor(charge), axis=0, prepend=0) > 0
    return fired.astype(np.uint8)


def record(folder, steps, calm=CALM):
    path = folder / f"calm_{steps}.dat"
    pack(spikes(steps, calm)).tofile(path)
    return Recording(path, height=HEIGHT, width=WIDTH, flip=False)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record(tmp_path_factory.mktemp("calm"), 400)


def evaluate(recording, *names, **options):
    options = {"hop": 10, "aim": survey(recording)} | options
    return evaluate_recording(recording, [FrontSpec.parse(n) for n in names], make_front_end, DisFlow(), **options)


def test_the_quietest_block_is_found(recording):
    assert survey(recording).static == CALM


def test_a_static_region_outside_the_picture_is_refused(recording):
    with pytest.raises(OptionError, match="90 0 10 10"):
        survey(recording, static=(90, 0, 10, 10))


def test_a_recording_without_a_window_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="12 steps"):
        survey(record(tmp_path, 12))


def test_noise_is_the_median_pixels_deviation_over_its_mean(recording):
    (row,) = evaluate(recording, "rate:32").rows
    ring = SpikeRing(HEIGHT, WIDTH, recording.steps)
    ring.push(recording.packed(0, recording.steps))
    frames = np.stack([ring.rate(t, 32) for t in range(20, recording.steps - 15, 10)])
    x, y, width, height = CALM
    calm = frames[:, y : y + height, x : x + width].astype(float)
    assert row.figures.frames == len(frames)
    assert row.figures.noise == pytest.approx(np.median(calm.std(axis=0) / calm.mean(axis=0)))
    assert row.figures.flicker == pytest.approx(frames.mean(axis=(1, 2)).std() / frames.mean(), rel=1e-3)
    assert row.figures.kept is None


def test_a_window_too_long_for_the_recording_is_shortened_and_says_so(recording):
    short, long = evaluate(recording, "rate:32", "interval:512").rows
    assert short.figures.note == ""
    assert long.figures.row == "interval:341"  # six frames, centred on 170, 180 … 220, of 400 steps
    assert long.figures.frames == 6
    assert "in place of interval:512" in long.figures.note
    assert "needs 512 steps" in long.figures.note
    assert "has 400" in long.figures.note


def test_a_recording_without_room_for_any_window_says_so_in_the_row(tmp_path):
    brief = record(tmp_path, 40)
    (row,) = evaluate(brief, "mie:32").rows
    assert row.figures.frames == 0
    assert "has 40" in row.figures.note
    assert row.pictures.frame is None


def test_networks_keep_windows_that_they_can_have():
    assert fitting(FrontSpec("mie", 32), 200, 5) == FrontSpec("mie", 20)
    assert fitting(FrontSpec("mie", 32), 2000, 5) == FrontSpec("mie", 32)
    assert fitting(FrontSpec("mie", 32), 60, 5) is None


def test_frames_are_20_steps_apart_and_closer_where_a_recording_is_short():
    assert [centred_hop(steps) for steps in (20_000, 800, 200, 10)] == [20, 20, 5, 1]


@pytest.mark.parametrize("step", [150, 149, 7, 1])
def test_a_frame_is_centred_on_the_step_of_the_truth(step):
    assert step % centred_hop(20_000, step) == 0
    assert centred_hop(20_000, step) <= 20


def test_a_true_picture_is_brought_to_the_light_of_the_recording(tmp_path):
    regular = record(tmp_path, 60, calm=(0, 0, WIDTH, HEIGHT))
    truth = scaled_truth(regular, (light() / 0.6).astype(np.float32), 30)
    assert truth.gain == pytest.approx(0.6, rel=0.01)
    np.testing.assert_allclose(truth.light, light() * truth.gain / 0.6, rtol=1e-5)
    assert scaled_truth(regular, light(), 30, gain=0.5).gain == 0.5


@pytest.mark.parametrize("step", [3, 399])
def test_a_truth_at_the_edge_of_the_recording_is_refused(recording, step):
    with pytest.raises(OptionError, match=f"step {step}"):
        scaled_truth(recording, light(), step)


def test_a_truth_of_another_size_is_refused(recording):
    with pytest.raises(OptionError, match="64×95"):
        scaled_truth(recording, light()[:, :-1], 200)


def test_the_frame_at_the_truths_step_is_compared(recording):
    truth = TruthPicture(light().astype(np.float32), 200, 1.0)
    (row,) = evaluate(recording, "interval:32", aim=survey(recording, truth=truth)).rows
    ring = SpikeRing(HEIGHT, WIDTH, recording.steps)
    ring.push(recording.packed(0, recording.steps))
    error = (ring.interval(200, 32) - truth.light)[8:-8, 8:-8].astype(float)
    assert row.figures.psnr_db == pytest.approx(10 * np.log10(light().max() ** 2 / np.mean(error**2)), abs=1e-3)
    np.testing.assert_allclose(row.pictures.frame, ring.interval(200, 32), atol=1e-6)


def test_noise_on_a_real_wall_falls_with_the_front_end(recordings):
    car = Recording(recordings / "car_250x400.dat")
    found = evaluate(car, "rate:32", "interval:32", hop=centred_hop(car.steps), aim=survey(car, (340, 20, 58, 170)))
    rate, interval = (row.figures.noise for row in found.rows)
    assert 0.07 < rate < 0.08
    assert 0.010 < interval < 0.017
