"""What every upsampling method owes: sizes, scales, degenerate pictures, twins."""

import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError
from spikemm.magnification.temporal import BandPass
from spikemm.upsampling import UPSAMPLERS, make_upsampler

LINEAR_MAPS = ["histospline", "linear", "bicubic", "lanczos"]
SIZES = [(16, 16), (17, 23)]
SCALES = [1.0, 1.37, 8.0]


def stage(method, height, width, scale=2.0):
    # What is asked here does not depend on how long wire is fitted.
    quick = {"iterations": 4} if method == "wire" else {}
    return UPSAMPLERS[method](scale=scale, height=height, width=width, **quick)


def batch(frames, gap=0, raw=None):
    return FrameBatch(frames, np.arange(len(frames), dtype=np.int64), gap, raw)


def noise(count, height, width, seed=0):
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", UPSAMPLERS)
def test_any_size_at_any_scale_gives_finite_frames_of_the_stated_shape(method, scale, size):
    upsampler = stage(method, *size, scale)
    result = upsampler.push(batch(noise(1, *size))).pixels
    assert upsampler.shape == (round(size[0] * scale), round(size[1] * scale))
    assert result.shape == (1, *upsampler.shape)
    assert result.dtype == torch.float32
    assert result.isfinite().all()


@pytest.mark.parametrize("level", [0.0, 0.37, 1.0], ids=["black", "constant", "saturated"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("method", UPSAMPLERS)
def test_flat_pictures_stay_flat(method, scale, level):
    result = stage(method, 17, 23, scale).push(batch(torch.full((2, 17, 23), level))).pixels
    assert (result - level).abs().max() <= 1e-6


@pytest.mark.parametrize("method", UPSAMPLERS)
def test_pixels_that_are_not_finite_count_as_black(method):
    frames = noise(1, 20, 20)
    frames[0, 3, 4], frames[0, 9, 9] = torch.nan, torch.inf
    black = frames.nan_to_num(nan=0.0, posinf=0.0)
    broken, plain = (stage(method, 20, 20).push(batch(f)).pixels for f in (frames, black))
    assert torch.equal(broken, plain)
    nothing = stage(method, 20, 20).push(batch(torch.full((1, 20, 20), torch.nan))).pixels
    assert not nothing.any()


@pytest.mark.parametrize("method", UPSAMPLERS)
def test_twins_are_enlarged_as_if_they_were_alone(method):
    frames, twins = noise(2, 16, 18), noise(2, 16, 18, seed=1)
    both = stage(method, 16, 18).push(batch(frames, raw=twins))
    assert torch.equal(both.pixels, stage(method, 16, 18).push(batch(frames)).pixels)
    assert torch.equal(both.raw, stage(method, 16, 18).push(batch(twins)).pixels)
    assert list(both.steps) == [0, 1]


@pytest.mark.parametrize("method", UPSAMPLERS)
def test_result_does_not_depend_on_how_the_stream_is_cut(method):
    frames = noise(2, 16, 18)
    whole = stage(method, 16, 18).push(batch(frames)).pixels
    cut = stage(method, 16, 18)
    parts = [cut.push(batch(part)).pixels for part in (frames[:1], frames[1:])]
    assert torch.allclose(torch.cat(parts), whole, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("method", UPSAMPLERS)
def test_gap_and_reset_make_the_next_frame_a_first_one(method):
    frames = noise(1, 16, 18)
    upsampler = stage(method, 16, 18)
    fresh = upsampler.push(batch(frames)).pixels
    behind_gap = upsampler.push(batch(frames, gap=40))
    upsampler.reset()
    assert torch.equal(behind_gap.pixels, fresh)
    assert behind_gap.gap == 40
    assert torch.equal(upsampler.push(batch(frames)).pixels, fresh)


@pytest.mark.parametrize("method", LINEAR_MAPS)
def test_commutes_with_filtering_in_time(method):
    frames = noise(24, 17, 23)

    def filtered(sequence):
        band = BandPass(250.0, 380.0)
        return torch.stack([band.step(frame, 0.001 * (i > 0)) for i, frame in enumerate(sequence)])

    before = stage(method, 17, 23, 1.7).push(batch(filtered(frames))).pixels
    after = filtered(stage(method, 17, 23, 1.7).push(batch(frames)).pixels)
    assert after.abs().max() > 0.1
    assert (before - after).abs().max() < 1e-5 * after.abs().max()


@pytest.mark.parametrize("method", UPSAMPLERS)
@pytest.mark.parametrize("scale", [0.9, 0.0, -1.0, float("nan"), float("inf")])
def test_scale_below_one_is_refused(method, scale):
    with pytest.raises(OptionError, match="1 or more"):
        make_upsampler(method, scale=scale, height=20, width=20)


@pytest.mark.parametrize("method", UPSAMPLERS)
def test_frames_of_another_size_are_refused(method):
    with pytest.raises(ShapeError, match=r"\(20, 21\), expected \(20, 20\)"):
        stage(method, 20, 20).push(batch(torch.zeros(1, 20, 21)))


def test_unknown_method_is_refused_with_the_names():
    with pytest.raises(OptionError, match="histospline, linear, bicubic, lanczos, wire"):
        make_upsampler("magic", scale=2.0, height=20, width=20)
