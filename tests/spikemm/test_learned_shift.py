"""Learned magnifiers that state a displacement. Truth: pictures computed at their moved places."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.magnification.learned.arrival import Mover
from spikemm.magnification.learned.compact import CompactMagnifier
from spikemm.magnification.learned.compact_network import CompactNetwork
from spikemm.magnification.learned.mdlmm import MdlmmMagnifier
from spikemm.magnification.learned.mdlmm_network import MdlmmNetwork
from spikemm.magnification.options import MagnifierOptions
from spikemm.maps import MapSpec
from spikemm.metrics import displacement

RATE_HZ, HOP = 20_000.0, 20
HEIGHT, WIDTH = 96, 128
ROI = (40, 32, 48, 32)
METHODS = [CompactMagnifier, MdlmmMagnifier]
NETWORKS = [CompactNetwork, MdlmmNetwork]


def texture(dx, dy=0.0, height=HEIGHT, width=WIDTH):
    """A sum of plane waves of 8 to 40 px, moved by dx to the right and dy down."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    length, angle, phase = np.geomspace(8.0, 40.0, 30), random.uniform(0, np.pi, 30), random.uniform(0, 6.28, 30)
    waves = [
        np.cos(2 * np.pi / q * (np.cos(a) * (x - dx) + np.sin(a) * (y - dy)) + p)
        for q, a, p in zip(length, angle, phase, strict=True)
    ]
    return 0.35 + 0.03 * np.sum(waves, axis=0)


def edge(dx):
    """A slanted edge of σ 1 px, moved by dx to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return 0.4 + 0.2 * erf((x - dx - WIDTH / 2 + 0.1 * (y - HEIGHT / 2)) / np.sqrt(2))


def frame(picture):
    return torch.tensor(picture, dtype=torch.float32)[None, None]


def build(kind, alpha=10.0, height=HEIGHT, width=WIDTH, mode="dynamic", **options):
    settings = {"band_hz": None, "device": "cpu"} | options
    return kind(
        MagnifierOptions(
            alpha=alpha,
            mode=mode,
            rate_hz=RATE_HZ,
            hop=HOP,
            front=MapSpec("rate", 1),
            height=height,
            width=width,
            **settings,
        )
    )


def push(magnifier, pictures):
    pixels = torch.tensor(np.stack(pictures), dtype=torch.float32)
    return magnifier.push(FrameBatch(pixels, np.arange(len(pixels)) * HOP)).pixels


def gain(kind, picture, px, alpha):
    """Displacement of the second of two frames, moved both ways, over the scene's."""
    gains = []
    for move in (px, -px):
        out = push(build(kind, alpha), [picture(0.0), picture(move)])[1:]
        # Against the truth, since a large displacement is harder to measure than a small one.
        gains.append(alpha + displacement(out, ROI, reference=picture(alpha * move))[0, 0] / move)
    return float(np.mean(gains))


@pytest.mark.parametrize(("kind", "most"), [(CompactNetwork, 180_000), (MdlmmNetwork, 110_000)])
def test_networks_are_as_small_as_they_say(kind, most):
    assert sum(parameter.numel() for parameter in kind().parameters()) <= most


@pytest.mark.parametrize("kind", NETWORKS)
def test_shape_is_linear_in_the_frame_and_blind_to_its_level(kind):
    network = kind()
    a, b = (torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(k)) for k in range(2))
    torch.testing.assert_close(
        network.encode(2.0 * a + b).shape, 2.0 * network.encode(a).shape + network.encode(b).shape, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(network.encode(a + 0.3).shape, network.encode(a).shape, atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("picture", [texture, edge])
@pytest.mark.parametrize("alpha", [2.0, 10.0])
def test_gain_is_as_claimed_from_the_smallest_to_the_largest_motion(method, picture, alpha):
    claim = method.claim
    smallest, largest = claim.input_px
    for px in (smallest, 0.05, 0.2, min(largest, claim.output_px / alpha)):
        assert gain(method, picture, px, alpha) == pytest.approx(alpha, rel=claim.gain), px


@pytest.mark.parametrize("method", METHODS)
def test_gain_does_not_fall_with_the_motion(method):
    small, large = (gain(method, texture, px, 10.0) for px in (0.002, 0.2))
    assert small == pytest.approx(large, rel=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_picture_as_it_moves_on_is_nearer_to_the_truth_than_one_left_alone(method):
    out = push(build(method), [texture(0.0), texture(0.3)])[1].numpy()
    inside = (slice(12, -12), slice(12, -12))
    wrong, alone = (np.mean((p[inside] - texture(3.0)[inside]) ** 2) for p in (out, texture(0.3)))
    assert 10.0 * np.log10(alone / wrong) > 10.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 50)])
def test_any_size_is_magnified(method, size):
    out = push(build(method, height=size[0], width=size[1]), [texture(d, 0.0, *size) for d in (0.0, 0.1, 0.2)])
    assert out.shape == (3, *size)
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_constant_frames_stay_as_they_are(method, level):
    out = push(build(method), [np.full((HEIGHT, WIDTH), level)] * 3)
    assert float((out - level).abs().max()) < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_lamp_that_flickers_moves_nothing(method):
    out = push(build(method), [texture(0.0), 1.02 * texture(0.0)])[1:]
    assert np.abs(displacement(out, ROI, reference=texture(0.0))).max() < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_only_the_component_along_the_axis_is_magnified(method):
    out = push(build(method, axis="x"), [texture(0.0), texture(0.1, 0.1)])[1:]
    right, down = displacement(out, ROI, reference=texture(1.0, 0.1))[0]
    assert right == pytest.approx(0.0, abs=method.claim.gain)
    assert down == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_alpha_0_puts_the_scene_back_where_it_was(method):
    out = push(build(method, alpha=0.0), [texture(0.0), texture(0.3)])[1:]
    assert np.abs(displacement(out, ROI, reference=texture(0.0))).max() < 0.3 * method.claim.gain


@pytest.mark.parametrize("move", [(2.3, -1.6), (0.25, 0.25), (0.75, 0.5)])
def test_mover_moves_a_picture_by_fractions_of_a_pixel(move):
    shift = torch.tensor(move)[None, :, None, None].expand(1, 2, HEIGHT // 4, WIDTH // 4)
    moved = Mover(4)(frame(texture(0.0)), shift)[0]
    assert displacement(moved, ROI, reference=texture(*move))[0] == pytest.approx((0.0, 0.0), abs=0.005)


@pytest.mark.parametrize("quarter", [0.0, 0.25, 0.5, 0.75])
def test_mover_keeps_98_percent_of_the_contrast_of_8_px_waves(quarter):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi / 8.0 * np.arange(WIDTH)) * np.ones((HEIGHT, 1))
    shift = torch.tensor([quarter, 0.0])[None, :, None, None].expand(1, 2, HEIGHT // 4, WIDTH // 4)
    moved = Mover(4)(frame(wave), shift)[0, 0, 8:-8, 16:-16]
    truth = 0.5 + 0.4 * np.sin(2 * np.pi / 8.0 * (np.arange(WIDTH)[16:-16] - quarter))
    kept = float(((moved.numpy() - 0.5) * (truth - 0.5)).mean() / ((truth - 0.5) ** 2).mean())
    assert 0.98 < kept < 1.005


def test_what_moves_covers_the_still_ground_before_it():
    ground = np.zeros((HEIGHT, WIDTH))
    ground[32:64, 40:72] = 1.0
    shift = torch.zeros(1, 2, HEIGHT // 4, WIDTH // 4)
    shift[:, 0, 8:16, 10:18] = 8.0
    moved = Mover(4)(frame(ground), shift)[0, 0]
    assert float(moved[40:56, 74:78].min()) > 0.9
    assert float(moved[40:56, 50:70].min()) > 0.9
    assert float(moved[40:56, 42:45].max()) < 0.1
    assert float(moved[:24].abs().max()) < 1e-3


def test_windows_that_stand_still_add_up_to_the_frame():
    network = MdlmmNetwork()
    still = network.encode(frame(texture(0.0)))
    shown = network.magnify(still, torch.zeros_like(still.shape), 10.0)
    torch.testing.assert_close(shown, still.texture, atol=1e-5, rtol=0)
