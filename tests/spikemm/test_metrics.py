import numpy as np
import pytest
import torch

from spikemm.exceptions import OptionError, ShapeError
from spikemm.metrics import displacement, fit_sine, psnr


def waves(dx, dy, height=72, width=96):
    """A sum of plane waves moved exactly by (dx, dy)."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    k, angle = random.uniform(0.15, 1.0, 40), random.uniform(0.0, np.pi, 40)
    waves = np.cos(
        (k * np.cos(angle))[:, None, None] * (x - dx)
        + (k * np.sin(angle))[:, None, None] * (y - dy)
        + random.uniform(0.0, 6.28, 40)[:, None, None]
    )
    return 0.4 + 0.02 * np.einsum("k,kyx->yx", 1.0 / k, waves) / 2.0


MOVES = [(0.0, 0.0), (0.05, -0.02), (0.3, 0.1), (2.6, -0.9), (5.3, -1.8), (-3.2, 3.0)]


def test_displacement_is_exact_for_a_moved_texture():
    frames = np.stack([waves(dx, dy) for dx, dy in MOVES])
    np.testing.assert_allclose(displacement(frames, (20, 20, 50, 30)), MOVES, atol=0.003)


def test_displacement_ignores_lighting():
    frames = np.stack([waves(0.0, 0.0), 1.1 * waves(0.3, 0.0) + 0.02])
    assert displacement(frames, (20, 20, 50, 30))[1] == pytest.approx([0.3, 0.0], abs=0.003)


def test_displacement_of_a_straight_edge_is_the_part_across_it():
    y, x = np.mgrid[:48, :64]
    frames = np.stack([0.3 + 0.2 * np.tanh((x - 32 - d + 0.2 * (y - 24)) / 1.5) for d in (0.0, 0.5, 2.0)])
    across = np.array([1.0, 0.2]) / 1.04
    np.testing.assert_allclose(displacement(frames, (16, 12, 32, 24)), np.outer([0.0, 0.5, 2.0], across), atol=0.02)


def test_displacement_counts_from_the_reference_given():
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


def test_sine_is_found_on_uneven_steps():
    steps = np.array([0, 7, 31, 90, 133, 180, 222, 301, 377])
    x = 2.0 + 0.3 * np.sin(2 * np.pi * 310.0 * steps / 20_000 + 0.5)
    found = fit_sine(x, steps, 20_000.0, 310.0)
    assert found == pytest.approx((0.3, 0.5, 2.0, 0.0), abs=1e-9)


def test_residual_is_the_rest_beside_the_sine():
    steps = np.arange(2000)
    x = np.sin(2 * np.pi * 100.0 * steps / 20_000) + 0.2 * np.sin(2 * np.pi * 900.0 * steps / 20_000)
    assert fit_sine(x, steps, 20_000.0, 100.0).residual == pytest.approx(0.2 / np.sqrt(2), rel=1e-3)
