import pytest

from engine.clocks import ManualClock
from nodes.playback import Playback

RATE = 20_000.0


@pytest.fixture
def clock():
    return ManualClock(100.0)


def started(clock, steps=10**9, **options):
    """Make a playback whose schedule has just begun."""
    playback = Playback(clock, steps, RATE, **options)
    assert playback.advance() > clock.now()
    return playback


def play(playback, clock, seconds):
    """Ask for steps whenever they are due, for some seconds of the clock; return (time, steps) of each answer."""
    sent, end = [], clock.now() + seconds
    while clock.now() < end:
        answer = playback.advance()
        if isinstance(answer, range):
            sent.append((clock.now(), answer))
        else:
            clock.advance(min(answer, end) - clock.now())
    return sent


def test_steps_are_sent_once_they_have_been_sensed(clock):
    playback = Playback(clock, 1000, RATE)
    assert playback.advance() == pytest.approx(100.004)
    clock.advance(0.0041)
    assert playback.advance() == range(80)
    assert playback.advance() == pytest.approx(100.008)


@pytest.mark.parametrize("speed", [0.002, 0.02, 0.5, 1.0, 3.0])
def test_the_schedule_does_not_drift(clock, speed):
    playback = Playback(clock, 10**9, RATE, speed=speed)
    sent = play(playback, clock, 60.0)
    at, steps = sent[-1]
    assert at - 100.0 == pytest.approx(steps.stop / RATE / speed, abs=1e-6)
    assert steps.stop == pytest.approx(60.0 * RATE * speed, abs=100)


@pytest.mark.parametrize(("speed", "steps"), [(1.0, 80), (0.1, 80), (0.05, 40), (0.002, 2), (1e-5, 1)])
def test_slow_motion_sends_smaller_pieces(clock, speed, steps):
    playback = started(clock, speed=speed)
    clock.advance(0.05 if speed > 1e-3 else 1e6)
    assert len(playback.advance()) == steps


def test_speed_0_sends_as_fast_as_it_is_asked(clock):
    playback = Playback(clock, 200, RATE, speed=0.0)
    assert [playback.advance() for _ in range(3)] == [range(80), range(80, 160), range(160, 200)]
    assert playback.at_end


def test_a_change_of_speed_keeps_sensor_time_continuous(clock):
    playback = Playback(clock, 10**6, RATE)
    play(playback, clock, 1.0)
    playback.speed = 0.5
    sent = play(playback, clock, 1.0)
    assert sent[0][1].start == pytest.approx(20_000, abs=80)
    assert sent[-1][1].stop == pytest.approx(30_000, abs=80)


def test_from_as_fast_as_possible_to_real_time_goes_on_from_where_it_is(clock):
    playback = Playback(clock, 10**6, RATE, speed=0.0)
    for _ in range(100):
        playback.advance()
    playback.speed = 1.0
    assert playback.advance() == pytest.approx(clock.now() + 0.004)


def test_the_schedule_starts_with_the_first_call(clock):
    playback = Playback(clock, 10**6, RATE)
    clock.advance(60.0)
    assert playback.advance() == pytest.approx(160.004)


def test_a_short_blockage_is_made_up_for(clock):
    playback = started(clock)
    clock.advance(0.08)
    assert [playback.advance().stop for _ in range(20)][-1] == 1600
    assert playback.slipped_s == 0.0


def test_a_long_blockage_moves_the_schedule_instead_of_a_burst(clock):
    playback = started(clock)
    clock.advance(10.0)
    assert playback.advance() == range(80)
    assert playback.advance() == pytest.approx(clock.now() + 0.004)
    assert playback.slipped_s == pytest.approx(10.0 - 0.004)


def test_nothing_is_sent_while_paused_and_the_pause_is_not_made_up_for(clock):
    playback = Playback(clock, 10**6, RATE)
    play(playback, clock, 0.1)
    playback.pause()
    before = playback.position
    assert play(playback, clock, 10.0) == []
    playback.resume()
    assert playback.advance() == pytest.approx(clock.now() + 0.004)
    assert playback.position == before


def test_stepping_sends_exactly_the_steps_asked_for_and_stays_paused(clock):
    playback = Playback(clock, 10**6, RATE, position=1000)
    playback.step(100)
    assert [playback.advance(), playback.advance()] == [range(1000, 1080), range(1080, 1100)]
    assert isinstance(playback.advance(), float)
    assert playback.paused


def test_stepping_at_the_end_sends_nothing(clock):
    playback = Playback(clock, 100, RATE, position=100)
    playback.step(5)
    assert isinstance(playback.advance(), float)


def test_a_seek_goes_on_from_there_at_once(clock):
    playback = Playback(clock, 10**6, RATE)
    play(playback, clock, 1.0)
    playback.seek(500)
    assert playback.advance() == pytest.approx(clock.now() + 0.004)
    clock.advance(0.0041)
    assert playback.advance() == range(500, 580)


def test_a_seek_while_paused_sends_a_preview(clock):
    playback = Playback(clock, 10**6, RATE)
    playback.pause()
    playback.seek(500, preview_steps=60)
    assert playback.advance() == range(500, 560)
    assert isinstance(playback.advance(), float)


def test_a_loop_loses_no_time_at_its_seam(clock):
    playback = Playback(clock, 400, RATE)
    times = []
    while len(times) < 100:
        if playback.at_end:
            playback.rewind(0)
        answer = playback.advance()
        if isinstance(answer, range):
            times.append(clock.now())
        else:
            clock.advance(answer - clock.now())
    assert times == pytest.approx([100.0 + 0.004 * (k + 1) for k in range(100)])
