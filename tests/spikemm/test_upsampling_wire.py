import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError
from spikemm.metrics import displacement
from spikemm.upsampling import wire
from spikemm.upsampling.gabor_network import GaborNetwork, grid
from spikemm.upsampling.wire import Wire


def texture(dx=0.0, size=16, seed=3):
    """A smooth picture moved by dx to the right."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    waves = zip(*random.uniform(-0.5, 0.5, (2, 12)), random.uniform(0, 6.28, 12), strict=True)
    light = 0.4 + 0.03 * sum(np.cos(kx * (x - dx) + ky * y + phase) for kx, ky, phase in waves)
    return torch.tensor(light[None], dtype=torch.float32)


def fitted(*frames, scale=1.0, **options):
    """What comes out, frame by frame."""
    batch = torch.cat(frames)
    upsampler = Wire(scale=scale, height=batch.shape[1], width=batch.shape[2], **options)
    return list(upsampler.push(FrameBatch(batch, np.arange(len(batch)))).pixels)


def error(result, frame):
    return float((result - frame[0]).square().mean())


def formula(network, x, y):
    """WIRE as printed, in double precision, from the network's parameters in their order."""
    values = [p.detach().numpy().astype(complex) for p in network.parameters()]
    signal = np.array([x, y], complex)
    for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
        z = weight @ signal + bias
        signal = np.exp(1j * 10.0 * z - np.abs(10.0 * z) ** 2)
    return float((values[-2] @ signal + values[-1]).real[0])


def test_network_has_the_published_size():
    parameters = list(GaborNetwork(0, "cpu").parameters())
    assert sum(p.numel() * (2 if p.is_complex() else 1) for p in parameters) == 132_675
    assert [tuple(p.shape) for p in parameters if p.ndim == 2] == [(181, 2), (181, 181), (181, 181), (1, 181)]


def test_network_computes_the_published_formula():
    network = GaborNetwork(0, "cpu")
    for x, y in [(0.0, 0.0), (0.3, -0.9), (-1.0, 1.0)]:
        assert network(torch.tensor([[x, y]])).item() == pytest.approx(formula(network, x, y), abs=1e-6)


def test_gradient_is_that_of_the_formula():
    network = GaborNetwork(0, "cpu")
    network(torch.tensor([[0.05, -0.1]])).sum().backward()
    for parameter in network.parameters():
        reals, slopes = (torch.view_as_real(t) if t.is_complex() else t for t in (parameter.data, parameter.grad))
        for place in (0, reals.numel() // 2, int(slopes.abs().argmax())):
            entry = np.unravel_index(place, reals.shape)
            middle, around = float(reals[entry]), []
            for value in (middle - 2**-10, middle + 2**-10):
                reals[entry] = value
                around.append(formula(network, 0.05, -0.1))
            reals[entry] = middle
            assert (around[1] - around[0]) / 2**-9 == pytest.approx(float(slopes[entry]), rel=0.02, abs=1e-4)


def test_coordinates_are_those_of_pixel_centres():
    own = grid(300, 400, height=300, width=400, device="cpu").view(300, 400, 2)
    assert own[0, 0].tolist() == pytest.approx([-399 / 400, -299 / 400])
    double = grid(600, 800, height=300, width=400, device="cpu").view(300, 2, 400, 2, 2)
    assert torch.allclose(double.mean((1, 3)), own, atol=1e-6)


def test_more_iterations_fit_better():
    errors = [error(fitted(texture(), iterations=n)[0], texture()) for n in (1, 10, 60)]
    assert errors[0] > 2 * errors[1] > 20 * errors[2]
    assert errors[2] < 0.001 * float(texture().var())


def test_the_best_state_met_is_kept():
    start = fitted(texture(), iterations=1, rate=1e-12)[0]
    diverged = fitted(texture(), iterations=5, rate=100.0)[0]
    assert torch.allclose(diverged, start, atol=1e-6)


def test_result_follows_from_the_seed_alone():
    state = torch.random.get_rng_state()
    first, again, other = (fitted(texture(), iterations=3, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-4)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_later_frames_start_from_the_frame_before():
    near = texture(0.2)
    warm = fitted(texture(), near, iterations=60)[1]
    cold = fitted(near, iterations=20)[0]
    assert error(warm, near) < 0.1 * error(cold, near)


def test_motion_in_a_sequence_is_enlarged_and_none_is_added():
    frames = [texture(dx, size=20) for dx in (0.0, 0.3, 0.0)]
    result = torch.stack(fitted(*frames, scale=2.0, iterations=60))
    measured = displacement(result, (8, 8, 24, 24))
    assert measured == pytest.approx(np.array([[0.0, 0.0], [0.6, 0.0], [0.0, 0.0]]), abs=0.1)


def test_a_cut_starts_afresh():
    cut = 0.9 - texture(seed=5).flip(1)
    assert torch.equal(fitted(texture(), cut, iterations=25)[1], fitted(cut, iterations=25)[0])


def test_a_flat_frame_between_leaves_the_sequence_as_it_was():
    flat = torch.full_like(texture(), 0.25)
    with_flat = fitted(flat, texture(), flat, texture(0.1), iterations=20)
    assert torch.equal(with_flat[2], flat[0])
    assert torch.equal(with_flat[3], fitted(texture(), texture(0.1), iterations=20)[1])


def test_chunks_change_nothing(monkeypatch):
    whole = fitted(texture(), iterations=3, scale=2.0)[0]
    monkeypatch.setattr(wire, "_CHUNK", 100)
    assert torch.allclose(fitted(texture(), iterations=3, scale=2.0)[0], whole, atol=1e-4)


def test_it_is_fitted_where_gradients_are_off():
    plain = fitted(texture(), iterations=3)[0]
    with torch.inference_mode():
        assert torch.equal(fitted(texture(), iterations=3)[0], plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "0 iterations and 20"),
        ({"warm_iterations": 19}, "take 1 and 20 at least"),
        ({"rate": 0.0}, "finite numbers above 0"),
        ({"warm_rate": float("nan")}, "finite numbers above 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Wire(scale=2.0, height=16, width=16, **options)
