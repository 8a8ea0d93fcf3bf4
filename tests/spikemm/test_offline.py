"""From spikes to magnified frames; the spikes come from an integrate-and-fire sensor written here."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm import Recording
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.metrics import displacement, fit_sine
from spikemm.offline import hop_of, magnify_recording
from spikemm.simulator import Simulator, make_scene

RATE_HZ, HZ, AMPLITUDE = 20_000.0, 310.0, 0.3
HEIGHT, WIDTH, STEPS = 64, 112, 2600
MOVING, STILL, NEAR = (76, 10, 28, 44), (8, 8, 44, 48), (48, 8, 9, 48)
"""Regions x, y, width, height; the last one ends 6 px beside the furthest that the moving edge at x = 66 gets to."""


def light(dx):
    """A still texture on the left, and on the right of an edge one that moves with it."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def texture(offset):
        k, angle, phase = random.uniform(0.2, 0.9, 40), random.uniform(0, np.pi, 40), random.uniform(0, 6.28, 40)
        waves = [
            np.cos(q * np.cos(a) * (x - offset) + q * np.sin(a) * y + p) / q
            for q, a, p in zip(k, angle, phase, strict=True)
        ]
        return np.sum(waves, axis=0) / np.sqrt((0.5 / k**2).sum())

    inside = 0.5 + 0.5 * erf((x - dx - 66.0) / 1.2)
    return (1.0 - inside) * (0.22 + 0.05 * texture(0.0)) + inside * np.clip(0.42 + 0.12 * texture(dx), 0.1, 0.9)


def spikes(moving):
    """Every pixel sums its light from a random start and fires where the sum passes 1."""
    moves = np.linspace(-1.0, 1.0, 65)
    pictures = np.stack([light(AMPLITUDE * m) for m in moves]).astype(np.float32)
    charge = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    fired = np.empty((STEPS, HEIGHT, WIDTH), np.uint8)
    for step in range(STEPS):
        place = moving * np.sin(2 * np.pi * HZ * (step + 0.5) / RATE_HZ)
        charge += pictures[round((place + 1.0) * 32)]
        fired[step] = charge >= 1.0
        charge -= fired[step]
    return fired


def record(folder, moving):
    path = folder / f"scene_{moving}.dat"
    np.packbits(spikes(moving).reshape(STEPS, -1), axis=1, bitorder="little").tofile(path)
    return Recording(path, height=HEIGHT, width=WIDTH, rate_hz=RATE_HZ, flip=False)


@pytest.fixture(scope="module")
def vibrating(tmp_path_factory):
    return record(tmp_path_factory.mktemp("vibrating"), 1)


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    return record(tmp_path_factory.mktemp("still"), 0)


def magnify(recording, **options):
    batches = list(magnify_recording(recording, **options))
    return torch.cat([b.pixels for b in batches]), np.concatenate([b.steps for b in batches])


@pytest.mark.parametrize(
    ("band", "fps", "front", "dragged"),
    [
        ((250.0, 380.0), 1000.0, "interval:32", 0.1),
        ((200.0, 450.0), 1000.0, "interval:32", 0.1),
        ((200.0, 450.0), 2000.0, "interval:32", 0.1),
        ((250.0, 380.0), 2000.0, "rate:16", 0.2),
    ],
)
def test_vibration_of_0_3_px_comes_out_ten_times_as_large_and_the_background_still(
    vibrating, band, fps, front, dragged
):
    frames, steps = magnify(vibrating, alpha=10.0, band_hz=band, fps=fps, front=FrontSpec.parse(front))
    settled = np.flatnonzero(steps > 1000)[::2]
    moved = displacement(frames[settled], MOVING, reference=light(0.0))[:, 0]
    assert fit_sine(moved, steps[settled], RATE_HZ, HZ).amplitude == pytest.approx(10 * AMPLITUDE, rel=0.1)
    background = displacement(frames[settled], STILL, reference=light(0.0))[:, 0]
    assert fit_sine(background, steps[settled], RATE_HZ, HZ).amplitude < 0.03
    assert np.abs(background).max() < 0.1
    beside = displacement(frames[settled], NEAR, reference=light(0.0))[:, 0]
    assert fit_sine(beside, steps[settled], RATE_HZ, HZ).amplitude < dragged


@pytest.mark.parametrize(("amplitude", "within"), [(0.3, 0.05), (0.02, 0.1)])
def test_a_fork_s_prongs_move_ten_times_as_far_and_the_background_between_them_stays(tmp_path, amplitude, within):
    scene = make_scene("tuning-fork", amplitude_px=amplitude)
    Simulator(scene).steps(3000).tofile(tmp_path / "fork.dat")
    recording = Recording(tmp_path / "fork.dat", rate_hz=RATE_HZ, flip=False)
    frames, steps = magnify(recording, alpha=10.0, band_hz=(250.0, 380.0))
    settled = steps > 1400
    for prong in scene.motions:
        moved = displacement(frames[settled], prong.region, reference=scene.frame())[:, 0]
        assert fit_sine(moved, steps[settled], RATE_HZ, HZ).amplitude == pytest.approx(10 * amplitude, rel=within)
    for background in ((192, 30, 8, 70), (200, 30, 8, 70), (126, 30, 10, 80), (264, 30, 10, 80)):
        for along in displacement(frames[settled], background, reference=scene.frame()).T:
            assert fit_sine(along, steps[settled], RATE_HZ, HZ).amplitude < 0.1


def test_what_moves_too_far_to_be_followed_is_left_as_it_is(recordings):
    frames = list(magnify_recording(Recording(recordings / "car_250x400.dat"), alpha=10.0))
    change = torch.cat([(b.pixels - b.raw).abs() for b in frames])
    assert change[:, 20:].mean() < 0.002
    assert change.flatten(1).quantile(0.99, dim=1).max() < 0.05


@pytest.mark.parametrize("band", [None, (250.0, 380.0)])
def test_still_scene_stays_still(still, band):
    frames, steps = magnify(still, alpha=10.0, band_hz=band)
    for roi in (MOVING, STILL):
        moved = displacement(frames[steps > 1000], roi, reference=light(0.0))
        assert np.abs(moved - moved.mean(axis=0)).max() < 0.1


def test_static_mode_magnifies_what_the_window_shows(vibrating):
    frames, steps = magnify(vibrating, alpha=5.0, front=FrontSpec("rate", 16), fps=2000.0)
    moved = displacement(frames, MOVING, reference=light(0.0))[:, 0]
    shown = AMPLITUDE * np.sinc(16 * HZ / RATE_HZ)
    assert fit_sine(moved, steps, RATE_HZ, HZ).amplitude == pytest.approx(5.0 * shown, rel=0.1)


def test_unmagnified_frames_come_along_for_the_same_instants(vibrating):
    batch = next(magnify_recording(vibrating, band_hz=(250.0, 380.0), front=FrontSpec("rate", 32)))
    spikes_seen = vibrating.spikes(int(batch.steps[3]) - 16, int(batch.steps[3]) + 16)
    np.testing.assert_allclose(batch.raw[3].numpy(), spikes_seen.mean(axis=0), atol=1e-6)


def test_scale_enlarges_both(vibrating):
    batch = next(magnify_recording(vibrating, scale=1.5))
    assert batch.pixels.shape == batch.raw.shape
    assert tuple(batch.pixels.shape[1:]) == (96, 168)


def test_progress_ends_with_everything_done(vibrating):
    seen = []
    for _ in magnify_recording(vibrating, method="linear", on_progress=lambda done, total: seen.append((done, total))):
        pass
    assert seen == sorted(seen)
    assert seen[-1] == (STEPS, STEPS)


def test_steps_are_an_even_grid_to_the_end(vibrating):
    _, steps = magnify(vibrating, method="linear")
    assert set(np.diff(steps)) == {20}
    assert steps[-1] >= STEPS - 16 - 20


@pytest.mark.parametrize(("fps", "named"), [(3000.0, "2857.14 and 3333.33"), (15_000.0, "10000 and 20000")])
def test_frame_rate_that_does_not_divide_the_rate_is_refused_with_the_nearest(vibrating, fps, named):
    with pytest.raises(OptionError, match=named):
        magnify_recording(vibrating, fps=fps)


@pytest.mark.parametrize("fps", [0.0, -5.0, 40_000.0, float("nan")])
def test_impossible_frame_rate_is_refused(fps):
    with pytest.raises(OptionError, match="more than 0 and at most"):
        hop_of(RATE_HZ, fps)


def test_options_are_checked_before_anything_is_read(vibrating):
    with pytest.raises(OptionError, match="below 500 Hz"):
        magnify_recording(vibrating, band_hz=(300.0, 600.0))
