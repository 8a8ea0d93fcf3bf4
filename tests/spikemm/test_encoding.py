import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikemm.encoding import Encoder, SpikeRing, warm_up
from spikemm.exceptions import OptionError, ShapeError, WindowError
from spikemm.maps import MapSpec
from spikemm.packing import pack
from spikemm.recording import Recording

SIZES = [(7, 13), (16, 17), (40, 80)]


def regular_trains(shape, seed, lowest=0.01, highest=1.0):
    """Spikes of an integrating pixel under constant light, saturated and dark ones among them."""
    random = np.random.default_rng(seed)
    light = random.uniform(lowest, highest, shape[1:]) ** 2
    light.flat[::11], light.flat[::17] = 1.0, 0.0
    charge = random.uniform(size=shape[1:]) + light * np.arange(1, shape[0] + 1)[:, None, None]
    return (np.diff(np.floor(charge), axis=0, prepend=0) > 0).astype(np.uint8)


def random_spikes(shape, seed):
    return (np.random.default_rng(seed).uniform(size=shape) < 0.15).astype(np.uint8)


def first_step_of(t, w):
    return t - w // 2


def plain_rate(spikes, t, w):
    start = first_step_of(t, w)
    return spikes[start : start + w].sum(axis=0, dtype=np.int64).astype(np.float32) / np.float32(w)


def last_spike(spikes, steps):
    """Per pixel the last of `steps` with a spike, and whether there is one."""
    found, at = np.zeros(spikes.shape[1:], bool), np.zeros(spikes.shape[1:], int)
    for k in steps:
        at[~found & (spikes[k] == 1)] = k
        found |= spikes[k] == 1
    return at, found


def plain_isi(spikes, t, w):
    start = first_step_of(t, w)
    before, has_before = last_spike(spikes, range(t, start - 1, -1))
    behind, has_behind = last_spike(spikes, range(t + 1, start + w))
    return np.where(has_before & has_behind, behind - before, 0).astype(np.float32)


def plain_interval(spikes, t, w, reach):
    start = first_step_of(t, w)
    a, has_a = last_spike(spikes, range(start - 1, max(start - reach, 0) - 1, -1))
    b, has_b = last_spike(spikes, range(start + w, min(start + w + reach, len(spikes))))
    counts = np.cumsum(spikes, axis=0, dtype=np.int64)
    between = np.take_along_axis(counts, b[None], 0)[0] - np.take_along_axis(counts, a[None], 0)[0]
    light = between.astype(np.float32) / np.maximum(b - a, 1).astype(np.float32)
    return np.where(has_a & has_b, light, plain_rate(spikes, t, w))


def ring_of(spikes, capacity=None, chunk=37):
    ring = SpikeRing(*spikes.shape[1:], capacity or len(spikes))
    packed = pack(spikes)
    for k in range(0, len(spikes), chunk):
        ring.push(packed[k : k + chunk])
    return ring


@pytest.fixture(params=SIZES, ids=str)
def size(request):
    return request.param


@pytest.fixture(params=[regular_trains, random_spikes], ids=["regular", "random"])
def spikes(request, size):
    return request.param((160, *size), seed=6)


@pytest.mark.parametrize("w", [1, 2, 7, 8, 31, 32, 33, 100])
def test_rate_counts_the_spikes_of_the_window(spikes, w):
    ring = ring_of(spikes)
    for t in (w // 2, 70, 71, 75, 70, 160 - w + w // 2):
        assert (ring.rate(t, w) == plain_rate(spikes, t, w)).all()


@pytest.mark.parametrize("w", [1, 2, 7, 8, 31, 32, 100])
def test_isi_spans_from_the_last_spike_up_to_t_to_the_next(spikes, w):
    ring = ring_of(spikes)
    for t in (w // 2, 70, 71, 160 - w + w // 2):
        assert (ring.isi(t, w) == plain_isi(spikes, t, w)).all()


@pytest.mark.parametrize(("w", "reach"), [(1, 1), (2, 9), (7, 0), (8, 8), (31, 5), (32, 32), (33, 70), (100, 100)])
def test_interval_spans_from_the_spike_before_to_the_spike_behind(spikes, w, reach):
    ring = ring_of(spikes)
    for t in (w // 2, 70, 71, 77, 160 - w + w // 2):
        assert (ring.interval(t, w, reach) == plain_interval(spikes, t, w, reach)).all()


def test_interval_reaches_as_far_as_the_window_is_long_by_default(spikes):
    assert (ring_of(spikes).interval(60, 12) == plain_interval(spikes, 60, 12, 12)).all()


@pytest.mark.parametrize(("w", "n"), [(1, 1), (64, 8), (96, 3), (32, 32)])
def test_segments_are_the_rates_of_equal_parts_oldest_first(spikes, w, n):
    start = first_step_of(80, w)
    parts = spikes[start : start + w].reshape(n, w // n, *spikes.shape[1:]).mean(axis=1)
    assert ring_of(spikes).segments(80, w, n) == pytest.approx(parts, abs=1e-6)


def test_windows_longer_than_a_byte_can_count_are_exact():
    spikes = regular_trains((700, 7, 13), seed=7)
    ring = ring_of(spikes)
    for t in (300, 301, 340):
        assert (ring.rate(t, 600) == plain_rate(spikes, t, 600)).all()
        assert (ring.isi(t, 600) == plain_isi(spikes, t, 600)).all()
    assert (ring.interval(350, 100, 300) == plain_interval(spikes, 350, 100, 300)).all()
    assert (ring.interval(350, 300, 200) == plain_interval(spikes, 350, 300, 200)).all()


@pytest.mark.parametrize("capacity", [48, 53, 64])
def test_a_ring_that_has_wrapped_gives_the_same_as_one_that_has_not(spikes, capacity):
    ring, packed = SpikeRing(*spikes.shape[1:], capacity), pack(spikes)
    for step in range(0, 160, 5):
        ring.push(packed[step : step + 5], step)
        newest = step + 4
        if newest >= 48:
            assert (ring.rate(newest - 15, 32) == plain_rate(spikes, newest - 15, 32)).all()
            assert (ring.isi(newest - 15, 32) == plain_isi(spikes, newest - 15, 32)).all()
            known = spikes[: newest + 1]
            assert (ring.interval(newest - 7, 16) == plain_interval(known, newest - 7, 16, 16)).all()


def test_more_steps_at_once_than_the_ring_holds_leave_the_newest(spikes):
    ring = ring_of(spikes, capacity=40, chunk=160)
    assert (ring.first_step, ring.next_step) == (120, 160)
    assert (ring.rate(140, 40) == plain_rate(spikes, 140, 40)).all()


def test_steps_count_from_the_first_one_pushed(spikes):
    ring = SpikeRing(*spikes.shape[1:], 100)
    ring.push(pack(spikes[:50]))
    assert (ring.first_step, ring.next_step) == (0, 50)


def test_steps_that_have_not_come_yet_count_as_without_a_spike(spikes):
    ring = ring_of(spikes[:90], capacity=160)
    assert (ring.interval(74, 32) == plain_interval(spikes[:90], 74, 32, 32)).all()
    ring.push(pack(spikes[90:]))
    assert (ring.interval(74, 32) == plain_interval(spikes, 74, 32, 32)).all()


def test_a_jump_is_a_gap_where_the_ring_restarts(spikes):
    ring = ring_of(spikes[:50], capacity=200)
    ring.push(pack(spikes[60:]), step=60)
    assert (ring.first_step, ring.next_step) == (60, 160)
    with pytest.raises(WindowError, match="needs steps 59 to 66"):
        ring.rate(63, 8)
    assert (ring.rate(64, 8) == plain_rate(spikes, 64, 8)).all()
    assert (ring.interval(64, 8) == plain_interval(spikes[60:], 4, 8, 8)).all()


def test_counts_from_before_a_gap_are_not_used_behind_it(spikes):
    ring = ring_of(spikes[:50], capacity=200)
    ring.rate(30, 32)
    ring.push(pack(spikes[:50]), step=1000)
    ring.reset()
    ring.push(pack(spikes[100:150]))
    assert (ring.rate(31, 32) == plain_rate(spikes[100:], 31, 32)).all()


@pytest.mark.parametrize("t", [-3, 3, 157, 1000])
@pytest.mark.parametrize("method", ["rate", "isi", "interval"])
def test_a_window_that_is_not_all_there_is_an_error(spikes, method, t):
    with pytest.raises(WindowError, match="the ring holds 0 to 159"):
        getattr(ring_of(spikes), method)(t, 8)


def test_steps_that_reach_needs_and_the_ring_has_lost_are_an_error(spikes):
    ring = ring_of(spikes, capacity=64)
    assert ring.interval(130, 32, reach=18).shape == spikes.shape[1:]
    with pytest.raises(WindowError, match="needs step 95"):
        ring.interval(130, 32, reach=19)


def test_options_out_of_range_are_errors():
    ring = SpikeRing(8, 8, 64)
    ring.push(np.zeros((64, 8), np.uint8))
    for call in (
        lambda: SpikeRing(0, 8, 64),
        lambda: SpikeRing(8, 8, 0),
        lambda: ring.rate(32, 0),
        lambda: ring.interval(32, 8, reach=-1),
        lambda: ring.segments(32, 32, 5),
        lambda: ring.segments(32, 32, 0),
        lambda: ring.push(np.zeros((1, 8), np.uint8), step=63),
    ):
        with pytest.raises(OptionError):
            call()
    with pytest.raises(ShapeError):
        ring.push(np.zeros((1, 9), np.uint8))


@pytest.mark.parametrize(("method", "noise"), [("rate", 0.076), ("isi", 0.068), ("interval", 0.016)])
def test_noise_on_a_real_static_wall(recordings, method, noise):
    car = Recording(recordings / "car_250x400.dat")
    ring = SpikeRing(250, 400, 200)
    ring.push(car.packed(0, 200))
    frames = np.stack([getattr(ring, method)(t, 32)[20:190, 340:398] for t in range(16, 152, 8)])
    defined = np.where(frames > 0, frames, np.nan)
    light = 1 / defined if method == "isi" else frames
    relative = np.nanstd(light, axis=0) / np.nanmean(light, axis=0)
    assert np.median(relative) == pytest.approx(noise, abs=0.0006)


def test_a_map_is_written_as_name_and_window():
    spec = MapSpec.parse("interval:32")
    assert (spec.name, spec.window, str(spec)) == ("interval", 32, "interval:32")


@pytest.mark.parametrize(
    ("text", "said"),
    [("intervall:32", "'interval'"), ("rate", "name:window"), ("rate:x", "name:window"), ("rate:0", "at least 1")],
)
def test_a_map_written_wrongly_is_an_error_that_helps(text, said):
    with pytest.raises(OptionError, match=said):
        MapSpec.parse(text)


def encode(spikes, maps, hop, chunk, *, flush=True):
    encoder = Encoder(*spikes.shape[1:], [MapSpec.parse(name) for name in maps], hop)
    packed = pack(spikes)
    windows = [w for k in range(0, len(spikes), chunk) for w in encoder.push(packed[k : k + chunk], k)]
    return windows + (encoder.flush() if flush else [])


@pytest.mark.parametrize("chunk", [1, 7, 50, 160])
def test_every_hop_has_its_maps_however_the_stream_is_cut(spikes, chunk):
    windows = encode(spikes, ["rate:20", "isi:15", "interval:8"], hop=5, chunk=chunk)
    assert [w.step for w in windows] == list(range(10, 151, 5))
    for w in windows:
        assert w.gap == 0
        assert (w.maps["rate:20"] == plain_rate(spikes, w.step, 20)).all()
        assert (w.maps["isi:15"] == plain_isi(spikes, w.step, 15)).all()
        assert (w.maps["interval:8"] == plain_interval(spikes, w.step, 8, 8)).all()


def test_windows_come_as_soon_as_their_steps_and_reach_are_there():
    encoder = Encoder(8, 8, [MapSpec("interval", 8)], hop=1)
    packed = np.zeros((1, 8), np.uint8)
    for step in range(60):
        centres = [w.step for w in encoder.push(packed, step)]
        assert centres == ([step - encoder.lag_steps] if step - encoder.lag_steps >= 4 else [])
    assert encoder.lag_steps == 4 + 8 - 1


def test_flush_gives_the_windows_that_only_lack_reach():
    spikes = regular_trains((100, 7, 13), seed=8)
    pushed = encode(spikes, ["interval:16"], hop=4, chunk=10, flush=False)
    whole = encode(spikes, ["interval:16"], hop=4, chunk=10)
    assert pushed[-1].step == 76 and [w.step for w in whole[len(pushed) :]] == [80, 84, 88, 92]
    assert (whole[-1].maps["interval:16"] == plain_interval(spikes, 92, 16, 16)).all()


def test_a_gap_restarts_the_windows_and_is_told_once():
    spikes = regular_trains((300, 7, 13), seed=9)
    encoder = Encoder(7, 13, [MapSpec("rate", 32)], hop=10)
    before = encoder.push(pack(spikes[:100]), 0)
    assert encoder.push(pack(spikes[150:160]), 150) == []
    behind = encoder.push(pack(spikes[203:]), 203)
    assert [w.step for w in before] == [20, 30, 40, 50, 60, 70, 80]
    assert [w.step for w in behind] == [220, 230, 240, 250, 260, 270, 280]
    assert [w.gap for w in before + behind] == [0] * 7 + [50 + 43] + [0] * 6
    assert (behind[0].maps["rate:32"] == plain_rate(spikes, 220, 32)).all()


def test_raising_the_hop_keeps_an_even_grid():
    encoder = Encoder(8, 8, [MapSpec("rate", 8)], hop=4)
    packed = np.zeros((40, 8), np.uint8)
    steps = [w.step for w in encoder.push(packed, 0)]
    encoder.hop = 12
    steps += [w.step for w in encoder.push(packed, 40)]
    encoder.hop = 4
    steps += [w.step for w in encoder.push(packed[:20], 80)]
    assert steps == [4, 8, 12, 16, 20, 24, 28, 32, 36, 48, 60, 72, 76, 80, 84, 88, 92, 96]


def test_after_a_reset_the_stream_may_start_anywhere():
    spikes = regular_trains((60, 7, 13), seed=10)
    encoder = Encoder(7, 13, [MapSpec("interval", 8)], hop=10)
    encoder.push(pack(spikes), 5000)
    encoder.reset()
    windows = encoder.push(pack(spikes), 0)
    assert [(w.step, w.gap) for w in windows] == [(10, 0), (20, 0), (30, 0), (40, 0)]
    assert (windows[0].maps["interval:8"] == plain_interval(spikes, 10, 8, 8)).all()


def test_going_back_without_a_reset_is_an_error():
    encoder = Encoder(8, 8, [MapSpec("rate", 8)], hop=4)
    encoder.push(np.zeros((40, 8), np.uint8), 100)
    with pytest.raises(OptionError, match="step 120 comes after step 139"):
        encoder.push(np.zeros((40, 8), np.uint8), 120)


@pytest.mark.parametrize(
    ("maps", "hop", "capacity"),
    [([], 20, None), (["rate:8", "rate:8"], 20, None), (["rate:8"], 0, None), (["interval:32"], 20, 95)],
)
def test_an_encoder_that_cannot_work_is_an_error(maps, hop, capacity):
    with pytest.raises(OptionError):
        Encoder(8, 8, [MapSpec.parse(name) for name in maps], hop, capacity)


def test_the_smallest_capacity_that_is_taken_suffices():
    spikes = regular_trains((300, 7, 13), seed=11)
    encoder = Encoder(7, 13, [MapSpec("interval", 32)], hop=7, capacity=96)
    for w in encoder.push(pack(spikes), 0):
        assert (w.maps["interval:32"] == plain_interval(spikes, w.step, 32, 32)).all()


def test_warm_up_leaves_nothing_to_compile(tmp_path):
    program = (
        "import numpy as np\n"
        "from numba.core import event\n"
        "from spikemm.encoding import Encoder, MapSpec, warm_up\n"
        "warm_up()\n"
        "maps = [MapSpec(name, window) for name in ('rate', 'isi', 'interval') for window in (5, 32, 256)]\n"
        "with event.install_recorder('numba:compile') as compiled:\n"
        "    assert Encoder(7, 13, maps, 20).push(np.ones((1500, 12), np.uint8), 0)\n"
        "assert not compiled.buffer, compiled.buffer\n"
    )
    # A fresh cache makes the outcome independent of what ran before.
    surroundings = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], env=surroundings, check=True, timeout=100)


def test_warm_up_may_be_called_twice():
    warm_up()
    warm_up()
