import numpy as np
import pytest

from engine import Wait
from engine.clocks import ManualClock
from engine.exceptions import ControlError
from engine.testing import make_node, produced
from nodes.replay import Replay
from spikemm.session import Description, SessionWriter

HEIGHT, WIDTH, RATE = 6, 8, 20_000
PACKED = np.random.default_rng(0).integers(0, 256, (2000, HEIGHT * WIDTH // 8), np.uint8)


@pytest.fixture
def clock():
    return ManualClock(10.0)


@pytest.fixture
def session(tmp_path):
    """Sensor steps 5000 to 6999 without 5300 to 5999: 300 steps, 700 missing, 1000 steps."""
    writer = SessionWriter(tmp_path / "s", Description(HEIGHT, WIDTH, RATE, 5000, 1e9), file_bytes=1200, file_s=1e9)
    for start, stop in ((0, 300), (1000, 2000)):
        for at in range(start, stop, 100):
            writer.write(5000 + at, [PACKED[at : at + 100]], 1e9)
    writer.close("")
    return tmp_path / "s"


def replay(clock, session, **options):
    return make_node(Replay, clock, path=str(session), **options)


def steps_of(messages):
    return [step for message in messages for step in range(message.step, message.next_step)]


def test_a_session_plays_with_its_gap_told(clock, session):
    made = produced(replay(clock, session, speed=0), clock)
    assert steps_of(made) == [*range(300), *range(1000, 2000)]
    assert {message.step: message.gap for message in made if message.gap} == {1000: 700}
    sent = np.concatenate([message.packed for message in made])
    assert np.array_equal(sent, np.concatenate([PACKED[:300], PACKED[1000:]]))


def test_what_is_missing_is_not_waited_for(clock, session):
    produced(replay(clock, session), clock)
    assert clock.now() - 10.0 == pytest.approx(1300 / RATE)


def test_a_seek_goes_by_the_sensors_steps_and_out_of_a_gap_to_its_end(clock, session):
    node = replay(clock, session, speed=0)
    assert node.command("seek", {"step": 1500})["step"] == 1500
    assert steps_of(produced(node, clock)) == list(range(1500, 2000))
    assert node.command("seek", {"step": 400})["step"] == 1000
    assert node.status()["steps"] == 2000
    with pytest.raises(ControlError, match="steps 0 to 1999"):
        node.command("seek", {"step": 2000})


def test_stepping_stops_at_a_gap_and_goes_on_behind_it(clock, session):
    node = replay(clock, session, start_step=290)
    node.command("step", {"steps": 20})
    first, second = node.produce(), node.produce()
    assert (steps_of([first]), first.gap) == (list(range(290, 300)), 0)
    assert (steps_of([second]), second.gap) == (list(range(1000, 1010)), 700)
    assert isinstance(node.produce(), Wait)


def test_a_loop_begins_where_it_began(clock, session):
    node = replay(clock, session, speed=0, loop=True, start_step=1960)
    assert [message.step for message in produced(node, clock, limit=3)] == [1960] * 3


def test_a_restarted_replay_goes_on_behind_the_gap(clock, session):
    node = replay(clock, session, speed=0, context={"resume_step": 299})
    assert steps_of(produced(node, clock)) == list(range(1000, 2000))
