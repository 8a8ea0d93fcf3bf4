import msgspec
import numpy as np
import pytest

from engine import Wait
from engine.clocks import ManualClock
from engine.testing import make_node, produced
from nodes.synthetic_camera import SyntheticCamera
from spikemm import simulator
from spikemm.exceptions import OptionError
from spikemm.packing import unpack

SMALL = {"height": 84, "width": 134}


class BlankCamera:
    """Stands in for the simulator where only the clock matters."""

    def __init__(self, *_, **__):
        pass

    def steps(self, count):
        return np.zeros((count, 84 * 134 // 8 + 1), np.uint8)


@pytest.fixture
def clock():
    return ManualClock(50.0)


@pytest.fixture
def blank(monkeypatch):
    monkeypatch.setattr(simulator, "Simulator", BlankCamera)


def camera(clock, **options):
    return make_node(SyntheticCamera, clock, **SMALL, **options)


def test_it_gives_the_simulators_spikes_and_numbers_them(clock):
    made = produced(camera(clock, seed=3, noise=0.0), clock, limit=5)
    expected = simulator.Simulator(simulator.make_scene("tuning-fork", **SMALL), seed=3).steps(400)
    assert np.array_equal(np.concatenate([m.packed for m in made]), expected)
    assert [m.step for m in made] == [0, 80, 160, 240, 320]
    for message in made:
        message.validate()


def test_a_chunk_leaves_when_its_last_step_has_been_sensed(clock, blank):
    node = camera(clock)
    wait = node.produce()
    assert isinstance(wait, Wait)
    assert wait.until == pytest.approx(50.004)
    clock.advance(0.0041)
    assert node.produce().step == 0
    assert isinstance(node.produce(), Wait)


def test_the_schedule_does_not_drift(clock, blank):
    node = camera(clock)
    made = produced(node, clock, limit=500)
    assert made[-1].next_step == 40_000
    assert clock.now() - 50.0 == pytest.approx(2.0, abs=1e-6)
    assert node.context.counters["steps"] == 40_000
    assert node.context.counters["steps_lost"] == 0


def test_what_is_less_than_a_second_late_is_caught_up_with(clock, blank):
    node = camera(clock)
    node.produce()
    clock.advance(0.9)
    made = [node.produce() for _ in range(225)]
    assert made[-1].next_step == 18_000
    assert not any(m.gap for m in made)
    assert isinstance(node.produce(), Wait)
    assert node.context.counters["behind_ms_max"] == 896


def test_beyond_a_second_the_steps_are_lost_and_counted(clock, blank, caplog):
    node = camera(clock)
    produced(node, clock, limit=10)
    clock.advance(3.0)
    first, second = node.produce(), produced(node, clock, limit=1)[0]
    assert first.gap == first.step - 800
    assert first.next_step / 20_000 == pytest.approx(clock.now() - 50.0, abs=0.01)
    assert node.context.counters["steps_lost"] == first.gap == pytest.approx(60_000, abs=160)
    assert second.step == first.next_step
    assert second.gap == 0
    assert "steps lost" in caplog.text


def test_a_restarted_camera_goes_on_behind_the_last_step(clock, blank):
    node = camera(clock, context={"resume_step": 999})
    assert produced(node, clock, limit=1)[0].step == 1000


def test_more_light_gives_more_spikes(clock):
    dim, bright = (
        unpack(produced(camera(clock, light=light), clock, limit=10)[-1].packed, 84, 134).mean() for light in (0.2, 1.0)
    )
    assert bright > 3 * dim


def test_what_the_room_does_is_seen(clock):
    still, lamp = (
        np.concatenate(
            [unpack(m.packed, 84, 134).mean((1, 2)) for m in produced(camera(clock, flicker=depth), clock, limit=20)]
        )
        for depth in (0.0, 0.3)
    )
    assert lamp.reshape(-1, 50).mean(1).std() > 5 * still.reshape(-1, 50).mean(1).std()


def test_every_scene_of_the_simulator_may_be_chosen():
    for scene in simulator.SCENES:
        assert msgspec.convert({"scene": scene}, SyntheticCamera.Options).scene == scene


def test_what_a_scene_cannot_do_is_refused_with_its_reason(clock):
    with pytest.raises(OptionError, match="does not move"):
        camera(clock, scene="still", frequency_hz=100)
