"""What `riesz` and `phase` have in common: they turn local phases. Truth: pictures computed at their moved places."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.magnification import MAGNIFIERS, make_magnifier
from spikemm.magnification.local_phase import Bands, LocalPhaseMeter
from spikemm.magnification.riesz_pyramid import RieszPyramid
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


@pytest.fixture(params=["riesz", "phase"])
def method(request):
    return request.param


def magnifier(method, alpha, mode="band", window=1, axis=None):
    return make_magnifier(
        method,
        alpha=alpha,
        mode=mode,
        band_hz=(250.0, 380.0) if mode == "band" else None,
        rate_hz=RATE_HZ,
        hop=HOP,
        front=MapSpec("rate", window),
        height=HEIGHT,
        width=WIDTH,
        axis=axis,
    )


def vibration(amplitude, count=48):
    steps = np.arange(count) * HOP
    return amplitude * np.sin(2 * np.pi * HZ * steps / RATE_HZ + 1.0), steps


def gain(method, picture, amplitude, alpha, noise=0.0, **options):
    random = np.random.default_rng(1)
    moves, steps = vibration(amplitude)
    frames = [picture(d) + noise * random.standard_normal((HEIGHT, WIDTH)) for d in moves]
    out = magnifier(method, alpha, **options).push(batch(frames)).pixels[32:]
    across = displacement(batch([picture(0.1)]).pixels, ROI, reference=picture(0.0))[0, 0] / 0.1
    shown = displacement(out, ROI, reference=picture(0.0))[:, 0]
    return fit_sine(shown, steps[32:], RATE_HZ, HZ).amplitude / amplitude / across


def test_local_phase_is_that_of_the_displacement_on_every_level():
    pyramid = RieszPyramid(HEIGHT, WIDTH, "cpu")

    def divided(frame):
        values = pyramid.split(batch([frame]).pixels[0])
        return Bands(values, [pyramid.gradient(v, i) for i, v in enumerate(values)])

    phases = LocalPhaseMeter(pyramid, divided(texture(0.0))).measure(divided(texture(0.3, -0.2)))
    for phase in phases[:2]:
        found = phase.displacement[:, 2:-2, 2:-2].flatten(1).median(dim=1).values
        assert found.numpy() == pytest.approx([0.3, -0.2], abs=0.02)


@pytest.mark.parametrize("picture", [texture, edge])
@pytest.mark.parametrize(("amplitude", "alpha"), [(0.02, 10), (0.05, 20), (0.3, 10), (1.0, 5)])
def test_gain_in_band_mode_is_as_claimed(method, picture, amplitude, alpha):
    claim = MAGNIFIERS[method].claim
    assert claim.input_px[0] <= amplitude <= claim.input_px[1]
    assert amplitude * alpha <= claim.output_px
    assert gain(method, picture, amplitude, alpha) == pytest.approx(alpha, rel=claim.gain)


def test_gain_is_nearly_exact_while_the_output_is_small(method):
    assert gain(method, texture, 0.05, 10) == pytest.approx(10.0, rel={"riesz": 0.03, "phase": 0.1}[method])


def test_gain_in_static_mode_is_as_claimed(method):
    assert gain(method, texture, 0.3, 10, mode="static") == pytest.approx(10.0, rel=MAGNIFIERS[method].claim.gain)


def test_gain_holds_under_noise_of_the_sensor(method):
    assert gain(method, texture, 0.05, 10, noise=0.005) == pytest.approx(10.0, rel=MAGNIFIERS[method].claim.gain)


def test_what_the_front_end_hides_is_put_back(method):
    """A window of 32 steps shows sinc(0.496) = 0.64 of 310 Hz."""
    shown = np.sinc(HZ * 32 / RATE_HZ)
    moves, steps = vibration(0.2)
    out = magnifier(method, 5.0, window=32).push(batch([texture(shown * d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.1)


def test_dynamic_mode_magnifies_the_motion_since_the_frame_before(method):
    moves = np.array([0.0, 0.2, 0.2, 0.5])
    out = magnifier(method, 5.0, mode="dynamic").push(batch([texture(d) for d in moves]))
    expected = np.concatenate(([0.0], moves[:-1] + 5.0 * np.diff(moves)))
    assert displacement(out.pixels, ROI, reference=texture(0.0))[:, 0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("mode", ["band", "static"])
def test_alpha_0_freezes_and_alpha_1_leaves_the_motion(method, mode):
    assert gain(method, texture, 0.3, 0.0, mode=mode) < 0.1
    frames = batch([texture(d) for d in vibration(0.3)[0]])
    assert (magnifier(method, 1.0, mode=mode).push(frames).pixels - frames.pixels).abs().max() < 1e-4


@pytest.mark.parametrize(("axis", "index"), [("x", 0), ("y", 1)])
def test_axis_magnifies_one_component(method, axis, index):
    """`phase` splits by direction, so that what is slanted belongs to both components."""
    moves, steps = vibration(0.2)
    out = magnifier(method, 10.0, axis=axis).push(batch([texture(d, d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0)).T
    fitted = [fit_sine(component, steps[32:], RATE_HZ, HZ).amplitude for component in found]
    assert fitted[index] > 2.0 * fitted[1 - index]
    if method == "riesz":
        assert fitted[index] == pytest.approx(2.0, rel=MAGNIFIERS[method].claim.gain)
        assert fitted[1 - index] == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("mode", ["band", "static", "dynamic"])
def test_still_scene_with_noise_stays_still(method, mode):
    random = np.random.default_rng(2)
    frames = batch([texture(0.0) + 0.005 * random.standard_normal((HEIGHT, WIDTH)) for _ in range(56)])
    moved = displacement(magnifier(method, 10.0, mode=mode).push(frames).pixels[32:], ROI, reference=texture(0.0))
    assert np.abs(moved).max() < 0.02


@pytest.mark.parametrize("mode", ["band", "static"])
def test_flickering_light_is_not_taken_for_motion(method, mode):
    _, steps = vibration(0.0)
    light = 1.0 + 0.02 * np.sin(2 * np.pi * 300.0 * steps / RATE_HZ)
    out = magnifier(method, 10.0, mode=mode).push(batch([texture(0.0) * v for v in light]))
    assert np.abs(displacement(out.pixels, ROI, reference=texture(0.0))).max() < 0.002


def test_scene_that_wanders_off_is_followed(method):
    """0.2 px a frame, 10 px in all, and a vibration on top."""
    moves, steps = vibration(0.2)
    drift = 0.2 * np.arange(len(steps))
    out = magnifier(method, 5.0).push(batch([texture(d + x) for d, x in zip(moves, drift, strict=True)]))
    found = displacement(out.pixels, ROI, reference=texture(0.0))[32:, 0] - drift[32:]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("light", [0.0, 0.4, 1.0])
def test_constant_frames_are_left_as_they_are(method, light):
    frames = batch([np.full((HEIGHT, WIDTH), light)] * 6)
    assert (magnifier(method, 10.0).push(frames).pixels - light).abs().max() < 1e-5
