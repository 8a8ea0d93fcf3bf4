"""Truth: textures and edges computed at their moved places, never by our own sampling."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError
from spikemm.magnification import MAGNIFIERS
from spikemm.magnification.sampling import SplineSampler
from spikemm.magnification.temporal import BandPass
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 80, 112
ROI = (28, 20, 56, 40)
INSTANT = MapSpec("rate", 1)


def test_sampling_a_smooth_picture_0_3_px_off_moves_it_0_3_px(texture, batch):
    shift = torch.stack((torch.full((HEIGHT, WIDTH), 0.3), torch.zeros(HEIGHT, WIDTH)))
    moved = SplineSampler(HEIGHT, WIDTH, "cpu").warp(batch([texture(0.0)]).pixels[0], shift)
    assert displacement(moved[None], ROI, reference=texture(0.0))[0] == pytest.approx([0.3, 0.0], abs=0.003)
    assert np.abs(moved.numpy() - texture(0.3))[8:-8, 8:-8].max() < 0.002


@pytest.mark.parametrize(
    ("amplitude", "alpha"), [(0.02, 10), (0.05, 2), (0.05, 20), (0.3, 10), (0.5, 20), (1.0, 2), (1.0, 10)]
)
def test_warp_in_band_mode_has_the_stated_gain(picture, amplitude, alpha, gain):
    assert gain("warp", picture, amplitude, alpha) == pytest.approx(alpha, rel=0.05)


@pytest.mark.parametrize(("amplitude", "alpha"), [(0.05, 20), (0.3, 10), (0.5, 10), (1.0, 2)])
def test_warp_in_static_mode_has_the_stated_gain(picture, amplitude, alpha, gain):
    assert gain("warp", picture, amplitude, alpha, mode="static") == pytest.approx(alpha, rel=0.05)


@pytest.mark.parametrize(("amplitude", "alpha"), [(0.02, 10), (0.05, 5), (0.05, 10)])
def test_linear_has_the_stated_gain_while_the_output_is_small(amplitude, alpha, texture, gain):
    for mode in ("band", "static"):
        assert gain("linear", texture, amplitude, alpha, mode=mode) == pytest.approx(alpha, rel=0.1)


@pytest.mark.parametrize("band", [(200.0, 450.0), (290.0, 340.0), (150.0, 350.0)])
def test_warp_gain_does_not_depend_on_where_in_the_band_the_motion_is(band, texture, gain):
    assert gain("warp", texture, 0.2, 10.0, settled=96, band=band) == pytest.approx(10.0, rel=0.05)


@pytest.mark.parametrize("mode", ["band", "static"])
def test_alpha_0_freezes_and_alpha_1_leaves_the_motion(mode, texture, batch, magnifier, vibration, gain):
    assert gain("warp", texture, 0.3, 0.0, mode=mode) < 0.05
    assert gain("warp", texture, 0.3, 0.5, mode=mode) == pytest.approx(0.5, abs=0.05)
    moves, _ = vibration(0.3)
    frames = batch([texture(d) for d in moves])
    assert (magnifier(alpha=1.0, mode=mode).push(frames).pixels - frames.pixels).abs().max() < 1e-4


def test_dynamic_mode_magnifies_the_motion_since_the_frame_before(texture, batch, magnifier):
    moves = np.array([0.0, 0.2, 0.2, 0.5])
    out = magnifier(alpha=5.0, mode="dynamic").push(batch([texture(d) for d in moves]))
    measured = displacement(out.pixels, ROI, reference=texture(0.0))[:, 0]
    expected = np.concatenate(([0.0], moves[:-1] + 5.0 * np.diff(moves)))
    assert measured == pytest.approx(expected, abs=0.05)


def test_static_mode_follows_a_slow_drift_without_blurring_or_magnifying_it(texture, batch, magnifier):
    moves = np.linspace(0.0, 2.0, 120)
    steps = np.arange(120) * 2000
    out = magnifier(alpha=5.0, mode="static").push(batch([texture(d) for d in moves], steps))
    error = displacement(out.pixels[-1:], ROI, reference=texture(0.0))[0, 0] - moves[-1]
    per_second = (moves[1] - moves[0]) * RATE_HZ / 2000
    assert error == pytest.approx((5.0 - 1.0) * per_second * 1.0, rel=0.1)
    assert out.pixels[-1].std() == pytest.approx(float(np.std(texture(2.0))), rel=0.01)


def test_still_background_beside_a_moving_object_stays(texture, batch, magnifier, vibration):
    def scene(dx):
        x = np.arange(WIDTH)
        inside = 0.5 + 0.5 * erf((x - dx - 70.0) / 1.2)
        return (1.0 - inside) * (texture(0.0, seed=5) * 0.6) + inside * texture(dx)

    moves, steps = vibration(0.3)
    out = magnifier().push(batch([scene(d) for d in moves]))
    background = displacement(out.pixels[32:], (8, 12, 44, 56), reference=scene(0.0))
    assert np.abs(background).max() < 0.05
    moving = displacement(out.pixels[32:], (80, 12, 24, 56), reference=scene(0.0))[:, 0]
    assert fit_sine(moving, steps[32:], RATE_HZ, HZ).amplitude == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("mode", ["band", "static"])
def test_still_scene_with_noise_stays_still(mode, texture, batch, magnifier):
    random = np.random.default_rng(2)
    frames = batch([texture(0.0) + 0.008 * random.standard_normal((HEIGHT, WIDTH)) for _ in range(96)])
    out = magnifier(mode=mode).push(frames)
    moved = displacement(out.pixels[48:], ROI, reference=texture(0.0))
    assert np.abs(moved).max() < 0.02


def test_small_motion_under_noise_is_not_lost(texture, batch, magnifier, vibration):
    random = np.random.default_rng(2)
    moves, steps = vibration(0.03, count=128)
    frames = batch([texture(d) + 0.008 * random.standard_normal((HEIGHT, WIDTH)) for d in moves])
    measured = displacement(magnifier().push(frames).pixels[64:], ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(measured, steps[64:], RATE_HZ, HZ).amplitude == pytest.approx(0.3, rel=0.1)


def test_flickering_light_is_not_taken_for_motion(texture, batch, magnifier, vibration):
    _, steps = vibration(0.0)
    light = 1.0 + 0.02 * np.sin(2 * np.pi * 300.0 * steps / RATE_HZ)
    out = magnifier().push(batch([texture(0.0) * v for v in light]))
    assert np.abs(displacement(out.pixels[8:], ROI, reference=texture(0.0))).max() < 0.02


def test_motion_outside_the_band_is_left_as_it_is(texture, batch, magnifier):
    steps = np.arange(100) * HOP
    slow = 0.3 * np.sin(2 * np.pi * 20.0 * steps / RATE_HZ)
    out = magnifier(band=(300.0, 400.0)).push(batch([texture(d) for d in slow]))
    measured = displacement(out.pixels[40:], ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(measured, steps[40:], RATE_HZ, 20.0).amplitude == pytest.approx(0.3, rel=0.05)


def test_band_pass_is_butterworth_with_gain_1_and_phase_0_at_its_centre():
    band, seconds = BandPass(200.0, 400.0), 1e-3
    assert band.response(band.centre_hz(seconds), seconds) == pytest.approx(1.0, abs=1e-9)
    assert abs(band.response(200.0, seconds)) == pytest.approx(np.sqrt(0.5))
    assert abs(band.response(400.0, seconds)) == pytest.approx(np.sqrt(0.5))
    assert abs(band.response(20.0, seconds)) < 0.02


@pytest.mark.parametrize("hz", [150.0, 280.0, 310.0])
def test_band_pass_does_in_time_what_its_response_says(hz):
    band, seconds = BandPass(200.0, 400.0), 1e-3
    steps = np.arange(400)
    x = torch.tensor(np.sin(2 * np.pi * hz * steps * seconds), dtype=torch.float64)
    y = np.array([float(band.step(v, seconds)) for v in x])
    found, expected = fit_sine(y[200:], steps[200:], 1000.0, hz), band.response(hz, seconds)
    assert found.amplitude == pytest.approx(abs(expected), rel=1e-3)
    assert found.phase == pytest.approx(np.angle(expected), abs=1e-3)


def test_band_keeps_its_place_when_the_hop_changes():
    band = BandPass(200.0, 400.0)
    gaps = np.concatenate((np.full(300, 10), np.full(300, 20)))
    steps = np.cumsum(gaps)
    x = np.sin(2 * np.pi * 290.0 * steps / RATE_HZ)
    y = np.array([float(band.step(torch.tensor(v), g / RATE_HZ)) for v, g in zip(x, gaps, strict=True)])
    for part in (slice(150, 300), slice(450, 600)):
        assert fit_sine(y[part], steps[part], RATE_HZ, 290.0).amplitude == pytest.approx(1.0, rel=0.02)
    assert np.abs(y[290:320]).max() < 1.3


def test_phase_delay_is_the_one_measured(magnifier):
    known = magnifier(band=(200.0, 400.0)).phase_delay
    assert known.degrees == pytest.approx(0.0, abs=1e-6)
    assert 280.0 < known.centre_hz < 320.0
    band, steps = BandPass(200.0, 400.0), np.arange(600)
    pulse = np.exp(-(((steps - 250) / 60.0) ** 2))
    burst = pulse * np.sin(2 * np.pi * known.centre_hz * steps / 1000.0)
    y = np.array([float(band.step(torch.tensor(v), 1e-3)) for v in burst])
    late = ((y**2 * steps).sum() / (y**2).sum() - (burst**2 * steps).sum() / (burst**2).sum()) * HOP
    assert known.envelope_steps == pytest.approx(late, rel=0.05)


@pytest.mark.parametrize("method", MAGNIFIERS)
def test_result_does_not_depend_on_how_the_stream_is_cut(method, texture, batch, magnifier, vibration):
    moves, steps = vibration(0.2, count=20)
    frames = [texture(d) for d in moves]
    whole = magnifier(method).push(batch(frames)).pixels
    stage = magnifier(method)
    parts = [stage.push(batch(frames[a:b], steps[a:b])).pixels for a, b in ((0, 1), (1, 8), (8, 20))]
    assert torch.equal(whole, torch.cat(parts))


@pytest.mark.parametrize("method", MAGNIFIERS)
def test_a_gap_and_a_reset_begin_anew(method, texture, batch, magnifier, vibration):
    moves, steps = vibration(0.2, count=24)
    frames = [texture(d) for d in moves]
    fresh = magnifier(method).push(batch(frames)).pixels
    stage = magnifier(method)
    stage.push(batch(frames[5:]))
    behind_gap = stage.push(batch(frames, steps + 9000, gap=300)).pixels
    stage.reset()
    assert torch.equal(fresh, behind_gap)
    assert torch.equal(fresh, stage.push(batch(frames)).pixels)


@pytest.mark.parametrize("method", MAGNIFIERS)
@pytest.mark.parametrize("mode", ["static", "dynamic", "band"])
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 18)])
def test_any_size_and_any_content_gives_finite_frames(method, mode, size, batch, magnifier):
    random = np.random.default_rng(0)
    broken = random.random(size)
    broken[3, 4], broken[5, 6] = np.nan, np.inf
    contents = [np.zeros(size), np.full(size, 0.4), np.ones(size), random.random(size), broken]
    stage = magnifier(method, mode=mode, size=size)
    for content in contents:
        out = stage.push(batch([content] * 3 + [contents[3]] * 3))
        assert out.pixels.shape == (6, *size)
        assert torch.isfinite(out.pixels).all()


@pytest.mark.parametrize("mode", ["static", "dynamic", "band"])
def test_picture_that_leaves_or_is_cut_is_not_torn(mode, texture, batch, magnifier):
    frames = batch([texture(8.0 * i) for i in range(12)] + [texture(0.0, seed=i) for i in range(12)])
    out = magnifier(mode=mode).push(frames).pixels
    assert torch.isfinite(out).all()
    assert out.max() < frames.pixels.max() + 0.1
    assert out.min() > frames.pixels.min() - 0.1


@pytest.mark.parametrize("method", MAGNIFIERS)
def test_raw_is_what_went_in_and_steps_and_gap_are_kept(method, texture, batch, magnifier):
    frames = batch([texture(0.0)] * 2, steps=np.array([40, 60]), gap=3)
    out = magnifier(method).push(frames)
    assert torch.equal(out.raw, frames.pixels)
    assert (list(out.steps), out.gap) == ([40, 60], 3)


def test_alpha_and_band_may_change_while_running(texture, batch, magnifier, vibration):
    moves, steps = vibration(0.2, count=128)
    frames = batch([texture(d) for d in moves])
    stage = magnifier(alpha=2.0)
    stage.push(FrameBatch(frames.pixels[:64], steps[:64]))
    stage.alpha = 10.0
    out = stage.push(FrameBatch(frames.pixels[64:], steps[64:])).pixels
    measured = displacement(out, ROI, reference=texture(0.0))[:, 0]
    assert fit_sine(measured, steps[64:], RATE_HZ, HZ).amplitude == pytest.approx(2.0, rel=0.05)
    stage.band_hz = (100.0, 200.0)
    assert stage.band_hz == (100.0, 200.0)
    with pytest.raises(OptionError, match="mode stays"):
        stage.band_hz = None


@pytest.mark.parametrize("band", [(0.0, 100.0), (200.0, 100.0), (100.0, 100.0), (-5.0, 10.0), (float("nan"), 300.0)])
def test_empty_band_is_refused(band, magnifier):
    with pytest.raises(OptionError, match="0 < low < high"):
        magnifier(band=band)


def test_band_beyond_half_the_frame_rate_is_refused_with_the_remedy(magnifier):
    with pytest.raises(OptionError, match=r"1000 frames a second \(below 500 Hz\).*more than 1200 frames"):
        magnifier(band=(300.0, 600.0))


def test_band_that_the_window_erases_is_refused_with_the_highest_frequency(texture, batch, magnifier, vibration):
    with pytest.raises(OptionError, match=r"keeps .* of a vibration of .* good up to \d+ Hz"):
        magnifier(band=(300.0, 400.0), front=MapSpec("rate", 64))
    dim = magnifier(band=(300.0, 400.0), front=MapSpec("interval", 32))
    with pytest.raises(OptionError, match="at a light of"):
        dim.push(batch([0.1 * texture(0.0)]))


@pytest.mark.parametrize("method", MAGNIFIERS)
def test_light_that_goes_out_later_does_not_end_the_run(method, texture, batch, magnifier, vibration):
    stage = magnifier(method, band=(300.0, 400.0), front=MapSpec("interval", 32))
    stage.push(batch([texture(0.0)] * 4))
    moves, steps = vibration(0.2)
    dark = stage.push(batch([0.1 * texture(d) for d in moves], steps + 9000, gap=300))
    assert torch.isfinite(dark.pixels).all()
    assert dark.pixels.max() < 2.0 * dark.raw.max()
    stage.reset()
    assert torch.isfinite(stage.push(batch([0.1 * texture(0.0)] * 2)).pixels).all()


def test_what_no_small_motion_explains_is_left_as_it_is(texture, batch, magnifier):
    """A disc that crosses the picture by 6 px a frame."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    discs = [0.5 - 0.5 * erf(np.hypot(x - 10 - 6.0 * i, y - HEIGHT / 2) / 2 - 6.0) for i in range(14)]
    still = texture(0.0, seed=5)
    frames = batch([(1 - disc) * still + 0.8 * disc for disc in discs])
    change = (magnifier(mode="static").push(frames).pixels - frames.pixels).abs()
    assert change.mean() < 0.005
    assert change.flatten(1).quantile(0.99, dim=1).max() < 0.1


@pytest.mark.parametrize("alpha", [-1.0, float("nan"), float("inf")])
def test_impossible_alpha_is_refused(alpha, magnifier):
    with pytest.raises(OptionError, match="alpha"):
        magnifier(alpha=alpha)


def test_options_that_do_not_fit_are_refused(batch, magnifier):
    with pytest.raises(OptionError, match="take one of warp, riesz"):
        magnifier("magic")
    with pytest.raises(OptionError, match="16×16"):
        magnifier(size=(15, 40))
    with pytest.raises(OptionError, match="static, dynamic or band"):
        magnifier(mode="wobble")
    with pytest.raises(ShapeError, match=r"expected \(80, 112\)"):
        magnifier().push(batch([np.zeros((20, 20))]))
