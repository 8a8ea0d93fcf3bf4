import math

from engine.clocks import ManualClock, ScaledClock, WallClock


def test_a_manual_clock_moves_only_when_told_to():
    clock = ManualClock(5.0)
    clock.advance(2.5)
    assert clock.now() == clock.wall() == 7.5


def test_the_wall_clock_never_goes_back():
    clock = WallClock()
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)


def test_a_scaled_clock_starts_at_zero_and_runs_at_its_speed():
    base = ManualClock(100.0)
    clock = ScaledClock(base, 0.5)
    base.advance(4.0)
    assert clock.now() == 2.0
    assert clock.wall() == base.wall()


def test_changing_the_speed_keeps_the_time_continuous():
    base = ManualClock()
    clock = ScaledClock(base, 2.0)
    base.advance(3.0)
    clock.speed = 10.0
    assert clock.now() == 6.0
    base.advance(1.0)
    assert (clock.now(), clock.speed) == (16.0, 10.0)


def test_the_base_time_of_a_moment_is_when_the_base_will_show_it():
    base = ManualClock(7.0)
    clock = ScaledClock(base, 4.0)
    base.advance(1.0)
    moment = clock.base_time(12.0)
    base.advance(moment - base.now())
    assert clock.now() == 12.0


def test_a_clock_that_stands_still_never_shows_a_later_moment():
    assert math.isinf(ScaledClock(ManualClock(), 0.0).base_time(1.0))
