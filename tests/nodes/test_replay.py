from pathlib import Path

import numpy as np
import pytest
import yaml

from engine import Wait
from engine.clocks import ManualClock
from engine.exceptions import ControlError
from engine.testing import make_node, produced
from nodes.replay import Replay
from spikemm.exceptions import SpikeMMError
from spikemm.packing import pack, unpack

HEIGHT, WIDTH, STEPS = 6, 8, 1000
SPIKES = (np.random.default_rng(0).random((STEPS, HEIGHT, WIDTH)) < 0.3).astype(np.uint8)


@pytest.fixture
def clock():
    return ManualClock(10.0)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "small.dat"
    file.write_bytes(pack(SPIKES[:, ::-1]).tobytes())
    sidecar = {"spike_h": HEIGHT, "spike_w": WIDTH, "rate_hz": 20_000, "flip": True}
    file.with_suffix(".yaml").write_text(yaml.safe_dump(sidecar))
    return file


def replay(clock, path, **options):
    return make_node(Replay, clock, path=str(path), **options)


def spikes_of(messages):
    return np.concatenate([unpack(np.asarray(m.packed), m.height, m.width) for m in messages])


def steps_of(messages):
    return [step for m in messages for step in range(m.step, m.next_step)]


def waiting(node):
    return isinstance(node.produce(), Wait)


def test_the_whole_recording_comes_upright_and_in_order(clock, path):
    made = produced(replay(clock, path, speed=0), clock)
    assert np.array_equal(spikes_of(made), SPIKES)
    assert steps_of(made) == list(range(STEPS))
    for message in made:
        message.validate()
        assert message.rate_hz == 20_000


@pytest.mark.parametrize("speed", [0.01, 1.0, 7.0])
def test_it_takes_as_long_as_the_speed_says(clock, path, speed):
    produced(replay(clock, path, speed=speed), clock)
    assert clock.now() - 10.0 == pytest.approx(STEPS / 20_000 / speed, abs=1e-4)


def test_options_override_the_sidecar(clock, path):
    (first, *_) = produced(replay(clock, path, speed=0, rate_hz=40_000, flip=False), clock)
    assert first.rate_hz == 40_000
    assert np.array_equal(spikes_of([first]), SPIKES[: first.count, ::-1])


def test_pause_and_resume(clock, path):
    node = replay(clock, path)
    before = produced(node, clock, limit=3)
    assert node.command("pause", {})["paused"] is True
    clock.advance(5.0)
    assert waiting(node)
    assert node.command("resume", {})["paused"] is False
    assert steps_of(before + produced(node, clock)) == list(range(STEPS))


def test_stepping_by_frames_and_by_steps(clock, path):
    node = replay(clock, path, context={"wanted": frozenset({"hop:20", "span:60"})})
    answer = node.command("step", {"frames": 2})
    assert (answer["step"], answer["seconds"]) == (40, 40 / 20_000)
    assert steps_of([node.produce()]) == list(range(40))
    node.command("step", {"steps": 3})
    assert steps_of([node.produce()]) == [40, 41, 42]
    assert waiting(node)


def test_stepping_back_sends_again_what_the_frame_before_is_made_of(clock, path):
    node = replay(clock, path, context={"wanted": frozenset({"hop:20", "span:60"})})
    node.command("step", {"steps": 200})
    produced(node, clock, limit=3)
    assert node.command("step", {"frames": -1})["step"] == 180
    assert steps_of([node.produce()]) == list(range(120, 180))
    assert waiting(node)
    node.command("step", {"frames": -2})
    assert node.command("step", {"frames": -1})["step"] == 120  # asked twice before anything is sent
    assert node.command("step", {"frames": -50})["step"] == 60  # the first frame there is
    assert steps_of([node.produce()]) == list(range(60))


@pytest.mark.parametrize("where", [{"step": 700}, {"seconds": 0.035}])
def test_a_seek_voids_what_is_queued_and_goes_on_from_there(clock, path, where):
    node = replay(clock, path)
    produced(node, clock, limit=3)
    assert node.command("seek", where)["step"] == 700
    assert (node.context.epoch, node.context.flush_before) == (1, 1)
    assert steps_of(produced(node, clock)) == list(range(700, STEPS))


def test_a_seek_beyond_the_end_is_refused_in_steps_and_in_seconds(clock, path):
    complaint = r"step 40000 \(2 s\) is outside the recording; it has steps 0 to 999 \(0 to 0.04995 s\)"
    with pytest.raises(ControlError, match=complaint):
        replay(clock, path).command("seek", {"seconds": 2})


def test_a_seek_while_paused_shows_one_picture_of_the_new_place(clock, path):
    node = replay(clock, path, context={"wanted": frozenset({"hop:20", "span:60"})})
    node.command("pause", {})
    node.command("seek", {"step": 100})
    assert steps_of([node.produce()]) == list(range(100, 160))
    assert waiting(node)


def test_a_loop_begins_again_in_a_new_epoch_that_voids_nothing(clock, path):
    node = replay(clock, path, loop=True, start_step=920)
    made = produced(node, clock, limit=4)
    assert [m.step for m in made] == [920, 920, 920, 920]
    assert (node.context.epoch, node.context.flush_before) == (3, 0)
    assert clock.now() - 10.0 == pytest.approx(4 * 0.004)
    node.command("loop", {"on": False})
    assert produced(node, clock) == []


def test_the_speed_changes_by_command_and_as_a_live_option(clock, path):
    node = replay(clock, path)
    produced(node, clock, limit=5)
    node.command("speed", {"value": 0.5})
    produced(node, clock, limit=5)
    assert clock.now() - 10.0 == pytest.approx(0.02 + 0.04)
    node.options.speed = 0.0
    node.reconfigure(frozenset({"speed"}))
    produced(node, clock)
    assert clock.now() - 10.0 == pytest.approx(0.06)
    assert node.status()["speed"] == 0.0


def test_a_restarted_replay_goes_on_behind_the_last_step_sent(clock, path):
    node = replay(clock, path, speed=0, context={"resume_step": 499})
    assert steps_of(produced(node, clock)) == list(range(500, STEPS))


def test_a_blocked_replay_says_how_much_longer_it_took(clock, path):
    node = replay(clock, path)
    produced(node, clock, limit=1)
    clock.advance(2.0)
    produced(node, clock, limit=1)
    assert node.context.counters["slipped_ms"] == pytest.approx(1996, abs=1)


def test_a_truncated_recording_plays_what_is_whole_and_says_so(clock, path, caplog):
    path.write_bytes(path.read_bytes()[:-4])
    node = replay(clock, path, speed=0)
    assert np.array_equal(spikes_of(produced(node, clock)), SPIKES[:-1])
    assert node.context.counters["trailing_bytes"] == 2
    assert "2 bytes after step 998" in caplog.text


def test_the_status_says_where_it_stands(clock, path):
    node = replay(clock, path, speed=0)
    produced(node, clock, limit=1)
    expected = {"step": 80, "steps": STEPS, "seconds": 0.004, "speed": 0.0, "paused": False, "loop": False}
    assert node.status() == expected


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("seek", {"step": STEPS}),
        ("seek", {"step": -1}),
        ("seek", {"seconds": float("nan")}),
        ("step", {"frames": 0}),
        ("step", {}),
        ("speed", {"value": -1}),
        ("speed", {"value": "fast"}),
        ("rewind", {}),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_refused(clock, path, name, arguments):
    node = replay(clock, path)
    with pytest.raises(ControlError):
        node.command(name, arguments)
    assert node.context.epoch == 0


@pytest.mark.parametrize(
    ("options", "complaint"), [({"path": "missing.dat"}, "missing"), ({"start_step": 1000}, "1000")]
)
def test_what_is_wrong_with_the_recording_is_said_before_anything_starts(path, options, complaint):
    with pytest.raises(SpikeMMError, match=complaint):
        Replay.check(Replay.Options(**{"path": str(path), **options}))


def test_a_real_recording_plays(clock, recordings: Path):
    node = replay(clock, recordings / "car_250x400.dat", speed=0)
    assert steps_of(produced(node, clock)) == list(range(200))
