import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError
from spikemm.upsampling import make_upsampler
from spikemm.upsampling.histospline import Histospline


def batch(frames, raw=None):
    return FrameBatch(frames, np.arange(len(frames), dtype=np.int64), raw=raw)


def enlarge(frames, scale, **options):
    height, width = frames.shape[1:]
    return make_upsampler("histospline", scale=scale, height=height, width=width, **options).push(batch(frames)).pixels


def pixel_averages(height, width, scale):
    """Averages over pixels of side 1/scale of a smooth picture, by fine sampling: the truth at any scale."""
    fine = 8
    y = (np.arange(round(height * scale) * fine) + 0.5) * height / (round(height * scale) * fine)
    x = (np.arange(round(width * scale) * fine) + 0.5) * width / (round(width * scale) * fine)
    picture = 0.5 + 0.2 * np.sin(0.9 * x[None] + 0.4 * y[:, None]) + 0.2 * np.cos(0.5 * x[None] - 1.1 * y[:, None])
    return picture.reshape(round(height * scale), fine, round(width * scale), fine).mean((1, 3))


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, np.pi])
@pytest.mark.parametrize("size", [(16, 16), (37, 51)])
def test_smooth_picture_is_recovered_at_any_scale(size, scale):
    truth = pixel_averages(*size, scale)
    result = enlarge(torch.tensor(pixel_averages(*size, 1.0)[None], dtype=torch.float32), scale)[0].numpy()
    assert result.shape == truth.shape
    border = int(np.ceil(4 * scale))
    inner = np.s_[border:-border, border:-border]
    assert np.abs(result - truth)[inner].max() < 0.012


def test_result_is_nearer_to_the_truth_than_bilinear_and_bicubic():
    frame, truth = (pixel_averages(48, 48, s)[None].astype(np.float32) for s in (1.0, 2.0))

    def error(result):
        return float(((result.numpy() - truth)[:, 8:-8, 8:-8] ** 2).mean())

    ours = error(enlarge(torch.from_numpy(frame), 2.0))
    for mode in ("bilinear", "bicubic"):
        other = torch.nn.functional.interpolate(torch.from_numpy(frame)[None], scale_factor=2, mode=mode)[0]
        assert ours < 0.5 * error(other)


def test_averages_over_input_pixels_are_the_input():
    frame = torch.tensor(pixel_averages(40, 56, 1.0)[None], dtype=torch.float32)
    back = torch.nn.functional.avg_pool2d(enlarge(frame, 3.0), 3)
    assert (back - frame).abs().max() < 0.005


def test_flat_picture_stays_exactly_flat():
    flat = torch.full((1, 33, 47), 0.37)
    assert (enlarge(flat, 1.7) - 0.37).abs().max() < 1e-6


def test_picture_is_not_shifted():
    frame = torch.zeros(1, 41, 41)
    frame[0, 20, 20] = 1.0
    result = enlarge(frame, 2.0)[0].double()
    place = (torch.arange(82) + 0.5) / 2 - 0.5
    assert float((result.sum(0) * place).sum() / result.sum()) == pytest.approx(20.0, abs=1e-4)
    assert float((result.sum(1) * place).sum() / result.sum()) == pytest.approx(20.0, abs=1e-4)


def test_commutes_with_filtering_in_time():
    frames = torch.rand(5, 24, 32, generator=torch.Generator().manual_seed(1))
    weights = torch.tensor([0.1, -0.4, 1.2, 0.3, -0.2])
    before = enlarge(torch.einsum("n,nyx->yx", weights, frames)[None], 2.0)[0]
    after = torch.einsum("n,nyx->yx", weights, enlarge(frames, 2.0))
    assert (before - after).abs().max() < 1e-5


def test_frame_of_the_full_size_agrees_with_the_dense_solution():
    rows = np.linspace(0, 1, 250)[:, None] * np.random.default_rng(0).random((250, 400))
    wide = enlarge(torch.tensor(rows[None], dtype=torch.float32), 2.0)[0]
    narrow = enlarge(torch.tensor(rows[None, :40, :40], dtype=torch.float32), 2.0)[0]
    assert (wide[:40, :40] - narrow[:40, :40]).abs().max() < 1e-4


def test_noise_regularises():
    noise = torch.randn(1, 48, 48, generator=torch.Generator().manual_seed(0))
    spread = [
        float(Histospline(scale=2.0, height=48, width=48, noise=s).push(batch(noise)).pixels.std()) for s in (0.0, 0.2)
    ]
    assert spread[1] < 0.8 * spread[0]


def test_raw_is_enlarged_as_well_and_the_rest_kept():
    frames = torch.rand(2, 20, 24)
    stage = make_upsampler("histospline", scale=2.0, height=20, width=24)
    result = stage.push(FrameBatch(frames, np.array([40, 60]), gap=7, raw=frames))
    assert stage.shape == (40, 48) == tuple(result.pixels.shape[1:])
    assert torch.equal(result.pixels, result.raw)
    assert (result.gap, list(result.steps)) == (7, [40, 60])


def test_pixels_that_are_not_finite_count_as_black():
    frame = torch.full((1, 20, 20), 0.5)
    frame[0, 3, 4], frame[0, 9, 9] = torch.nan, torch.inf
    black = frame.nan_to_num(nan=0.0, posinf=0.0)
    assert torch.equal(enlarge(frame, 2.0), enlarge(black, 2.0))


@pytest.mark.parametrize("scale", [0.9, 0.0, -1.0, float("nan"), float("inf")])
def test_scale_below_one_is_refused(scale):
    with pytest.raises(OptionError, match="1 or more"):
        make_upsampler("histospline", scale=scale, height=20, width=20)


def test_unknown_method_is_refused_with_the_names():
    with pytest.raises(OptionError, match="histospline"):
        make_upsampler("magic", scale=2.0, height=20, width=20)


def test_frames_of_another_size_are_refused():
    stage = make_upsampler("histospline", scale=2.0, height=20, width=20)
    with pytest.raises(ShapeError, match=r"\(20, 21\), expected \(20, 20\)"):
        stage.push(batch(torch.zeros(1, 20, 21)))
