import numpy as np
import pytest
import torch

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.response import effective_length, highest_frequency, require_response, response_map, window_response

RATE_HZ = 20_000.0


def spike_train(light, phase):
    """Steps at which a pixel in steady light fires, long before and after step 0."""
    return np.ceil((np.arange(-200, 200) + phase) / light)


@pytest.mark.parametrize("light", [0.61, 0.23, 0.087])
def test_interval_length_is_that_of_a_regular_train(light):
    lengths = []
    for phase in np.linspace(0.0, 1.0, 400, endpoint=False):
        train = spike_train(light, phase)
        lengths.append(train[train >= 32][0] - train[train < 0][-1])
    assert float(effective_length(MapSpec("interval", 32), light)) == pytest.approx(np.mean(lengths), rel=0.03)


def test_length_of_rate_is_the_window_and_of_isi_the_interval():
    assert float(effective_length(MapSpec("rate", 48), 0.3)) == 48.0
    assert float(effective_length(MapSpec("isi", 48), 0.25)) == pytest.approx(4.0)


def test_length_in_the_dark_is_finite():
    lengths = effective_length(MapSpec("interval", 32), torch.tensor([0.0, 1e-6]))
    assert torch.isfinite(lengths).all()
    assert lengths.max() <= 3 * 32


@pytest.mark.parametrize(("window", "kept"), [(8, 0.975), (16, 0.901), (32, 0.640)])
def test_response_is_the_average_of_a_sine_over_the_window(window, kept):
    time = np.linspace(-window / 2, window / 2, 20_001) / RATE_HZ
    averaged = np.trapezoid(np.cos(2 * np.pi * 310.0 * time), time) * RATE_HZ / window
    assert float(window_response(window, 310.0, RATE_HZ)) == pytest.approx(averaged, abs=1e-4)
    assert averaged == pytest.approx(kept, abs=0.002)


@pytest.mark.parametrize("front", [MapSpec("interval", 32), MapSpec("isi", 64), MapSpec("rate", 32)])
def test_response_is_what_a_train_in_vibrating_light_shows(front):
    light, depth, hz = 0.2, 0.02, 310.0
    steps = np.arange(4096)
    vibrating = light * (1.0 + depth * np.sin(2 * np.pi * hz * (steps + 0.5) / RATE_HZ))
    shown = []
    for phase in np.linspace(0.0, 1.0, 64, endpoint=False):
        fired = np.flatnonzero(np.diff(np.floor(np.cumsum(vibrating) + phase), prepend=0.0))
        shown.append([value_at(front, fired, t) for t in range(100, 3900, 13)])
    time = 2 * np.pi * hz * np.arange(100, 3900, 13) / RATE_HZ
    basis = np.stack([np.sin(time), np.cos(time), np.ones_like(time)], axis=1)
    sine, cosine, _ = np.linalg.lstsq(basis, np.mean(shown, axis=0), rcond=None)[0]
    expected = float(response_map(front, torch.tensor(light), hz, RATE_HZ))
    assert np.hypot(sine, cosine) / (light * depth) == pytest.approx(expected, rel=0.04)


def value_at(front, fired, t):
    if front.name == "isi":
        return 1.0 / (fired[fired > t][0] - fired[fired <= t][-1])
    first = t - front.window // 2
    inside = np.count_nonzero((fired >= first) & (fired < first + front.window))
    if front.name == "rate":
        return inside / front.window
    return (inside + 1) / (fired[fired >= first + front.window][0] - fired[fired < first][-1])


def test_highest_frequency_keeps_just_what_was_asked():
    hz = highest_frequency(37, RATE_HZ, keep=0.3)
    assert float(window_response(37, hz, RATE_HZ)) == pytest.approx(0.3, abs=0.002)


def test_frequency_that_the_window_erases_is_refused_with_the_highest_one():
    with pytest.raises(OptionError, match=r"interval:32 keeps .* of a vibration of 600 Hz.* good up to 4\d\d Hz"):
        require_response(MapSpec("interval", 32), 0.4, 600.0, RATE_HZ)
    require_response(MapSpec("interval", 32), 0.4, 310.0, RATE_HZ)
