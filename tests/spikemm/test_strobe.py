"""Truth: sines at the times of the flashes, and textures computed at their moved places."""

from math import isclose

import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError
from spikemm.magnification import MAGNIFIERS, make_magnifier
from spikemm.maps import MapSpec
from spikemm.metrics import displacement
from spikemm.packing import packed_bytes
from spikemm.strobe import Flashes, Strobe

RATE = 20_000.0


def flash_steps(flashes, hop, count, start=0):
    steps = [flashes.first_from(start)]
    while len(steps) < count:
        steps.append(flashes.following(steps[-1], hop))
    return np.array(steps)


def off(cycles):
    """Distance of a phase from a whole number of cycles."""
    return np.abs(cycles - np.round(cycles))


@pytest.mark.parametrize("hz", [23.7, 497.0, 1234.567, 4999.5])
@pytest.mark.parametrize("apparent_hz", [0.3, 1.0])
def test_at_the_flashes_of_a_minute_a_vibration_has_the_phase_of_a_slow_one(hz, apparent_hz):
    steps = flash_steps(Flashes(Strobe(hz, apparent_hz), RATE), hop=1600, count=740)
    assert steps[-1] > 58 * RATE
    difference = (hz - apparent_hz) * steps / RATE
    assert off(difference).max() <= 0.5 * hz / RATE + 1e-9


def test_flashes_are_the_first_that_are_a_hop_apart_and_even_to_a_step():
    flashes = Flashes(Strobe(497.0, 1.0), RATE)
    cycle = RATE / 496.0
    for hop, cycles in ((1, 1), (40, 1), (41, 2), (1600, 40), (1613, 41), (3200, 80)):
        distances = np.diff(flash_steps(flashes, hop, 300))
        assert set(distances) <= {int(cycles * cycle), int(cycles * cycle) + 1}
        assert flashes.distance(hop) == distances.min() >= hop
        assert isclose(distances.mean(), cycles * cycle, rel_tol=1e-4)


def test_a_tone_beside_the_vibration_appears_as_far_beside_it():
    steps = flash_steps(Flashes(Strobe(497.0, 1.0), RATE), hop=400, count=2000)
    for tone, appears in ((497.0, 1.0), (499.5, 3.5), (494.0, -2.0), (496.0, 0.0), (3.0, 3.0)):
        seen = np.exp(2j * np.pi * tone * steps / RATE)
        shown = np.exp(2j * np.pi * appears * steps / RATE)
        assert abs(np.vdot(shown, seen)) / len(steps) > 0.99


def test_another_frequency_is_taken_over_without_a_jump_of_the_picture():
    """The scene vibrates at 500 Hz; the strobe first takes it for 497, and then finds out."""
    first = Flashes(Strobe(497.0, 1.0), RATE)
    steps = list(flash_steps(first, hop=80, count=101, start=12_345))
    better = first.moved(Strobe(500.0, 1.0), steps[-1])
    steps += [better.following(steps[-1], 80)]
    steps += [better.following(steps[-1], 80)]
    phase = 500.0 * np.array(steps[-3:]) / RATE
    moved = np.diff(phase) - np.round(np.diff(phase))
    assert np.abs(moved - 1.0 * 80 / RATE).max() <= 1.01 * 500.0 / RATE


def test_what_a_strobe_cannot_show_is_refused_with_the_reason():
    with pytest.raises(OptionError, match="shows no motion"):
        Strobe(497.0, 0.0)
    with pytest.raises(OptionError, match=r"takes 5 Hz or more: lower apparent_hz"):
        Strobe(4.9, 1.0)
    with pytest.raises(OptionError, match="up to 10000 Hz"):
        Flashes(Strobe(10_001.0), RATE)


def test_a_band_is_where_its_tones_appear_and_around_the_vibration_within_an_octave_of_it():
    strobe = Strobe(497.0, 1.0)
    assert strobe.time_scale == 497.0
    assert strobe.shown_band((499.0, 501.5), 12.4) == (3.0, 5.5)
    assert strobe.shown_band((480.0, 515.0), 12.4) == (0.5, 2.0)
    assert strobe.shown_band((496.75, 497.5), 12.4) == (0.75, 1.5)
    for band in ((290.0, 330.0), (495.0, 496.5), (499.0, 502.5)):
        with pytest.raises(OptionError, match=r"not shown by a strobe at 497 Hz .* or one between 496 and 502.2 Hz"):
            strobe.shown_band(band, 12.4)


def test_windows_lie_at_the_flashes_also_behind_a_gap_and_after_a_change_of_hop():
    flashes = Flashes(Strobe(497.0, 1.0), RATE)
    encoder = Encoder(4, 6, [MapSpec("rate", 8)], hop=400)
    encoder.flashes = flashes
    none = np.zeros((8000, packed_bytes(4, 6)), np.uint8)
    steps = [w.step for w in encoder.push(none, 0)]
    expected = list(flash_steps(flashes, 400, 20, start=4))
    assert steps == [step for step in expected if step + 4 <= 8000]
    behind = encoder.push(none, 9000)
    assert behind[0].gap == 1000
    assert behind[0].step == flashes.first_from(9004)
    encoder.hop = 800
    assert set(np.diff([w.step for w in encoder.push(none, 17_000)])) <= {806, 807}


HEIGHT, WIDTH, ROI = 64, 80, (16, 12, 48, 40)


def texture(dx):
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.15, 1.0, 40), random.uniform(0, np.pi, 40), random.uniform(0, 6.28, 40)
    waves = [
        np.cos(q * np.cos(a) * (x - dx) + q * np.sin(a) * y + p) / q for q, a, p in zip(k, angle, phase, strict=True)
    ]
    return 0.35 + 0.12 * np.sum(waves, axis=0) / np.sqrt((0.5 / k**2).sum())


def scene(steps, hz, px):
    """Frames of a texture that vibrates sideways."""
    frames = [texture(px * np.sin(2 * np.pi * hz * step / RATE)) for step in steps]
    return FrameBatch(torch.tensor(np.stack(frames), dtype=torch.float32), steps)


def magnifier(strobe, method="warp", alpha=10.0, band_hz=None, mode=None, window=1):
    return make_magnifier(
        method,
        alpha=alpha,
        mode=mode or ("band" if band_hz else "static"),
        band_hz=band_hz,
        rate_hz=RATE,
        hop=1612,
        front=MapSpec("rate", window),
        height=HEIGHT,
        width=WIDTH,
        strobe=strobe,
    )


def apparent_gain(frames, px, apparent_hz):
    """Amplitude at the apparent frequency over the scene's."""
    seconds = frames.steps / RATE
    along = displacement(frames.pixels, ROI, reference=torch.tensor(texture(0.0), dtype=torch.float32))[:, 0]
    wave = np.stack([np.cos(x := 2 * np.pi * apparent_hz * seconds), np.sin(x), np.ones_like(x)], axis=1)
    cosine, sine, _ = np.linalg.lstsq(wave, np.asarray(along), rcond=None)[0]
    return np.hypot(cosine, sine) / px


@pytest.mark.parametrize("method", ["warp", "riesz", "linear"])
def test_a_band_in_hz_of_the_scene_magnifies_what_appears_slow(method):
    strobe, px, alpha = Strobe(497.0, 1.0), 0.05, 8.0
    steps = flash_steps(Flashes(strobe, RATE), hop=1600, count=72)
    out = magnifier(strobe, method, alpha, band_hz=(470.0, 520.0)).push(scene(steps, 497.0, px))
    last = FrameBatch(out.pixels[-37:], steps[-37:])
    assert apparent_gain(last, px, 1.0) == pytest.approx(alpha, rel=1.2 * MAGNIFIERS[method].claim.gain + 0.03)


def test_static_mode_does_not_take_an_apparent_motion_for_drift():
    strobe, px, alpha = Strobe(497.0, 0.2), 0.05, 8.0
    steps = flash_steps(Flashes(strobe, RATE), hop=3600, count=60)
    out = magnifier(strobe, alpha=alpha).push(scene(steps, 497.0, px))
    last = FrameBatch(out.pixels[-28:], steps[-28:])
    assert apparent_gain(last, px, 0.2) == pytest.approx(alpha, rel=0.05)


def test_the_response_of_the_front_end_is_that_to_the_true_frequency():
    """A window of 24 steps keeps 49 % of 497 Hz, and all of 1 Hz."""
    kept = np.sinc(497.0 * 24 / RATE)
    strobe, px, alpha = Strobe(497.0, 1.0), 0.05, 8.0
    steps = flash_steps(Flashes(strobe, RATE), hop=1600, count=60)
    out = magnifier(strobe, alpha=alpha, window=24).push(scene(steps, 497.0, kept * px))
    assert apparent_gain(FrameBatch(out.pixels[-37:], steps[-37:]), px, 1.0) == pytest.approx(alpha, rel=0.05)
    with pytest.raises(OptionError, match=r"keeps .*% of a vibration of 497 Hz"):
        magnifier(strobe, band_hz=(470.0, 520.0), window=40)


def test_a_strobe_that_follows_its_vibration_leaves_the_filter_running():
    strobe, px, alpha = Strobe(497.0, 1.0), 0.05, 8.0
    steps = flash_steps(Flashes(strobe, RATE), hop=1600, count=60)
    shown = magnifier(strobe, alpha=alpha, band_hz=(470.0, 520.0))
    out = [shown.push(scene(steps[:40], 497.0, px)).pixels]
    shown.strobe = Strobe(497.02, 1.0)
    out.append(shown.push(scene(steps[40:], 497.0, px)).pixels)
    last = FrameBatch(torch.cat(out)[-24:], steps[-24:])
    assert apparent_gain(last, px, 1.0) == pytest.approx(alpha, rel=0.06)


def test_a_band_that_the_strobe_does_not_show_is_refused_and_changes_nothing():
    shown = magnifier(Strobe(497.0, 1.0), band_hz=(470.0, 520.0))
    with pytest.raises(OptionError, match="not shown by a strobe at 300 Hz"):
        shown.strobe = Strobe(300.0, 1.0)
    assert shown.strobe == Strobe(497.0, 1.0)
    assert shown.shown_band_hz == (0.5, 2.0)
