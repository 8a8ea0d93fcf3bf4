"""Which blocks a driver dropped, from times of arrival alone: cameras with clock, delay and losses that are known."""

import numpy as np
import pytest

from spikemm.block_clock import BlockClock

BLOCK_S = 0.0025


def camera(seconds, *, ppm=0.0, jitter_s=None, stalls=(), seed=0, block_s=BLOCK_S):
    """When the blocks of a camera arrive, in order.

    `jitter_s(generator, count)`: delay of each; `stalls`: (start, length) in seconds, during which nothing arrives.
    """
    generator = np.random.default_rng(seed)
    due = 17.0 + (np.arange(round(seconds / block_s)) + 1) * block_s * (1 + 1e-6 * ppm)
    times = due + (jitter_s or clean)(generator, len(due))
    for start, length in stalls:
        held = (due > 17 + start) & (due < 17 + start + length)
        times[held] = np.maximum(times[held], 17 + start + length)
    return np.maximum.accumulate(times)


def clean(generator, count):
    return np.abs(generator.normal(0, 50e-6, count))


def uniform(longest_s):
    return lambda generator, count: generator.uniform(0, longest_s, count)


def watch(times, dropped=(), block_s=BLOCK_S):
    """Show a clock the blocks that were not dropped; return it, what it tells is missing before each, and the truth."""
    clock, kept = BlockClock(block_s), np.setdiff1d(np.arange(len(times)), np.asarray(dropped, int))
    told = [gap for number in kept for gap in clock.arrive(times[number])] + clock.settle()
    return clock, np.array(told), np.diff(kept, prepend=-1) - 1


def test_every_block_is_decided_once_and_at_once_when_all_are_on_time():
    clock = BlockClock(BLOCK_S)
    assert all(clock.arrive(time) == [0] for time in camera(5.0))
    assert clock.settle() == []


def test_a_missing_block_is_found_in_its_place():
    clock, told, true = watch(camera(10.0), dropped=[100, 2000, 2001, 2002, 3000])
    assert np.array_equal(told, true)
    assert clock.missing == 5


def test_it_is_told_after_half_a_second():
    times = camera(10.0)
    clock = BlockClock(BLOCK_S)
    decided = [len(clock.arrive(times[number])) for number in [*range(1000), *range(1001, 2000)]]
    assert set(decided[:1000]) == {1}
    (waited,) = [number for number in range(1000, 1999) if decided[number] > 1]
    assert (waited - 1000) * BLOCK_S == pytest.approx(0.5, abs=0.01)
    assert sum(decided) == 1999


def test_a_late_block_is_held_until_the_next_is_on_time():
    clock, times = BlockClock(BLOCK_S), camera(2.0)
    for time in times[:400]:
        clock.arrive(time)
    assert clock.arrive(times[400] + 0.0022) == []
    assert clock.arrive(times[401]) == [0, 0]


@pytest.mark.parametrize("ppm", [-50, 50])
def test_neither_drift_nor_jitter_nor_bursts_of_late_blocks_are_a_loss(ppm):
    stalls = [(second, 0.005 + 0.19 * (second % 7) / 7) for second in range(3, 290, 2)]
    times = camera(300.0, ppm=ppm, jitter_s=uniform(0.005), stalls=stalls)
    clock, told, _ = watch(times)
    assert not told.any()
    assert clock.missing == clock.miscounted == 0
    assert clock.drift_ppm == pytest.approx(ppm, abs=20)


@pytest.mark.parametrize(
    ("jitter_s", "blocks_off"), [(clean, 0), (uniform(0.002), 1), (uniform(0.005), 20)], ids=["clean", "2 ms", "5 ms"]
)
def test_losses_are_counted_right_among_jitter_and_told_near_their_place(jitter_s, blocks_off):
    generator = np.random.default_rng(4)
    dropped = 4000 + 1000 * np.arange(40) + generator.integers(0, 300, 40)
    _, told, true = watch(camera(120.0, ppm=50, jitter_s=jitter_s), dropped)
    assert told.sum() == true.sum() == 40
    assert np.abs(np.flatnonzero(told) - np.flatnonzero(true)).max() <= blocks_off


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_clock_that_is_far_off_is_followed(ppm):
    clock, told, true = watch(camera(60.0, ppm=ppm), dropped=[15_000])
    assert np.array_equal(told, true)
    assert clock.drift_ppm == pytest.approx(ppm, abs=3)


def test_losses_that_follow_each_other_closely_are_told_apart():
    _, told, true = watch(camera(10.0), dropped=[1000, 1040, 1120, 1121, 1300])
    assert np.array_equal(told, true)


def test_a_driver_that_was_not_served_for_long_dropped_the_newest():
    times = camera(10.0, stalls=[(5.0, 0.0993)])
    first = int(np.flatnonzero(np.isclose(np.diff(times), 0))[0])
    # Of the 39 that were due its frames hold the first eleven, which come when it goes on.
    _, told, true = watch(times, range(first + 11, first + 39))
    assert np.array_equal(told, true)


def test_blocks_known_to_be_missing_are_no_news():
    times, clock = camera(5.0), BlockClock(BLOCK_S)
    told = [gap for time in times[:500] for gap in clock.arrive(time)]
    told += clock.arrive(times[503], skipped=3)
    told += [gap for time in times[504:] for gap in clock.arrive(time)]
    assert told == [0] * 500 + [3] + [0] * (len(times) - 504)
    assert clock.missing == 0


def test_an_alarm_that_was_false_is_admitted():
    times = camera(8.0)
    times[1000:1400] += 0.005  # a second during which not one block is on time
    clock, told, _ = watch(times)
    assert (told.sum(), clock.missing, clock.miscounted) == (2, 2, 2)


def test_an_overload_that_makes_blocks_late_by_anything_is_waited_for():
    times = camera(8.0)
    count = 320
    times[1000 : 1000 + count] += 0.02 * np.abs(np.sin(np.linspace(0.6, 9, count))) + 0.004
    _, told, _ = watch(np.maximum.accumulate(times))
    assert not told.any()


def test_longer_blocks_are_watched_as_well():
    dropped = [200, 350]
    times = camera(30.0, jitter_s=uniform(0.008), block_s=0.02)
    _, told, true = watch(times, dropped, block_s=0.02)
    assert np.array_equal(told, true)


def test_what_is_in_doubt_at_the_end_counts_as_late():
    clock, times = BlockClock(BLOCK_S), camera(1.0)
    decided = [gap for time in [*times[:300], *times[301:310]] for gap in clock.arrive(time)]
    assert decided == [0] * 300
    assert clock.settle() == [0] * 9
    assert clock.settle() == []
