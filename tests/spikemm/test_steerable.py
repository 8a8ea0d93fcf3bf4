"""The steerable pyramid. Truth: waves of known length and direction."""

import numpy as np
import pytest
import torch

from spikemm.magnification.steerable_pyramid import SteerablePyramid

HEIGHT, WIDTH = 80, 112


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 18), (250, 400)])
def test_no_change_of_the_bands_leaves_the_frame(size):
    frame = torch.rand(size, generator=torch.Generator().manual_seed(0))
    pyramid = SteerablePyramid(*size, "cpu")
    assert (pyramid.add(frame, [0.0 * c for c in pyramid.split(frame)]) - frame).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(64, 64), (61, 75)])
def test_bands_add_up_to_the_waves_between_the_finest_and_the_coarsest(size):
    """To add the bands is to double the picture: their masks' squares add up to 1."""
    y, x = np.mgrid[: size[0], : size[1]]
    waves = sum(
        np.cos(2 * np.pi / w * (np.cos(a) * x + np.sin(a) * y)) for w, a in ((5.0, 0.3), (9.0, 1.2), (16.0, 2.5))
    )
    frame = torch.tensor(waves, dtype=torch.float32)
    pyramid = SteerablePyramid(*size, "cpu")
    doubled = pyramid.add(frame, pyramid.split(frame))
    assert (doubled - 2.0 * frame)[16:-16, 16:-16].abs().max() < 0.05


@pytest.mark.parametrize(("degrees", "index"), [(0.0, 0), (45.0, 1), (90.0, 2), (135.0, 3)])
def test_wave_shows_in_the_band_of_its_direction_and_its_phase_tells_the_shift(degrees, index):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    a, k = np.radians(degrees), 2 * np.pi / 8.0
    pyramid = SteerablePyramid(HEIGHT, WIDTH, "cpu")
    before, after = (
        pyramid.split(torch.tensor(np.cos(k * (np.cos(a) * x + np.sin(a) * y - d)), dtype=torch.float32))
        for d in (0.0, 0.5)
    )
    power = [float(c.abs().square().sum()) * c.numel() for c in before[4:8]]
    assert int(np.argmax(power)) == index
    product = after[4 + index] * before[4 + index].conj()
    h, w = product.shape
    inner = product[h // 4 : -h // 4, w // 4 : -w // 4].sum()
    assert float(inner.angle()) == pytest.approx(-0.5 * k, rel=0.02)
