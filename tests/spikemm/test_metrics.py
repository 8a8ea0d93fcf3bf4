import numpy as np
import pytest
import torch

from spikemm.exceptions import OptionError, ShapeError
from spikemm.metrics import displacement, fit_sine, psnr, ssim, ssim_map

MOVES = [(0.0, 0.0), (0.05, -0.02), (0.3, 0.1), (2.6, -0.9), (5.3, -1.8), (-3.2, 3.0)]


def test_displacement_is_exact_for_a_moved_texture(waves):
    frames = np.stack([waves(dx, dy) for dx, dy in MOVES])
    np.testing.assert_allclose(displacement(frames, (20, 20, 50, 30)), MOVES, atol=0.003)


def test_displacement_ignores_lighting(waves):
    frames = np.stack([waves(0.0, 0.0), 1.1 * waves(0.3, 0.0) + 0.02])
    assert displacement(frames, (20, 20, 50, 30))[1] == pytest.approx([0.3, 0.0], abs=0.003)


def test_displacement_of_a_straight_edge_is_the_part_across_it():
    y, x = np.mgrid[:48, :64]
    frames = np.stack([0.3 + 0.2 * np.tanh((x - 32 - d + 0.2 * (y - 24)) / 1.5) for d in (0.0, 0.5, 2.0)])
    across = np.array([1.0, 0.2]) / 1.04
    np.testing.assert_allclose(displacement(frames, (16, 12, 32, 24)), np.outer([0.0, 0.5, 2.0], across), atol=0.02)


def test_displacement_counts_from_the_reference_given(waves):
    moved = displacement(torch.tensor(np.stack([waves(0.5, 0.0)])), (20, 20, 50, 30), reference=waves(0.2, 0.0))
    assert moved[0] == pytest.approx([0.3, 0.0], abs=0.003)


def test_displacement_of_a_constant_picture_is_zero():
    assert not displacement(np.full((3, 40, 40), 0.5), (8, 8, 20, 20)).any()


@pytest.mark.parametrize("roi", [(-1, 0, 20, 20), (80, 0, 20, 20), (0, 0, 4, 20)])
def test_region_outside_the_frame_is_refused(roi):
    with pytest.raises(OptionError, match="region"):
        displacement(np.zeros((2, 72, 96)), roi)


def test_psnr_of_a_known_error():
    truth = np.array([[0.5, 1.0], [0.0, 0.2]])
    assert psnr(truth + 0.01, truth) == pytest.approx(40.0)
    assert psnr(truth, truth) == np.inf


def test_psnr_of_different_shapes_is_refused():
    with pytest.raises(ShapeError, match="same shape"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)))


def test_psnr_of_a_part_can_have_the_peak_of_the_whole():
    assert psnr(np.full((2, 2), 0.11), np.full((2, 2), 0.1), peak=1.0) == pytest.approx(40.0)


def similarity_at(a, b, y, x, peak):
    """Structural similarity of one pixel by its formula, the window written out."""
    window = np.exp(-0.5 * (np.hypot(*np.mgrid[-5:6, -5:6]) / 1.5) ** 2)
    window /= window.sum()
    near_a, near_b = a[y - 5 : y + 6, x - 5 : x + 6], b[y - 5 : y + 6, x - 5 : x + 6]
    mean_a, mean_b = (window * near_a).sum(), (window * near_b).sum()
    var_a, var_b = (window * (near_a - mean_a) ** 2).sum(), (window * (near_b - mean_b) ** 2).sum()
    covariance = (window * (near_a - mean_a) * (near_b - mean_b)).sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def test_structural_similarity_is_its_formula_at_every_pixel(waves):
    truth = waves(0.0, 0.0, 24, 30)
    frame = truth + np.random.default_rng(5).normal(0.0, 0.05, truth.shape)
    expected = [[similarity_at(frame, truth, y, x, truth.max()) for x in range(5, 25)] for y in range(5, 19)]
    np.testing.assert_allclose(ssim_map(frame, truth)[5:-5, 5:-5], expected, atol=1e-9)
    assert ssim(frame, truth) == pytest.approx(np.mean(expected))


def test_a_picture_is_entirely_similar_to_itself_and_less_so_to_a_blurred_one(waves):
    truth = waves(0.0, 0.0)
    assert ssim(truth, truth) == pytest.approx(1.0)
    assert ssim((truth + np.roll(truth, 3, axis=1)) / 2, truth) < 0.95


def test_sine_is_found_on_uneven_steps():
    steps = np.array([0, 7, 31, 90, 133, 180, 222, 301, 377])
    x = 2.0 + 0.3 * np.sin(2 * np.pi * 310.0 * steps / 20_000 + 0.5)
    found = fit_sine(x, steps, 20_000.0, 310.0)
    assert found == pytest.approx((0.3, 0.5, 2.0, 0.0), abs=1e-9)


def test_residual_is_the_rest_beside_the_sine():
    steps = np.arange(2000)
    x = np.sin(2 * np.pi * 100.0 * steps / 20_000) + 0.2 * np.sin(2 * np.pi * 900.0 * steps / 20_000)
    assert fit_sine(x, steps, 20_000.0, 100.0).residual == pytest.approx(0.2 / np.sqrt(2), rel=1e-3)
