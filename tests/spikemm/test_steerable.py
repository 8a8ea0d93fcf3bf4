"""Truth: textures and edges computed at their moved places."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.magnification.options import MagnifierOptions
from spikemm.magnification.steerable import SteerableMagnifier
from spikemm.magnification.steerable_pyramid import SteerablePyramid
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 80, 112
ROI = (28, 20, 56, 40)


def texture(dx, dy=0.0, seed=0):
    """A sum of plane waves of 6.3 to 42 px."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.15, 1.0, 40), random.uniform(0, np.pi, 40), random.uniform(0, 6.28, 40)
    waves = [
        np.cos(q * (np.cos(a) * (x - dx) + np.sin(a) * (y - dy)) + p) / q
        for q, a, p in zip(k, angle, phase, strict=True)
    ]
    return 0.35 + 0.12 * np.sum(waves, axis=0) / np.sqrt((0.5 / k**2).sum())


def edge(dx):
    """An upright, slightly slanted erf edge, moved by dx to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return 0.4 + 0.2 * erf((x - dx - WIDTH / 2 + 0.15 * (y - HEIGHT / 2)) / np.sqrt(2))


def batch(frames):
    return FrameBatch(torch.tensor(np.stack(frames), dtype=torch.float32), np.arange(len(frames)) * HOP)


def magnifier(alpha, mode="band", window=1, axis=None):
    options = MagnifierOptions(
        alpha=alpha,
        mode=mode,
        band_hz=(250.0, 380.0) if mode == "band" else None,
        rate_hz=RATE_HZ,
        hop=HOP,
        front=MapSpec("rate", window),
        height=HEIGHT,
        width=WIDTH,
        device="cpu",
        axis=axis,
    )
    return SteerableMagnifier(options)


def vibration(amplitude, count=48):
    steps = np.arange(count) * HOP
    return amplitude * np.sin(2 * np.pi * HZ * steps / RATE_HZ + 1.0), steps


def gain(picture, amplitude, alpha, noise=0.0, **options):
    random = np.random.default_rng(1)
    moves, steps = vibration(amplitude)
    frames = [picture(d) + noise * random.standard_normal((HEIGHT, WIDTH)) for d in moves]
    out = magnifier(alpha, **options).push(batch(frames)).pixels[32:]
    across = displacement(batch([picture(0.1)]).pixels, ROI, reference=picture(0.0))[0, 0] / 0.1
    shown = displacement(out, ROI, reference=picture(0.0))[:, 0]
    return fit_sine(shown, steps[32:], RATE_HZ, HZ).amplitude / amplitude / across


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


@pytest.mark.parametrize("picture", [texture, edge])
@pytest.mark.parametrize(("amplitude", "alpha"), [(0.02, 10), (0.05, 20), (0.3, 10), (1.0, 5)])
def test_gain_in_band_mode_is_as_claimed(picture, amplitude, alpha):
    claim = SteerableMagnifier.claim
    assert claim.input_px[0] <= amplitude <= claim.input_px[1]
    assert amplitude * alpha <= claim.output_px
    assert gain(picture, amplitude, alpha) == pytest.approx(alpha, rel=claim.gain)


def test_gain_is_within_10_percent_while_the_output_is_small():
    assert gain(texture, 0.05, 10) == pytest.approx(10.0, rel=0.1)


def test_gain_in_static_mode_is_as_claimed():
    assert gain(texture, 0.3, 10, mode="static") == pytest.approx(10.0, rel=SteerableMagnifier.claim.gain)


def test_gain_holds_under_noise_of_the_sensor():
    assert gain(texture, 0.05, 10, noise=0.005) == pytest.approx(10.0, rel=SteerableMagnifier.claim.gain)


def test_what_the_front_end_hides_is_put_back():
    """A window of 32 steps shows sinc(0.496) = 0.64 of 310 Hz."""
    shown = np.sinc(HZ * 32 / RATE_HZ)
    moves, steps = vibration(0.2)
    out = magnifier(5.0, window=32).push(batch([texture(shown * d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.1)


def test_dynamic_mode_magnifies_the_motion_since_the_frame_before():
    moves = np.array([0.0, 0.2, 0.2, 0.5])
    out = magnifier(5.0, mode="dynamic").push(batch([texture(d) for d in moves]))
    expected = np.concatenate(([0.0], moves[:-1] + 5.0 * np.diff(moves)))
    assert displacement(out.pixels, ROI, reference=texture(0.0))[:, 0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("mode", ["band", "static"])
def test_alpha_0_freezes_and_alpha_1_leaves_the_motion(mode):
    assert gain(texture, 0.3, 0.0, mode=mode) < 0.1
    frames = batch([texture(d) for d in vibration(0.3)[0]])
    assert (magnifier(1.0, mode=mode).push(frames).pixels - frames.pixels).abs().max() < 1e-4


@pytest.mark.parametrize("axis", ["x", "y"])
def test_axis_magnifies_mostly_one_component(axis):
    moves, steps = vibration(0.2)
    out = magnifier(10.0, axis=axis).push(batch([texture(d, d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0)).T
    x, y = (fit_sine(component, steps[32:], RATE_HZ, HZ).amplitude for component in found)
    assert (x > 2.0 * y) if axis == "x" else (y > 2.0 * x)


@pytest.mark.parametrize("mode", ["band", "static", "dynamic"])
def test_still_scene_with_noise_stays_still(mode):
    random = np.random.default_rng(2)
    frames = batch([texture(0.0) + 0.005 * random.standard_normal((HEIGHT, WIDTH)) for _ in range(56)])
    moved = displacement(magnifier(10.0, mode=mode).push(frames).pixels[32:], ROI, reference=texture(0.0))
    assert np.abs(moved).max() < 0.02


@pytest.mark.parametrize("mode", ["band", "static"])
def test_flickering_light_is_not_taken_for_motion(mode):
    _, steps = vibration(0.0)
    light = 1.0 + 0.02 * np.sin(2 * np.pi * 300.0 * steps / RATE_HZ)
    out = magnifier(10.0, mode=mode).push(batch([texture(0.0) * v for v in light]))
    assert np.abs(displacement(out.pixels, ROI, reference=texture(0.0))).max() < 0.002


def test_scene_that_wanders_off_is_followed():
    """0.2 px a frame, 10 px in all, and a vibration on top."""
    moves, steps = vibration(0.2)
    drift = 0.2 * np.arange(len(steps))
    out = magnifier(5.0).push(batch([texture(d + x) for d, x in zip(moves, drift, strict=True)]))
    found = displacement(out.pixels, ROI, reference=texture(0.0))[32:, 0] - drift[32:]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("light", [0.0, 0.4, 1.0])
def test_constant_frames_are_left_as_they_are(light):
    frames = batch([np.full((HEIGHT, WIDTH), light)] * 6)
    assert (magnifier(10.0).push(frames).pixels - light).abs().max() < 1e-5
