import cv2
import numpy as np
import pytest
import torch

from spikemm.blind_spot import CompactBSN, ReferenceBSN
from spikemm.blind_spot.pairs import CompactPair
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError, WeightsError
from spikemm.extraction import Extraction
from spikemm.front import FrontSpec
from spikemm.metrics import displacement, fit_sine, psnr
from spikemm.reconstruction import make_front_end
from spikemm.recording import Recording
from spikemm.response import response_map
from spikemm.simulator import Sensor, Simulator, make_scene
from spikemm.weights import ModelCard, save_network

HEIGHT, WIDTH, RATE_HZ = 120, 192, 20_000.0
AROUND = {
    "tuning-fork": (104, 0, WIDTH, HEIGHT),
    "still": (104, 0, WIDTH, HEIGHT),
    "balloon": (104, 40, WIDTH, HEIGHT),
    "short-ruler": (150, 70, WIDTH, HEIGHT),
}
"""The part (x, y, width, height) of a scene that is looked at."""
WIDELY = {"tuning-fork": (40, 0, 320, 200), "short-ruler": (80, 20, 320, 200)}
"""As much of it as has about the share of the whole that stands still."""
CARD = ModelCard(summary="test", data="none", command="none", seed=0, figures={}, limits="none", date="2026-11-22")


def windows(scene, fronts, frames, *, hop=80, **sensor):
    """Windows with all maps of some front ends, and the simulator that they come from."""
    simulator = Simulator(scene, Sensor(**{"fixed_pattern": 0.0, "dark_current": 0.0, **sensor}))
    maps = dict.fromkeys(spec for front in fronts for spec in front.maps)
    encoder = Encoder(scene.height, scene.width, list(maps), hop)
    found = []
    while len(found) < frames:
        found += encoder.push(simulator.steps(400), simulator.step - 400)
    return found[:frames], simulator


def frames_of(front, found):
    front_end = make_front_end(front)
    return torch.cat([front_end.push([window]).pixels for window in found]).numpy()


@pytest.fixture
def scene(part):
    return lambda name, **options: part(name, AROUND[name], **options)


def test_a_still_scene_does_not_flicker(scene):
    found, _ = windows(scene("still"), [FrontSpec("mie", 32)], 40)
    means = frames_of(FrontSpec("mie", 32), found)[8:].mean(axis=(1, 2))
    assert np.ptp(means) / means.mean() < 0.002


@pytest.mark.parametrize(
    ("name", "hz", "window"), [("tuning-fork", 310.0, 32), ("tuning-fork", 500.0, 16), ("balloon", 100.0, 32)]
)
def test_motion_survives_the_fusion(scene, name, hz, window):
    front = FrontSpec("mie", window)
    vibrating = scene(name, frequency_hz=hz)
    found, _ = windows(vibrating, [front], 36, hop=71)
    motion = vibrating.motions[0]
    x, y, width, height = motion.region
    moved = displacement(frames_of(front, found)[12:], motion.region, vibrating.frame())[:, 0]
    steps = np.array([window.step for window in found[12:]])
    shown = fit_sine(moved, steps, RATE_HZ, hz).amplitude / motion.px
    light = torch.from_numpy(vibrating.frame()[y : y + height, x : x + width])
    kept = float(response_map(front.timing, light, hz, RATE_HZ).mean())
    assert shown / kept == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("sensor", "gain_db"), [({}, 1.5), ({"light": 0.1, "temporal_noise": 0.2}, 9.0)], ids=["light", "dark"]
)
@pytest.mark.parametrize("name", ["tuning-fork", "short-ruler"])
def test_frames_are_nearer_to_the_truth_than_one_window_s(part, name, sensor, gain_db):
    front, plain = FrontSpec("mie", 32), FrontSpec("interval", 32)
    others = [FrontSpec("interval", window) for window in (64, 128, 256)] if sensor else []
    found, simulator = windows(part(name, WIDELY[name]), [front, plain, *others], 20, **sensor)
    truth = np.stack([simulator.light(window.step) for window in found[-6:]])
    ours, theirs, *best = (psnr(frames_of(spec, found)[-6:], truth) for spec in (front, plain, *others))
    assert ours - theirs > gain_db
    assert not best or ours - max(best) > 3.0


def test_batches_give_what_single_windows_give(scene):
    found, _ = windows(scene("tuning-fork"), [FrontSpec("mie", 32)], 6)
    whole = make_front_end(FrontSpec("mie", 32)).push(found)
    singly = frames_of(FrontSpec("mie", 32), found)
    assert whole.pixels.numpy() == pytest.approx(singly, abs=1e-5)
    assert whole.steps.tolist() == [window.step for window in found]


def test_behind_a_gap_nothing_is_remembered(scene):
    found, _ = windows(scene("tuning-fork"), [FrontSpec("mie", 32)], 6)
    front_end = make_front_end(FrontSpec("mie", 32))
    front_end.push(found[:3])
    behind = front_end.push([found[3].__class__(found[3].step, 500, found[3].maps)])
    assert behind.gap == 500
    assert torch.equal(behind.pixels, make_front_end(FrontSpec("mie", 32)).push([found[3]]).pixels)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_saturated_pictures_stay_so(scene, value):
    found, _ = windows(scene("still"), [FrontSpec("mie", 32)], 1)
    flat = {name: np.full_like(one, value) for name, one in found[0].maps.items()}
    pixels = make_front_end(FrontSpec("mie", 32)).push([found[0].__class__(0, 0, flat)]).pixels
    assert pixels.numpy() == pytest.approx(np.full((1, HEIGHT, WIDTH), value), abs=1e-2)


@pytest.mark.parametrize("size", [(16, 16), (17, 31)])
def test_any_size_will_do(size):
    scene = make_scene("tuning-fork", height=size[0], width=size[1])
    for name in ("mie", "bsn1", "bsn2"):
        found, _ = windows(scene, [FrontSpec(name, 8)], 2)
        pixels = frames_of(FrontSpec(name, 8), found)
        assert pixels.shape == (2, *size) and np.isfinite(pixels).all()


def test_the_published_configuration_runs_on_its_own_networks(tmp_path):
    for name, planes in (("bsn1", 8), ("bsn2", 64)):
        torch.manual_seed(0)
        network = ReferenceBSN(planes)
        save_network(
            tmp_path / f"{name}.safetensors", network, architecture="reference", options=network.options, card=CARD
        )
    front = FrontSpec("paper", 8)
    found, _ = windows(make_scene("tuning-fork", height=16, width=24), [front], 2)
    pixels = make_front_end(front, weights=tmp_path).push(found).pixels
    assert pixels.shape == (2, 16, 24) and bool(torch.isfinite(pixels).all())
    with pytest.raises(WeightsError, match="a network for 8 steps, paper:16 has 16"):
        make_front_end(FrontSpec("paper", 16), weights=tmp_path)


def test_the_published_configuration_needs_weights():
    with pytest.raises(OptionError, match="paper:41 needs weights"):
        make_front_end(FrontSpec("paper", 41))


def test_a_front_end_without_networks_takes_no_weights(tmp_path):
    with pytest.raises(OptionError, match="only mie, bsn1, bsn2, paper have networks"):
        make_front_end(FrontSpec("interval", 32), weights=tmp_path / "a.safetensors")


def test_networks_that_know_nothing_do_no_harm(scene):
    found, simulator = windows(scene("tuning-fork"), [FrontSpec("mie", 32), FrontSpec("interval", 32)], 16)
    torch.manual_seed(0)
    blind = Extraction(FrontSpec("mie", 32), CompactPair(CompactBSN().eval()))
    frames = torch.cat([blind.push([window]).pixels for window in found]).numpy()[-4:]
    truth = np.stack([simulator.light(window.step) for window in found[-4:]])
    assert psnr(frames, truth) > psnr(frames_of(FrontSpec("interval", 32), found)[-4:], truth)


def test_a_picture_that_moves_everywhere_is_not_taken_for_a_noisy_one(recordings):
    front = FrontSpec("mie", 32)
    recording = Recording(recordings / "reds_200_1_simulated_250x400.dat")
    encoder = Encoder(250, 400, front.maps, hop=10)
    encoded = encoder.push(recording.packed(0, recording.steps), 0) + encoder.flush()
    found = [window for window in encoded if window.step <= 150]
    picture = cv2.imread(str(recordings / "reds_200_1_truth_step150.png"), cv2.IMREAD_GRAYSCALE) / 255.0
    own = found[-1].maps[str(front.timing)]
    truth = picture * (own * picture).sum() / (picture**2).sum()
    assert psnr(frames_of(front, found)[-1], truth) > psnr(own, truth) - 0.5
