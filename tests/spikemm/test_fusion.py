import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.fusion import BrightnessMap, MotionMask, OwnPixel, cluster
from spikemm.simulator import Disturbances, Sensor, Simulator

FRONT = FrontSpec("mie", 32)
AROUND = (104, 0, 192, 120)
"""The part of the scene that is looked at: its x, y, width, height."""


def segments(scene, frames, *, front=FRONT, hop=80, room=None, seed=0, **sensor):
    """Steps and segments of a simulated scene."""
    simulator = Simulator(scene, Sensor(**{"fixed_pattern": 0.0, **sensor}), room, seed=seed)
    encoder = Encoder(scene.height, scene.width, [front.segments], hop)
    found = []
    while len(found) < frames:
        found += encoder.push(simulator.steps(400), simulator.step - 400)
    return [(one.step, torch.from_numpy(one.maps[str(front.segments)])) for one in found[:frames]]


def masks(scene, frames, **options):
    mask = MotionMask(options.get("front", FRONT).segments)
    return mask, [mask.push(parts, step) for step, parts in segments(scene, frames, **options)]


@pytest.fixture
def scene(part):
    return lambda name, **options: part(name, AROUND, **options)


# ---- clusters


@pytest.mark.parametrize("count", [2, 3])
def test_clusters_are_those_of_k_means(count):
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0.0, 0.3, 6000), rng.normal(1.4, 0.5, 900), rng.normal(4.0, 0.8, 300)])
    ours = cluster(torch.from_numpy(values.astype(np.float32)), count)
    theirs = KMeans(count, n_init=10, random_state=0).fit(values[:, None])
    order = np.argsort(theirs.cluster_centers_[:, 0])
    labels = np.argsort(order)[theirs.labels_]
    assert (np.searchsorted(ours.borders, values) == labels).mean() >= 0.995
    assert ours.centres == pytest.approx(theirs.cluster_centers_[order, 0], abs=0.04)


def test_no_start_of_k_means_finds_better_ones():
    values = np.random.default_rng(2).gamma(2.0, 1.0, 5000)
    ours = cluster(torch.from_numpy(values.astype(np.float32)), 5)
    theirs = KMeans(5, n_init=10, random_state=0).fit(values[:, None])
    nearest = np.abs(values[:, None] - ours.centres).min(axis=1)
    assert (nearest**2).sum() < 1.001 * theirs.inertia_


def test_fewer_values_than_clusters_are_no_obstacle():
    assert cluster(torch.tensor([2.0, 2.0, 5.0]), 3).centres == pytest.approx([2.0, 5.0, 5.0], abs=0.01)
    assert cluster(torch.full((4, 4), 7.0), 2).centres == pytest.approx([7.0, 7.0])


def test_one_cluster_is_no_clustering():
    with pytest.raises(OptionError, match="1 clusters: take 2 to 16"):
        cluster(torch.zeros(9), 1)


# ---- mask


def test_the_mask_s_clusters_are_those_of_k_means(scene):
    mask = MotionMask(FRONT.segments)
    for step, parts in segments(scene("tuning-fork"), 6):
        mask.push(parts, step)
    feature = mask.feature.numpy().ravel()
    theirs = KMeans(3, n_init=10, random_state=0).fit(feature[:, None])
    order = np.argsort(np.argsort(theirs.cluster_centers_[:, 0]))
    assert (np.searchsorted(mask.clusters.borders, feature) == order[theirs.labels_]).mean() >= 0.995


@pytest.mark.parametrize(
    "sensor",
    [{}, {"light": 0.3}, {"light": 0.1, "temporal_noise": 0.2}, {"temporal_noise": 0.1}, {"fixed_pattern": 0.05}],
    ids=str,
)
def test_a_still_scene_has_an_empty_mask(scene, sensor):
    _, found = masks(scene("still"), 16, **sensor)
    # The first windows cannot look back; what they see is judged as moving rather than as still.
    assert all(float(one.max()) == 0.0 for one in found[6:])


def test_a_still_scene_has_an_empty_mask_in_the_published_configuration_too(scene):
    _, found = masks(scene("still"), 10, front=FrontSpec("paper", 32))
    assert all(float(one.max()) == 0.0 for one in found[4:])


def test_flickering_lamps_are_no_motion(scene):
    _, found = masks(scene("still"), 16, room=Disturbances(flicker=0.02, flicker_hz=100.0))
    assert max(float(one.mean()) for one in found[6:]) < 0.01


@pytest.mark.parametrize("amplitude_px", [0.05, 0.3])
def test_the_mask_covers_what_moves_and_leaves_what_does_not(scene, amplitude_px):
    vibrating = scene("tuning-fork", amplitude_px=amplitude_px)
    _, found = masks(vibrating, 24)
    change = np.abs(vibrating.frame(1.0) - vibrating.frame(-1.0))
    moving, still = change > 0.4 * change.max(), change == 0
    assert float(found[-1].numpy()[moving].mean()) > 0.95
    assert float(found[-1].numpy()[still].mean()) < 0.25


def test_motion_that_starts_counts_at_once(scene):
    mask = MotionMask(FRONT.segments)
    for step, parts in segments(scene("still"), 12):
        mask.push(parts, step)
    moving = segments(scene("tuning-fork"), 8)[-1][1]
    assert float(mask.push(moving, step + 80).mean()) > 0.05


def test_the_noise_of_the_sensor_is_learnt(scene):
    mask, _ = masks(scene("still"), 10, temporal_noise=0.2)
    assert mask.noise.excess == pytest.approx(0.2**2, rel=0.2)


def test_after_a_reset_nothing_is_remembered(scene):
    mask, _ = masks(scene("tuning-fork"), 10)
    mask.reset()
    fresh = MotionMask(FRONT.segments)
    for step, parts in segments(scene("still"), 10):
        assert torch.equal(mask.push(parts, step), fresh.push(parts, step))


# ---- brightness


def test_a_picture_takes_the_brightness_of_the_reference():
    light = torch.linspace(0.02, 0.9, 40_000).reshape(100, 400)
    picture = 0.8 * light**1.1
    mapped, lamp = BrightnessMap(4096.0).push(picture, light, torch.ones_like(light), 100)
    # Below the darkest level that was seen there is only the picture's whole to go by.
    assert (mapped / light - 1)[light > 0.05].abs().max() < 0.02
    assert lamp == pytest.approx(1.0, abs=0.01)


def test_the_map_is_monotone_and_steady_against_noise():
    generator = torch.Generator().manual_seed(0)
    light = torch.rand(80, 100, generator=generator) * 0.6 + 0.02
    brightness = BrightnessMap(4096.0)
    means = []
    for k in range(30):
        noisy = light * 1.1 + 0.02 * torch.randn(light.shape, generator=generator)
        mapped, _ = brightness.push(noisy, light, torch.ones_like(light), 20 * k)
        means.append(float(mapped.mean()))
        ramp = brightness.push(torch.linspace(0, 1, 500)[None], torch.zeros(1, 500), torch.zeros(1, 500), 20 * k)[0]
        assert bool((ramp.diff() >= 0).all())
    assert np.std(means[5:]) / np.mean(means) < 0.002
    assert means[-1] == pytest.approx(float(light.mean()), rel=0.01)


def test_a_noisier_picture_keeps_its_contrast():
    generator = torch.Generator().manual_seed(0)
    light = torch.rand(100, 100, generator=generator) * 0.6 + 0.1
    noisy = light + 0.05 * torch.randn(light.shape, generator=generator)
    mapped, _ = BrightnessMap(4096.0).push(noisy, light, torch.ones_like(light), 0)
    slope = float(((mapped - mapped.mean()) * (light - light.mean())).mean() / light.var())
    assert slope == pytest.approx(1.0, abs=0.03)


def test_what_the_lamps_do_is_told_as_a_factor():
    light = torch.full((50, 50), 0.3)
    brightness = BrightnessMap(4096.0)
    for k in range(50):
        brightness.push(light, light, torch.ones_like(light), 20 * k)
    _, lamp = brightness.push(1.04 * light, light, torch.ones_like(light), 1000)
    assert lamp == pytest.approx(1.04, abs=0.004)


# ---- own pixel


@pytest.mark.parametrize(("own_std", "guess_std"), [(0.01, 0.03), (0.03, 0.01), (0.02, 0.02)])
def test_the_blend_is_nearly_as_good_as_the_best_of_all_weights(own_std, guess_std):
    generator = torch.Generator().manual_seed(0)
    truth = torch.full((60, 80), 0.3)
    guess = truth + guess_std * torch.randn(truth.shape, generator=generator)
    blend = OwnPixel(4096.0, 32)
    for k in range(20):
        own = truth + own_std * torch.randn(truth.shape, generator=generator)
        fused = blend.push(own, guess, torch.full_like(truth, own_std**2), torch.zeros_like(truth), 20 * k)
    best = own_std * guess_std / np.hypot(own_std, guess_std)
    assert float((fused - truth).square().mean().sqrt()) < 1.1 * best


def test_where_it_moves_the_pixel_itself_is_believed():
    own, guess = torch.full((20, 20), 0.3), torch.full((20, 20), 0.3005)
    variance = torch.full((20, 20), 1e-5)
    still = OwnPixel(4096.0, 32).push(own, guess, variance, torch.zeros(20, 20), 0)
    moving = OwnPixel(4096.0, 32).push(own, guess, variance, torch.full((20, 20), 1e-4), 0)
    assert float((still - own).mean()) > 0.9 * 0.0005
    assert float((moving - own).mean()) < 0.1 * 0.0005
