"""Rendered pairs: their truth moves by exactly alpha times their motion, and their noise is the sensor's."""

import numpy as np
import pytest
import torch

from spikemm.metrics import displacement
from spikemm.training.motion_pairs import PairRanges, draw_pairs, interval_frame
from spikemm.training.torus_texture import draw_texture

ROI = (24, 24, 48, 48)


def drawn(count=8, iteration=0, draw=0, **ranges):
    settings = {"scenes": 24, "textures": 8} | ranges
    return draw_pairs(np.random.default_rng(draw), PairRanges(**settings), count=count, seed=1, iteration=iteration)


def test_texture_moved_by_parts_of_a_pixel_that_make_a_whole_one_is_the_texture_one_pixel_on():
    for number in range(2):
        texture = draw_texture(0, number)
        np.testing.assert_allclose(
            texture.at(1.0, -2.0, 128), np.roll(texture.at(0, 0, 128), (-2, 1), (0, 1)), atol=1e-4
        )
        spectrum = np.fft.rfft2(texture.at(0.0, 0.0, 128))
        moved = np.fft.rfft2(texture.at(0.3, 0.0, 128))
        turned = spectrum * np.exp(-2j * np.pi * 0.3 * np.arange(65) / 128)
        np.testing.assert_allclose(moved, turned, atol=1e-2)


@pytest.mark.parametrize(("px", "alpha"), [(0.05, 20.0), (0.5, 4.0), (1.0, 0.5)])
def test_truth_has_moved_by_alpha_times_the_motion_of_the_pair_however_it_is_turned(px, alpha):
    pairs = drawn(count=48, alpha=(alpha, alpha), input_px=(px, px))
    whole = [k for k in range(48) if float(pairs.motion[k].flatten(1).std(1).max()) < 1e-6]
    moving = [k for k in whole if float(pairs.motion[k].abs().max()) > 0.0]
    assert len(moving) >= 3
    for k in moving[:6]:
        seen = displacement(pairs.truth[k], ROI, reference=pairs.still[k, 0])[0]
        expected = (alpha - 1.0) * pairs.motion[k, :, 0, 0].numpy()
        assert seen == pytest.approx(expected, abs=0.02 * abs(alpha - 1.0) * px + 1e-3)


def test_magnified_motion_is_no_larger_than_asked_for():
    pairs = drawn(count=32, alpha=(100.0, 100.0), input_px=(0.02, 2.0), output_px=6.0)
    assert float((pairs.alpha * pairs.motion.norm(dim=1, keepdim=True)).max()) <= 6.0 + 1e-4
    assert float(pairs.alpha.max()) == pytest.approx(100.0)


def test_same_iteration_and_generator_give_the_same_pairs_and_others_give_others():
    first, again, later, other = drawn(), drawn(), drawn(iteration=100), drawn(draw=1)
    assert torch.equal(first.after, again.after)
    assert not torch.equal(first.after, later.after)
    assert not torch.equal(first.after, other.after)


def test_frames_of_a_pair_differ_from_the_truth_by_the_sensors_noise_alone():
    pairs = drawn(count=32)
    noise = (pairs.after - pairs.still).flatten(1).std(1)
    assert float(noise.median()) < 0.05
    assert float(noise.min()) > 0.0


def test_interval_frame_is_right_in_the_mean_and_coarser_the_shorter_its_window():
    light = np.full((200, 200), 0.23, np.float32)
    spreads = []
    for window in (8, 32, 128):
        frame = interval_frame(np.random.default_rng(0), light, window, 0.0)
        assert float(frame.mean()) == pytest.approx(0.23, rel=0.01)
        spreads.append(float(frame.std()))
    assert spreads[0] > 1.5 * spreads[1] > 2.25 * spreads[2] > 0.0


def test_interval_frame_of_a_regular_train_is_spikes_over_the_time_that_they_took():
    light, window = 0.2, 10
    frame = interval_frame(np.random.default_rng(0), np.full((50, 50), light, np.float32), window, 0.0)
    np.testing.assert_allclose(frame, light, rtol=1e-4)
