"""Truth: pictures computed at their moved places, and the pair of frames that comes with the released weights."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError, WeightsError
from spikemm.magnification.learned.oh2018 import Oh2018Magnifier
from spikemm.magnification.learned.oh2018_network import Oh2018
from spikemm.magnification.learned.oh2018_release import EXAMPLE_TOLERANCE, example_error, read_release
from spikemm.magnification.options import MagnifierOptions
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine
from spikemm.weights import ModelCard, load_network, save_network

RATE_HZ, HOP = 20_000.0, 20
INSTANT = MapSpec("rate", 1)
SMALL, LARGE = (48, 64), (64, 96)
CARD = ModelCard(summary="", data="", command="", seed=None, figures={}, limits="", date="2025-01-31")


def edge(dx, size=SMALL):
    """A slanted edge of σ 1 px from 80 to 180 of 255, moved by dx to the right."""
    y, x = np.mgrid[: size[0], : size[1]]
    slant = 0.0875
    across = (x - dx - size[1] / 2 - slant * (y - size[0] / 2)) / np.sqrt(1.0 + slant**2)
    return (130.0 + 50.0 * erf(across / np.sqrt(2.0))) / 255.0


def texture(dx, size=SMALL):
    """Noise smoothed by σ 2 px, at most 35 of 255 off 128, moved by dx to the right."""
    fy, fx = np.meshgrid(np.fft.fftfreq(size[0]), np.fft.fftfreq(size[1]), indexing="ij")
    noise = np.fft.fft2(np.random.default_rng(0).standard_normal(size))
    smooth = noise * np.exp(-2.0 * (np.pi * 2.0) ** 2 * (fx**2 + fy**2))
    moved = np.fft.ifft2(smooth * np.exp(-2j * np.pi * fx * dx)).real
    return (128.0 + 35.0 * moved / np.abs(np.fft.ifft2(smooth).real).max()) / 255.0


def batch(frames):
    pixels = torch.tensor(np.stack(frames), dtype=torch.float32)
    return FrameBatch(pixels, np.arange(len(pixels)) * HOP)


def build(weights, alpha=10.0, mode="static", band=None, front=INSTANT, size=SMALL, kind=Oh2018Magnifier):
    options = MagnifierOptions(
        alpha=alpha,
        mode=mode,
        band_hz=band,
        rate_hz=RATE_HZ,
        hop=HOP,
        front=front,
        height=size[0],
        width=size[1],
        device="cpu",
        weights=weights,
    )
    return kind(options)


def measured(frames, picture, size=SMALL):
    """Displacement to the right of the middle of the frames."""
    height, width = size
    roi = (width // 4, height // 4, width // 2, height // 2)
    return displacement(frames, roi, reference=picture(0.0, size))[:, 0]


@pytest.fixture(scope="module")
def official(oh2018_release, tmp_path_factory):
    """The released weights in a file of ours."""
    path = tmp_path_factory.mktemp("official") / "oh2018.safetensors"
    network, _ = read_release(oh2018_release)
    save_network(path, network, architecture="oh2018", options=network.options, card=CARD)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Random weights of a small network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "oh2018.safetensors"
    network = Oh2018(width=8, blocks=1)
    save_network(path, network, architecture="oh2018", options=network.options, card=CARD)
    return path


@pytest.fixture
def tampered(oh2018_release, tmp_path):
    """Write the release anew with some arrays replaced, or left out where None."""

    def write(**changes):
        with np.load(oh2018_release, allow_pickle=False) as contents:
            arrays = dict(contents)
        for end, change in changes.items():
            name = next(name for name in arrays if end in name)
            value = None if change is None else change(arrays[name])
            arrays = {k: v for k, v in arrays.items() if k != name} | ({} if value is None else {name: value})
        np.savez(tmp_path / "release.npz", **arrays)
        return tmp_path / "release.npz"

    return write


def shown_gain(weights, picture, amplitude, alpha, per_cycle=8, size=SMALL):
    """Fitted amplitude of the output over that of the input, over one cycle from rest on."""
    steps = np.arange(per_cycle) * HOP
    hz = RATE_HZ / HOP / per_cycle
    moves = amplitude * np.sin(2 * np.pi * hz * steps / RATE_HZ)
    out = build(weights, alpha, size=size).push(batch([picture(d, size) for d in moves]))
    return fit_sine(measured(out.pixels, picture, size), steps, RATE_HZ, hz).amplitude / amplitude


def test_released_weights_reproduce_their_own_pair_of_frames(oh2018_release, official):
    with np.load(oh2018_release, allow_pickle=False) as pair:
        a, b, expected = (
            torch.tensor(pair[f"example/{name}"]) for name in ("frame_a", "frame_b", "output_before_clip")
        )
        alpha = float(pair["example/alpha"])
    network = load_network(official, networks={"oh2018": Oh2018})
    with torch.inference_mode():
        before, after = network.encode(a), network.encode(b)
        moved = network.manipulate(after.shape, after.shape - before.shape, alpha)
        shown = network.decode(after.texture, moved)
    assert (shown - expected).abs().max() < 1e-4


@pytest.mark.parametrize(("picture", "gain"), [(edge, 10.4), (texture, 10.1)])
def test_released_weights_have_the_gain_that_was_measured_with_them(official, picture, gain):
    shown = shown_gain(official, picture, 0.2, 10.0, per_cycle=20, size=LARGE)
    assert shown == pytest.approx(gain, rel=0.03)


@pytest.mark.parametrize("picture", [edge, texture])
@pytest.mark.parametrize(("amplitude", "alpha"), [(0.03, 50.0), (0.2, 50.0), (1.0, 10.0), (1.0, 2.5)])
def test_gain_is_as_claimed_where_enough_is_added(official, picture, amplitude, alpha):
    assert (alpha - 1.0) * amplitude > Oh2018Magnifier.claim.added_px
    gain = shown_gain(official, picture, amplitude, alpha)
    assert gain == pytest.approx(alpha, rel=Oh2018Magnifier.claim.gain)


def test_what_would_be_moved_by_half_a_pixel_is_hardly_magnified(official):
    assert shown_gain(official, texture, 0.05, 10.0) < 3.0


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_alpha_below_1_attenuates_and_0_freezes(official, alpha):
    assert shown_gain(official, texture, 0.3, alpha) == pytest.approx(alpha, abs=0.03)


def test_alpha_1_leaves_the_frames_as_they_are(tiny):
    frames = batch([texture(d) for d in (0.0, 0.3, -0.2)])
    assert torch.equal(build(tiny, alpha=1.0).push(frames).pixels, frames.pixels)


def test_dynamic_mode_magnifies_the_motion_since_the_frame_before(official):
    moves = np.array([0.0, 0.3, 0.3, 0.6])
    out = build(official, mode="dynamic").push(batch([texture(d) for d in moves]))
    assert measured(out.pixels, texture) == pytest.approx([0.0, 3.0, 0.3, 3.3], rel=0.15, abs=0.02)


def test_band_mode_shows_alpha_times_what_the_scene_moved_before_the_window_averaged_it(official):
    hz, front = 310.0, MapSpec("rate", 32)
    kept = np.sinc(hz * 32 / RATE_HZ)
    steps = np.arange(56) * HOP
    moves = 0.3 * np.sin(2 * np.pi * hz * steps / RATE_HZ)
    stage = build(official, mode="band", band=(250.0, 380.0), front=front)
    out = stage.push(batch([texture(kept * d) for d in moves])).pixels[32:]
    assert fit_sine(measured(out, texture), steps[32:], RATE_HZ, hz).amplitude == pytest.approx(3.0, rel=0.15)


def test_motion_outside_the_band_is_left_as_it_is(official):
    steps = np.arange(50) * HOP
    moves = 0.3 * np.sin(2 * np.pi * 40.0 * steps / RATE_HZ)
    out = build(official, mode="band", band=(300.0, 400.0)).push(batch([texture(d) for d in moves])).pixels[25:]
    assert fit_sine(measured(out, texture), steps[25:], RATE_HZ, 40.0).amplitude == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("mode", ["static", "dynamic", "band"])
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 18)])
def test_still_frames_of_any_size_come_out_as_they_went_in(tiny, mode, size):
    band = (250.0, 380.0) if mode == "band" else None
    for content in (np.zeros(size), np.full(size, 0.4), np.ones(size), np.random.default_rng(0).random(size)):
        out = build(tiny, mode=mode, band=band, size=size).push(batch([content] * 3))
        assert (out.pixels - out.raw).abs().max() < 1e-3


def test_broken_and_changing_frames_give_finite_ones(tiny):
    broken = np.random.default_rng(0).random((17, 31))
    broken[3, 4], broken[5, 6] = np.nan, np.inf
    frames = [np.zeros((17, 31)), broken, np.ones((17, 31)), broken]
    out = build(tiny, size=(17, 31)).push(batch(frames)).pixels
    assert out.shape == (4, 17, 31)
    assert torch.isfinite(out).all()


def test_result_does_not_depend_on_how_the_stream_is_cut(tiny):
    frames = batch([texture(0.3 * np.sin(i)) for i in range(8)])
    whole = build(tiny).push(frames).pixels
    stage = build(tiny)
    parts = [stage.push(FrameBatch(frames.pixels[a:b], frames.steps[a:b])).pixels for a, b in ((0, 1), (1, 5), (5, 8))]
    assert torch.equal(whole, torch.cat(parts))


def test_a_tenth_of_the_light_gives_the_same_picture_a_tenth_as_bright(tiny):
    bright = batch([texture(d) for d in (0.0, 0.3, 0.1)])
    dim = FrameBatch(0.1 * bright.pixels, bright.steps)
    shown, tenth = build(tiny).push(bright).pixels, build(tiny).push(dim).pixels
    assert (shown - bright.pixels).abs().max() > 0.01
    assert 10.0 * tenth == pytest.approx(shown, abs=1e-4)


def test_published_size_has_918_928_parameters_and_a_narrow_one_can_be_trained():
    assert sum(p.numel() for p in Oh2018().parameters()) == 918_928
    network = Oh2018(width=8, blocks=2)
    frames = torch.rand(2, 1, 16, 20) - 0.5
    after = network.encode(frames)
    shown = network.magnify(after, after.shape - network.encode(frames.flip(0)).shape, torch.full((2, 1, 1, 1), 5.0))
    assert shown.shape == frames.shape
    shown.abs().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0.0 for p in network.parameters())


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ShapeError, match="multiples of 4"):
        Oh2018(width=4, blocks=1).encode(torch.zeros(1, 1, 17, 20))
    with pytest.raises(OptionError, match="even width"):
        Oh2018(width=5)


def test_where_no_weights_come_with_the_package_the_command_that_makes_some_is_named():
    class Unbundled(Oh2018Magnifier):
        architecture = "unbundled"

    with pytest.raises(OptionError, match="spikemm weights import oh2018 FILE"):
        build(None, kind=Unbundled)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "other.safetensors"
    save_network(path, torch.nn.Linear(2, 2), architecture="linear", options={}, card=CARD)
    with pytest.raises(WeightsError, match="'oh2018' is needed"):
        build(path)


def test_release_is_checked_against_its_own_example(oh2018_release):
    network, example = read_release(oh2018_release)
    assert example_error(oh2018_release, network, example) < EXAMPLE_TOLERANCE
    assert example_error(oh2018_release, network, {}) is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"enc_conv1_c": None}, "lacks the variable ynet_3frames/encoder/enc_conv1_c"),
        ({"pred_conv": lambda a: a[:5]}, r"\(5, 7, 32, 3\) float32, not \(7, 7, 32, 3\)"),
        ({"mani_conv0c": lambda a: a.astype(np.float64)}, "float64, not"),
        ({"shape_enc_1_c1": lambda a: a * np.nan}, "not finite"),
        ({"shape_enc_1_c1": lambda a: a.astype(object)}, "of plain arrays"),
    ],
)
def test_releases_that_are_not_whole_are_refused(tampered, changes, match):
    path = tampered(**changes)
    with pytest.raises(WeightsError, match=match) as caught:
        read_release(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"enc_conv2_c": lambda a: 1.01 * a}, "misses the file's own example by"),
        ({"example/alpha": None}, "example that is none"),
        ({"example/frame_a": lambda a: a[..., :90]}, "example that is none"),
    ],
)
def test_examples_that_do_not_fit_are_refused(tampered, changes, match):
    path = tampered(**changes)
    network, example = read_release(path)
    with pytest.raises(WeightsError, match=match):
        example_error(path, network, example)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x04K\x01.", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_archive_are_refused(tmp_path, content):
    path = tmp_path / "release.npz"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="of plain arrays, or damaged"):
        read_release(path)
    with pytest.raises(WeightsError, match="is not there"):
        read_release(tmp_path / "none.npz")
