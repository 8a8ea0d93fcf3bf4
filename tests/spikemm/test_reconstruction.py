import numpy as np
import pytest
import torch

from spikemm.encoding import Windows
from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.reconstruction import SingleMap


def windows(name, frames, first=100, gap=0):
    return [
        Windows(first + 20 * i, gap if i == 0 else 0, {name: np.asarray(frame, np.float32)})
        for i, frame in enumerate(frames)
    ]


@pytest.mark.parametrize("name", ["rate:32", "interval:16"])
def test_light_maps_are_frames_as_they_are(name):
    frames = np.random.default_rng(0).uniform(0, 1, (3, 5, 7)).astype(np.float32)
    batch = SingleMap(MapSpec.parse(name)).push(windows(name, frames, gap=7))
    assert (batch.pixels.numpy() == frames).all() and batch.pixels.dtype == torch.float32
    assert batch.steps.tolist() == [100, 120, 140] and batch.steps.dtype == np.int64
    assert batch.gap == 7


def test_no_windows_are_no_batch():
    assert SingleMap(MapSpec("rate", 8)).push([]) is None


def test_light_is_the_inverse_of_the_interval():
    batch = SingleMap(MapSpec("isi", 32)).push(windows("isi:32", [[[1, 2], [4, 5]]]))
    assert batch.pixels[0].numpy() == pytest.approx(np.array([[1, 0.5], [0.25, 0.2]]))


def test_a_pixel_without_an_interval_keeps_its_last_light():
    front = SingleMap(MapSpec("isi", 32))
    front.push(windows("isi:32", [[[4, 2]], [[0, 5]]]))
    batch = front.push(windows("isi:32", [[[0, 0]], [[10, 0]]], first=140))
    assert batch.pixels[:, 0].numpy() == pytest.approx(np.array([[0.25, 0.2], [0.1, 0.2]]))


def test_a_pixel_that_never_had_one_takes_the_mean_of_its_neighbours():
    intervals = np.full((5, 5), 2.0)
    intervals[0] = 4.0
    intervals[1, 2] = 0
    light = SingleMap(MapSpec("isi", 32)).push(windows("isi:32", [intervals])).pixels[0]
    assert light[1, 2] == pytest.approx((3 * 0.25 + 5 * 0.5) / 8)


def test_large_holes_are_filled_from_their_rim():
    intervals = np.zeros((30, 40))
    intervals[:, 0], intervals[:, -1] = 2, 4
    light = SingleMap(MapSpec("isi", 32)).push(windows("isi:32", [intervals])).pixels[0]
    assert torch.isfinite(light).all()
    assert (light[:, 5] == 0.5).all() and (light[:, 35] == 0.25).all()


def test_a_dark_picture_is_black():
    batch = SingleMap(MapSpec("isi", 32)).push(windows("isi:32", np.zeros((2, 4, 6))))
    assert (batch.pixels == 0).all()


@pytest.mark.parametrize("by", ["gap", "reset"])
def test_light_is_not_kept_across_a_gap_or_a_reset(by):
    front = SingleMap(MapSpec("isi", 32))
    front.push(windows("isi:32", [[[2, 2]]]))
    if by == "reset":
        front.reset()
    batch = front.push(windows("isi:32", [[[0, 8]]], first=200, gap=50 if by == "gap" else 0))
    assert batch.pixels[0].tolist() == [[0.125, 0.125]]


def test_a_window_without_the_map_is_an_error():
    with pytest.raises(OptionError, match="has rate:32, not interval:32"):
        SingleMap(MapSpec("interval", 32)).push(windows("rate:32", np.zeros((1, 2, 2))))


def test_a_gap_between_windows_is_an_error():
    both = windows("rate:8", np.zeros((1, 2, 2))) + windows("rate:8", np.zeros((1, 2, 2)), first=200, gap=5)
    with pytest.raises(OptionError, match="a gap lies between"):
        SingleMap(MapSpec("rate", 8)).push(both)
