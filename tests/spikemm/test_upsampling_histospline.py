import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.upsampling.histospline import Histospline


def enlarge(frames, scale, **options):
    stage = Histospline(scale=scale, height=frames.shape[1], width=frames.shape[2], **options)
    return stage.push(FrameBatch(frames, np.arange(len(frames)))).pixels


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


def test_picture_is_not_shifted():
    frame = torch.zeros(1, 41, 41)
    frame[0, 20, 20] = 1.0
    result = enlarge(frame, 2.0)[0].double()
    place = (torch.arange(82) + 0.5) / 2 - 0.5
    assert float((result.sum(0) * place).sum() / result.sum()) == pytest.approx(20.0, abs=1e-4)
    assert float((result.sum(1) * place).sum() / result.sum()) == pytest.approx(20.0, abs=1e-4)


def test_frame_of_the_full_size_agrees_with_the_dense_solution():
    rows = np.linspace(0, 1, 250)[:, None] * np.random.default_rng(0).random((250, 400))
    wide = enlarge(torch.tensor(rows[None], dtype=torch.float32), 2.0)[0]
    narrow = enlarge(torch.tensor(rows[None, :40, :40], dtype=torch.float32), 2.0)[0]
    assert (wide[:40, :40] - narrow[:40, :40]).abs().max() < 1e-4


def test_noise_regularises():
    noise = torch.randn(1, 48, 48, generator=torch.Generator().manual_seed(0))
    spread = [float(enlarge(noise, 2.0, noise=s).std()) for s in (0.0, 0.2)]
    assert spread[1] < 0.8 * spread[0]
