"""Truth: the simulator, and textures drawn at their moved places."""

from functools import cache

import numpy as np
import pytest
import torch

from spikemm import simulator
from spikemm.batch import FrameBatch
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError, WindowError
from spikemm.maps import MapSpec
from spikemm.reconstruction import SingleMap
from spikemm.vibration.block_map import BlockMapper

RATE_HZ, HOP, FPS = 20_000.0, 20, 1000.0
INSTANT = MapSpec("rate", 1)
HEIGHT, WIDTH = 56, 72
REGION = (136, 16, 128, 112)
"""Part of the fork's scene that holds both prongs."""


def textures(moves):
    """Plane waves, each drawn with its phase moved on: (n, HEIGHT, WIDTH) for (n, 2) displacements."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.3, 1.0, 24), random.uniform(0, np.pi, 24), random.uniform(0, 6.28, 24)
    waves = np.stack((k * np.cos(angle), k * np.sin(angle)))
    still = np.exp(1j * (np.tensordot(waves.T, np.stack((x, y)), 1) + phase[:, None, None])).reshape(24, -1)
    moved = (np.exp(-1j * np.asarray(moves) @ waves) @ still).real
    return 0.35 + 0.05 * moved.reshape(-1, HEIGHT, WIDTH) / np.sqrt(12)


def frames(moves, noise=0.003, light=None, seed=0):
    """Textures at (x, y) displacements, with noise, in changing light."""
    stack = textures(moves)
    stack *= 1.0 if light is None else np.asarray(light)[:, None, None]
    stack += noise * np.random.default_rng(seed).standard_normal(stack.shape)
    return torch.tensor(stack, dtype=torch.float32)


def sines(hz, px, count=400, angle_deg=0.0):
    along = px * np.sin(2 * np.pi * hz * np.arange(count) / FPS + 0.3)
    return np.stack((along * np.cos(np.radians(angle_deg)), along * np.sin(np.radians(angle_deg))), axis=1)


def mapper(height=HEIGHT, width=WIDTH, seconds=0.3, **options):
    settings = {"fps": FPS, "rate_hz": RATE_HZ, "front": INSTANT, "seconds": seconds} | options
    return BlockMapper(height=height, width=width, **settings)


def agrees(px, truth):
    """The typical block is right, and noise leaves none far off."""
    assert np.median(px) == pytest.approx(truth, rel=0.03)
    assert px == pytest.approx(truth, rel=0.12)


def push(stage, pixels, size=50, gap=0):
    for at in range(0, len(pixels), size):
        part = pixels[at : at + size]
        stage.push(FrameBatch(part, np.arange(len(part)) * HOP, gap if at == 0 else 0))
    return stage


@cache
def simulated(kind, part, front="interval:16", count=550, seed=0):
    """Frames of part of a simulated scene."""
    scene = part(kind, REGION)
    spec = MapSpec.parse(front)
    recorded = simulator.Simulator(scene, seed=seed).steps(count * HOP)
    return SingleMap(spec).push(Encoder(scene.height, scene.width, [spec], HOP).push(recorded, 0)).pixels


def simulated_map(kind, part, front="interval:16", seed=0, **options):
    pixels = simulated(kind, part, front, seed=seed)
    stage = mapper(*pixels.shape[1:], seconds=0.5, front=MapSpec.parse(front), **options)
    return push(stage, pixels).read()


@pytest.mark.parametrize("angle", [0.0, 60.0, 135.0])
def test_every_block_shows_frequency_and_amplitude_of_a_motion_in_any_direction(angle):
    found = push(mapper(), frames(sines(83.7, 0.2, angle_deg=angle))).read()
    assert found.hz.shape == (4, 5)
    assert found.hz == pytest.approx(83.7, abs=0.5)
    agrees(found.px, 0.2)
    assert (found.floor_px > 0).all()
    assert (found.floor_px < 0.03).all()


def test_the_amplitude_of_a_circle_is_its_radius():
    along, down = sines(60.0, 0.2)[:, 0], 0.2 * np.cos(2 * np.pi * 60.0 * np.arange(400) / FPS + 0.3)
    agrees(push(mapper(), frames(np.stack((along, down), axis=1))).read().px, 0.2)


def test_the_larger_of_two_motions_dominates():
    found = push(mapper(), frames(sines(50.0, 0.05) + sines(210.0, 0.15))).read()
    assert found.hz == pytest.approx(210.0, abs=0.5)


def test_a_band_leaves_out_what_is_outside():
    found = push(mapper(), frames(sines(50.0, 0.05) + sines(210.0, 0.15))).read((20.0, 120.0))
    assert found.hz == pytest.approx(50.0, abs=0.5)
    agrees(found.px, 0.05)


def test_a_still_texture_in_flickering_light_is_still():
    light = 1.0 + 0.05 * np.sin(2 * np.pi * 100.0 * np.arange(400) / FPS)
    found = push(mapper(), frames(np.zeros((400, 2)), light=light)).read()
    assert not found.px.any()
    assert not found.hz.any()


def test_noise_alone_shows_nothing():
    for seed in range(4):
        assert not push(mapper(), frames(np.zeros((400, 2)), noise=0.02, seed=seed)).read().px.any()


@pytest.mark.parametrize("far", [1.0, 3.0, 12.0])
def test_what_moves_on_ever_faster_does_not_vibrate(far):
    along = far * np.linspace(0.0, 1.0, 400) ** 2
    found = push(mapper(), frames(np.stack((along, 0.5 * along), axis=1))).read()
    assert not found.px.any()


def test_blocks_without_texture_are_0_and_have_no_floor():
    pixels = frames(sines(83.7, 0.2))
    pixels[:, :, 32:] = 0.4 + 0.003 * torch.randn(len(pixels), HEIGHT, WIDTH - 32, generator=torch.manual_seed(0))
    found = push(mapper(), pixels).read()
    assert (found.px[:, :2] > 0).all()
    assert not found.px[:, 3:].any()
    assert not found.floor_px[:, 3:].any()


def test_what_a_calibration_leaves_of_a_fixed_pattern_does_not_shorten_the_motion():
    gains = 1.0 + 0.02 * np.random.default_rng(3).standard_normal((HEIGHT, WIDTH))
    pixels = frames(sines(83.7, 0.2)) * torch.tensor(gains, dtype=torch.float32)
    assert np.median(push(mapper(), pixels).read().px) == pytest.approx(0.2, rel=0.03)


def test_the_map_goes_on_over_new_weights_and_drift():
    moves = sines(83.7, 0.2, count=1000) + np.linspace(0.0, 1.0, 1000)[:, None]
    found = push(mapper(), frames(moves)).read()
    assert found.hz == pytest.approx(83.7, abs=0.5)
    agrees(found.px, 0.2)


def test_batches_of_any_size_give_the_same_map():
    pixels = frames(sines(83.7, 0.2))
    one, other = push(mapper(), pixels, size=400).read(), push(mapper(), pixels, size=7).read()
    assert one.px == pytest.approx(other.px, rel=1e-4)


def test_a_gap_starts_a_new_record():
    stage = push(mapper(), frames(sines(83.7, 0.2)))
    push(stage, frames(sines(83.7, 0.2, count=200)), gap=40)
    assert not stage.ready
    with pytest.raises(WindowError, match="wait until it is ready"):
        stage.read()
    push(stage, frames(sines(83.7, 0.2, count=200)))
    assert stage.ready


@pytest.mark.parametrize("front", ["interval:16", "interval:32"])
def test_the_forks_blocks_show_310_hz_and_its_amplitude(part, front):
    found = simulated_map("tuning-fork", part, front)
    motions = part("tuning-fork", REGION).motions
    inside = np.zeros(found.px.shape, bool)
    for x, y, width, height in (motion.region for motion in motions):
        inside[-(-y // 16) : (y + height) // 16, -(-x // 16) : (x + width) // 16] = True
    assert inside.sum() >= 4
    assert (found.hz[inside] > 0).mean() > 0.9
    prongs = inside & (found.hz > 0)
    assert found.hz[prongs] == pytest.approx(310.0, abs=2.0)
    # A single block's fixed pattern leaves it some percent off, either way.
    assert np.median(found.px[prongs]) == pytest.approx(0.3, rel=0.05)
    assert found.px[prongs] == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("front", ["interval:16", "interval:32", "rate:32"])
def test_a_still_scenes_map_is_all_zero(part, front, seed):
    found = simulated_map("still", part, front, seed=seed)
    assert not found.px.any()
    assert not found.hz.any()
    assert found.floor_px.any()


def test_where_overlapping_windows_leave_too_few_frequencies_nothing_is_claimed_and_no_floor_is_known():
    found = push(mapper(seconds=0.1, front=MapSpec("rate", 100)), frames(sines(40.0, 0.2))).read()
    assert not found.px.any()
    assert not found.floor_px.any()


def test_the_strongest_block_names_the_frequency():
    found = push(mapper(), frames(sines(83.7, 0.2))).read()
    px, hz = found.strongest
    assert px == pytest.approx(0.2, rel=0.1)
    assert hz == pytest.approx(83.7, abs=0.1)


@pytest.mark.parametrize("options", [{"block_px": 6}, {"block_px": 15}, {"seconds": 0.06}])
def test_blocks_and_records_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="take"):
        mapper(**options)


TORN = np.s_[100:103, 20, 18]
"""A pixel of the second block of the second row, two from its right neighbour, in a few frames."""


def torn(part, count):
    pixels = frames(sines(83.7, 0.2, count=count))
    pixels[part] = torch.nan
    return pixels


@pytest.mark.parametrize(
    "part", [TORN, np.s_[:1, 20, 18], np.s_[:, 20, 18]], ids=["passing", "first frame", "dead pixel"]
)
def test_where_pixels_are_no_numbers_nothing_is_claimed_and_no_floor_is_known(part):
    found = push(mapper(), torn(part, 370)).read()
    near = np.zeros((4, 5), bool)
    near[1, 1] = True
    for values in (found.px, found.hz, found.floor_px):
        assert np.isfinite(values).all()
        assert not values[near].any()
    agrees(found.px[:, 2:], 0.2)
    assert (found.floor_px[:, 2:] > 0).all()


def test_a_gradient_does_not_reach_over_from_a_pixel_that_is_no_number():
    found = push(mapper(), torn(np.s_[:, 20, 30], 370)).read()
    assert not found.px[1, 1:3].any()


def test_once_all_are_numbers_again_the_map_is_whole():
    found = push(mapper(), torn(TORN, 1200)).read()
    assert (found.floor_px > 0).all()
    agrees(found.px, 0.2)
