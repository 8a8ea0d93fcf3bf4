"""The Riesz pyramid."""

import numpy as np
import pytest
import torch

from spikemm.magnification.riesz_pyramid import RieszPyramid


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 18), (250, 400)])
def test_pyramid_put_together_is_the_frame(size):
    frame = torch.rand(size, generator=torch.Generator().manual_seed(0))
    pyramid = RieszPyramid(*size, "cpu")
    assert (pyramid.join(pyramid.split(frame)) - frame).abs().max() < 1e-5


@pytest.mark.parametrize(("wavelength", "level"), [(5.0, 0), (10.0, 1), (20.0, 2)])
def test_band_holds_waves_of_its_octave_with_their_slope(wavelength, level):
    x = np.arange(160)
    wave = torch.tensor(np.cos(2 * np.pi * x / wavelength), dtype=torch.float32).expand(160, 160)
    pyramid = RieszPyramid(160, 160, "cpu")
    bands = pyramid.split(wave)
    inner = [b[b.shape[0] // 4 : -b.shape[0] // 4, b.shape[1] // 4 : -b.shape[1] // 4] for b in bands]
    assert int(torch.stack([b.square().mean() for b in inner]).argmax()) == level
    slope = pyramid.gradient(bands[level], level)[0]
    part = np.s_[slope.shape[0] // 4 : -slope.shape[0] // 4, slope.shape[1] // 4 : -slope.shape[1] // 4]
    ratio = (slope[part].square().mean() / bands[level][part].square().mean()).sqrt()
    assert float(ratio) == pytest.approx(2 * np.pi / wavelength, rel=0.03)
