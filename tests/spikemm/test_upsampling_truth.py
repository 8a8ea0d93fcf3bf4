"""Upsampled pictures against pictures painted at the larger size; a pixel is the average over its area."""

import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.metrics import displacement, psnr
from spikemm.simulator import SCENES, make_scene
from spikemm.upsampling import make_upsampler
from spikemm.upsampling.wire import Wire

HEIGHT, WIDTH = 80, 128
INTERPOLATIONS = ["linear", "bicubic", "lanczos"]
SCALES = [1.0, 1.37, 2.0, 8.0]


def averaged(picture, side):
    height, width = picture.shape
    return picture.reshape(height // side, side, width // side, side).mean((1, 3))


def painted(name, fine=2):
    """A scene as seen by a sensor, and by one of twice as many pixels a side."""
    scene = make_scene(name, height=2 * fine * HEIGHT, width=2 * fine * WIDTH)
    light = scene.frame(0.5).astype(np.float64)
    return averaged(light, 2 * fine), averaged(light, fine)


def enlarged(method, frame, scale=2.0):
    return push(make_upsampler(method, scale=scale, height=frame.shape[0], width=frame.shape[1]), frame)


def push(upsampler, frame):
    frames = torch.tensor(frame[None], dtype=torch.float32)
    return upsampler.push(FrameBatch(frames, np.array([0]))).pixels[0].double().numpy()


@pytest.mark.parametrize("name", [name for name in SCENES if name != "flat"])
def test_histospline_is_nearest_to_the_truth_on_every_scene(name):
    frame, truth = painted(name)
    ours = psnr(enlarged("histospline", frame), truth)
    assert all(ours > psnr(enlarged(method, frame), truth) for method in INTERPOLATIONS)


def test_wire_is_nearer_to_the_truth_than_linear_on_a_window_and_histospline_is_nearest():
    frame, truth = painted("tuning-fork")
    frame, truth = frame[32:56, 57:81], truth[64:112, 114:162]
    known = np.s_[6:-6, 6:-6]  # further out it matters what one takes the picture to be beyond the window
    wire = psnr(push(Wire(scale=2.0, height=24, width=24, iterations=100), frame)[known], truth[known])
    linear, histospline = (psnr(enlarged(method, frame)[known], truth[known]) for method in ("linear", "histospline"))
    assert linear + 0.5 < wire < histospline


def places(size, scale):
    """Centres of the enlarged pixels, in px of the picture."""
    large = round(size * scale)
    return (np.arange(large) + 0.5) * size / large - 0.5


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("method", "error_px"), [("linear", 1e-4), ("bicubic", 1e-4), ("lanczos", 0.02)])
def test_a_slope_is_continued_where_it_belongs(method, error_px, scale):
    slope = np.arange(40.0)[None, :] + 0.0 * np.arange(16.0)[:, None]
    result = enlarged(method, slope, scale)
    inside = (places(40, scale) > 4) & (places(40, scale) < 35)
    assert np.abs(result[:, inside] - places(40, scale)[inside]).max() < error_px


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_continues_a_parabola(scale):
    parabola = (np.arange(40.0) - 20.0)[None, :] ** 2 + 0.0 * np.arange(16.0)[:, None]
    result = enlarged("bicubic", parabola, scale)
    inside = (places(40, scale) > 3) & (places(40, scale) < 36)
    assert result[:, inside] == pytest.approx(
        np.tile((places(40, scale)[inside] - 20.0) ** 2, (len(result), 1)), abs=1e-3
    )


@pytest.mark.parametrize("method", ["histospline", *INTERPOLATIONS])
@pytest.mark.parametrize("scale", [1.37, 2.0, 8.0])
def test_a_wave_keeps_its_phase(method, scale):
    """The phase at the scene's frequency is the position: a shifting method would turn it."""
    q = 2 * np.pi / 8
    for shift in (0.0, 0.3):
        wave = 0.5 + 0.3 * np.cos(q * (np.arange(40.0) - shift))[None, :] + 0.0 * np.arange(16.0)[:, None]
        row, x = enlarged(method, wave, scale)[8], places(40, scale)
        inside = (x > 4) & (x < 35)
        basis = np.stack([np.cos(q * x), np.sin(q * x), np.ones_like(x)], axis=1)[inside]
        c, s, _ = np.linalg.lstsq(basis, row[inside], rcond=None)[0]
        assert np.arctan2(s, c) / q == pytest.approx(shift, abs=0.004)


@pytest.mark.parametrize("method", ["histospline", *INTERPOLATIONS])
def test_motion_is_enlarged_by_the_scale(method):
    y, x = np.mgrid[:32, :32].astype(np.float64)

    def picture(dx):
        return 0.4 + 0.1 * np.cos(0.5 * (x - dx) + 0.2 * y) + 0.1 * np.cos(0.3 * (x - dx) - 0.4 * y + 1.0)

    still, moved = (enlarged(method, picture(dx)) for dx in (0.0, 0.3))
    measured = displacement(moved[None], (14, 14, 36, 36), reference=still)[0]
    assert measured == pytest.approx([0.6, 0.0], abs=0.005)


@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_interpolation_at_scale_one_changes_nothing(method):
    frame, _ = painted("balloon")
    assert np.abs(enlarged(method, frame, 1.0) - frame).max() < 1e-6


@pytest.mark.parametrize("method", ["histospline", *INTERPOLATIONS])
def test_beyond_the_border_the_picture_is_mirrored(method):
    frame = np.random.default_rng(0).random((16, 18))
    mirrored = np.pad(frame, 16, mode="symmetric")
    assert enlarged(method, frame) == pytest.approx(enlarged(method, mirrored)[32:-32, 32:-32], abs=1e-4)
