"""What `riesz` and `phase` have in common: they turn local phases. Truth: pictures computed at their moved places."""

from functools import partial

import numpy as np
import pytest

from spikemm.magnification import MAGNIFIERS
from spikemm.magnification.local_phase import Bands, LocalPhaseMeter
from spikemm.magnification.riesz_pyramid import RieszPyramid
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 80, 112
ROI = (28, 20, 56, 40)


@pytest.fixture(params=["riesz", "phase"])
def method(request):
    return request.param


@pytest.fixture
def gain(gain):
    """Return the gain on fewer frames: these methods take their time."""
    return partial(gain, count=16)


def test_local_phase_is_that_of_the_displacement_on_every_level(texture, batch):
    pyramid = RieszPyramid(HEIGHT, WIDTH, "cpu")

    def divided(frame):
        values = pyramid.split(batch([frame]).pixels[0])
        return Bands(values, [pyramid.gradient(v, i) for i, v in enumerate(values)])

    phases = LocalPhaseMeter(pyramid, divided(texture(0.0))).measure(divided(texture(0.3, -0.2)))
    for phase in phases[:2]:
        found = phase.displacement[:, 2:-2, 2:-2].flatten(1).median(dim=1).values
        assert found.numpy() == pytest.approx([0.3, -0.2], abs=0.02)


@pytest.mark.parametrize(("amplitude", "alpha"), [(0.02, 10), (0.05, 20), (0.3, 10), (1.0, 5)])
def test_gain_in_band_mode_is_as_claimed(method, picture, amplitude, alpha, gain):
    claim = MAGNIFIERS[method].claim
    assert claim.input_px[0] <= amplitude <= claim.input_px[1]
    assert amplitude * alpha <= claim.output_px
    assert gain(method, picture, amplitude, alpha) == pytest.approx(alpha, rel=claim.gain)


def test_gain_is_nearly_exact_while_the_output_is_small(method, texture, gain):
    assert gain(method, texture, 0.05, 10) == pytest.approx(10.0, rel={"riesz": 0.03, "phase": 0.1}[method])


def test_gain_in_static_mode_is_as_claimed(method, texture, gain):
    assert gain(method, texture, 0.3, 10, mode="static") == pytest.approx(10.0, rel=MAGNIFIERS[method].claim.gain)


def test_gain_holds_under_noise_of_the_sensor(method, texture, gain):
    assert gain(method, texture, 0.05, 10, noise=0.005) == pytest.approx(10.0, rel=MAGNIFIERS[method].claim.gain)


def test_what_the_front_end_hides_is_put_back(method, texture, batch, magnifier, vibration):
    """A window of 32 steps shows sinc(0.496) = 0.64 of 310 Hz."""
    shown = np.sinc(HZ * 32 / RATE_HZ)
    moves, steps = vibration(0.2, 48)
    out = magnifier(method, 5.0, front=MapSpec("rate", 32)).push(batch([texture(shown * d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.1)


def test_dynamic_mode_magnifies_the_motion_since_the_frame_before(method, texture, batch, magnifier):
    moves = np.array([0.0, 0.2, 0.2, 0.5])
    out = magnifier(method, 5.0, mode="dynamic").push(batch([texture(d) for d in moves]))
    expected = np.concatenate(([0.0], moves[:-1] + 5.0 * np.diff(moves)))
    assert displacement(out.pixels, ROI, reference=texture(0.0))[:, 0] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("mode", ["band", "static"])
def test_alpha_0_freezes_and_alpha_1_leaves_the_motion(method, mode, texture, batch, magnifier, vibration, gain):
    assert gain(method, texture, 0.3, 0.0, mode=mode) < 0.1
    frames = batch([texture(d) for d in vibration(0.3, 48)[0]])
    assert (magnifier(method, 1.0, mode=mode).push(frames).pixels - frames.pixels).abs().max() < 1e-4


@pytest.mark.parametrize(("axis", "index"), [("x", 0), ("y", 1)])
def test_axis_magnifies_one_component(method, axis, index, texture, batch, magnifier, vibration):
    """`phase` splits by direction, so that what is slanted belongs to both components."""
    moves, steps = vibration(0.2, 48)
    out = magnifier(method, 10.0, axis=axis).push(batch([texture(d, d) for d in moves])).pixels[32:]
    found = displacement(out, ROI, reference=texture(0.0)).T
    fitted = [fit_sine(component, steps[32:], RATE_HZ, HZ).amplitude for component in found]
    assert fitted[index] > 2.0 * fitted[1 - index]
    if method == "riesz":
        assert fitted[index] == pytest.approx(2.0, rel=MAGNIFIERS[method].claim.gain)
        assert fitted[1 - index] == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("mode", ["band", "static", "dynamic"])
def test_still_scene_with_noise_stays_still(method, mode, texture, batch, magnifier):
    random = np.random.default_rng(2)
    frames = batch([texture(0.0) + 0.005 * random.standard_normal((HEIGHT, WIDTH)) for _ in range(56)])
    moved = displacement(magnifier(method, 10.0, mode=mode).push(frames).pixels[32:], ROI, reference=texture(0.0))
    assert np.abs(moved).max() < 0.02


@pytest.mark.parametrize("mode", ["band", "static"])
def test_flickering_light_is_not_taken_for_motion(method, mode, texture, batch, magnifier, vibration):
    _, steps = vibration(0.0, 48)
    light = 1.0 + 0.02 * np.sin(2 * np.pi * 300.0 * steps / RATE_HZ)
    out = magnifier(method, 10.0, mode=mode).push(batch([texture(0.0) * v for v in light]))
    assert np.abs(displacement(out.pixels, ROI, reference=texture(0.0))).max() < 0.002


def test_scene_that_wanders_off_is_followed(method, texture, batch, magnifier, vibration):
    """0.2 px a frame, 10 px in all, and a vibration on top."""
    moves, steps = vibration(0.2, 48)
    drift = 0.2 * np.arange(len(steps))
    out = magnifier(method, 5.0).push(batch([texture(d + x) for d, x in zip(moves, drift, strict=True)]))
    found = displacement(out.pixels, ROI, reference=texture(0.0))[32:, 0] - drift[32:]
    assert fit_sine(found, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("light", [0.0, 0.4, 1.0])
def test_constant_frames_are_left_as_they_are(method, light, batch, magnifier):
    frames = batch([np.full((HEIGHT, WIDTH), light)] * 6)
    assert (magnifier(method, 10.0).push(frames).pixels - light).abs().max() < 1e-5
