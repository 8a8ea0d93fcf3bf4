import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError
from spikemm.vibration.displacement import DisplacementTracker

ROI = (20, 20, 50, 30)
MOVES = [(0.0, 0.0), (0.0005, 0.0), (0.05, -0.02), (0.3, 0.1), (2.6, -0.9), (5.3, -1.8), (-3.2, 3.0)]


def batch(pictures, gap=0, start=0):
    frames = torch.tensor(np.stack(pictures), dtype=torch.float32)
    return FrameBatch(frames, np.arange(start, start + 8 * len(frames), 8), gap=gap)


def moved(pictures, roi=ROI):
    return DisplacementTracker([roi]).push(batch(pictures)).px[:, 0]


def test_displacement_is_exact_from_a_two_thousandth_of_a_pixel_to_several(waves):
    np.testing.assert_allclose(moved([waves(*move) for move in MOVES]), MOVES, atol=1e-4)


def test_steps_and_regions_come_in_order(waves):
    found = DisplacementTracker([ROI, (30, 25, 20, 20)]).push(batch([waves(0, 0), waves(0.2, 0.1)], start=40))
    assert found.steps.tolist() == [40, 48]
    np.testing.assert_allclose(found.px[1], [(0.2, 0.1)] * 2, atol=1e-3)


def test_a_batch_at_a_time_is_all_at_once(waves):
    pictures = [waves(*move) for move in MOVES]
    tracker = DisplacementTracker([ROI])
    single = [tracker.push(batch([picture])).px[0, 0] for picture in pictures]
    np.testing.assert_allclose(single, moved(pictures), atol=1e-5)


def test_flicker_is_no_motion_and_hides_none(waves):
    pictures = [waves(0, 0), 0.9 * waves(0, 0) + 0.02, 1.1 * waves(0.3, 0.0) + 0.01]
    np.testing.assert_allclose(moved(pictures), [(0, 0), (0, 0), (0.3, 0)], atol=5e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_fixed_pattern_of_a_twentieth_does_not_hold_the_motion_back(waves, seed):
    gain = 1.0 + 0.05 * np.random.default_rng(seed).standard_normal((72, 96))
    found = moved([waves(dx, 0.0) * gain for dx in (0.0, 0.1, 0.5)])
    np.testing.assert_allclose(found[1:, 0], [0.1, 0.5], rtol=0.03)


def test_an_edge_shows_the_motion_across_it():
    y, x = np.mgrid[:48, :64]
    pictures = [0.3 + 0.2 * np.tanh((x - 32 - d + 0.2 * (y - 24)) / 1.5) for d in (0.0, 0.5, 2.0)]
    across = np.array([1.0, 0.2]) / 1.04
    np.testing.assert_allclose(moved(pictures, (16, 12, 32, 24)), np.outer([0.0, 0.5, 2.0], across), atol=0.002)


def test_an_even_picture_does_not_move():
    assert not moved([np.full((72, 96), level) for level in (0.5, 0.6, 0.0)]).any()


def test_after_a_gap_displacements_go_on_from_the_last(waves):
    tracker = DisplacementTracker([ROI])
    tracker.push(batch([waves(0, 0), waves(0.4, 0)]))
    found = tracker.push(batch([waves(0.9, 0), waves(1.0, 0)], gap=100)).px[:, 0]
    np.testing.assert_allclose(found, [(0.4, 0), (0.5, 0)], atol=1e-3)


def test_reset_begins_anew_at_zero(waves):
    tracker = DisplacementTracker([ROI])
    tracker.push(batch([waves(0, 0), waves(0.4, 0)]))
    tracker.reset()
    assert np.abs(tracker.push(batch([waves(0.4, 0)])).px).max() < 1e-9


@pytest.mark.parametrize("roi", [(-1, 0, 20, 20), (80, 0, 20, 20), (0, 0, 4, 20)])
def test_a_region_outside_the_frame_or_too_small_is_refused(waves, roi):
    with pytest.raises(OptionError, match="region"):
        moved([waves(0, 0)], roi)
