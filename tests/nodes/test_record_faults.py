import shutil
import time

import msgspec
import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.testing import make_node
from nodes.messages import Event, Frames, Reading, Spikes
from nodes.record import Record
from spikemm.exceptions import OptionError, RecordingError
from spikemm.recording import Recording
from spikemm.session import Description, DiskRoom

HEIGHT, WIDTH, RATE, CHUNK = 6, 8, 1000, 80
START = 1.7e9


def recorder(tmp_path, clock=None, **options):
    return make_node(Record, clock or ManualClock(), path=str(tmp_path / "kept"), keep_free_gb=0, **options)


def envelope(step, epoch=0, rate_hz=RATE):
    return {"step": step, "rate_hz": rate_hz, "epoch": epoch, "source_time": START + step / RATE, "stream": "camera"}


def spikes(step, **facts):
    packed = np.zeros((CHUNK, HEIGHT * WIDTH // 8), np.uint8)
    return Spikes(**envelope(step, **facts), count=CHUNK, packed=packed, height=HEIGHT, width=WIDTH)


def event(step=0, state="raised", **facts):
    return Event(**envelope(step, **facts), name="blind", details={"state": state, "text": "no reading"})


def feed(node, start, stop, **facts):
    for step in range(start, stop, CHUNK):
        node.process(spikes(step, **facts), "spikes")


def frames(step):
    return Frames(**envelope(step), count=2, hop=20, pixels=np.full((2, HEIGHT, WIDTH), 0.5, np.float32))


def finish(node):
    try:
        node.flush()
    finally:
        node.close()


def sessions(tmp_path):
    return sorted((tmp_path / "kept").iterdir())


def only_session(tmp_path):
    (session,) = sessions(tmp_path)
    return session


def until(holds, node, seconds=10.0):
    """Wait for the writing thread."""
    end = time.monotonic() + seconds
    while not holds():
        node.status()
        assert time.monotonic() < end


def test_an_alarm_that_was_started_again_does_not_end_the_recording(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 800)
    node.process(event(state="cleared", epoch=1 << 20, rate_hz=0.0), "events")
    feed(node, 800, 1600)
    finish(node)
    assert Recording(only_session(tmp_path)).steps == 1600
    assert node.context.counters["late_messages"] == 0
    assert node.context.counters["entries_not_recorded"] == 0


def test_an_alarm_without_a_time_line_keeps_the_seconds_around_now(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 0.5, "after_s": 0.25})
    feed(node, 0, 4000)
    node.process(event(epoch=1 << 20, rate_hz=0.0), "events")
    feed(node, 4000, 8000)
    finish(node)
    assert (Description.load(only_session(tmp_path)).first_step, Recording(only_session(tmp_path)).steps) == (3499, 750)


def test_an_event_of_the_next_time_line_waits_for_its_spikes(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 0.5, "after_s": 0.25})
    feed(node, 0, 800)
    node.process(event(40, epoch=1), "events")
    feed(node, 800, 1600)
    feed(node, 0, 4000, epoch=1)
    finish(node)
    description = Description.load(only_session(tmp_path))
    assert (description.epoch, description.triggers[0].step) == (1, 40)
    assert Recording(only_session(tmp_path)).steps == 290


def test_spikes_decide_the_time_line_even_after_a_reading_of_another(tmp_path):
    node = recorder(tmp_path)
    node.process(Reading(**envelope(0, epoch=7), name="shaft", values={}, arrays={}), "readings")
    feed(node, 0, 800)
    finish(node)
    assert [Description.load(session).epoch for session in sessions(tmp_path)] == [7, 0]
    assert Recording(sessions(tmp_path)[1]).steps == 800


def test_spikes_of_a_time_line_that_is_over_are_counted_as_lost(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 800, epoch=1)
    feed(node, 800, 960, epoch=0)
    with pytest.raises(RecordingError, match="160 steps are not recorded: they came after another time line"):
        finish(node)


@pytest.mark.parametrize("keep", ["all", {"before_s": 0.5, "after_s": 0.25}])
def test_an_event_before_the_first_spikes_does_not_fix_the_rate(tmp_path, keep):
    node = recorder(tmp_path, keep=keep)
    node.process(event(rate_hz=0.0), "events")
    feed(node, 4000, 8000)
    finish(node)
    description = Description.load(only_session(tmp_path))
    assert (description.rate_hz, description.started) == (RATE, START + 4.0)
    assert description.triggers[0].step == 4000 + CHUNK - 1


def test_an_event_that_no_time_line_came_for_is_counted(tmp_path):
    node = recorder(tmp_path)
    for _ in range(300):
        node.process(event(rate_hz=0.0), "events")
    assert len(node._line._waiting) <= 256
    with pytest.raises(RecordingError, match=r"300 entries .* no spikes, frames or readings came"):
        finish(node)
    assert node.context.counters["triggers_lost"] == 300


def test_discarding_the_oldest_needs_more_sessions_than_one():
    def check(**options):
        Record.check(msgspec.convert({"path": ".", "discard_oldest": True, **options}, Record.Options))

    with pytest.raises(OptionError, match="give session_s"):
        check()
    check(session_s=600.0)
    check(keep={"before_s": 1.0})


def test_frames_that_a_full_disk_refuses_end_the_run_badly(tmp_path):
    clock = ManualClock()
    node = recorder(tmp_path, clock, max_gb=1e-9)
    (tmp_path / "kept" / "old").mkdir()
    Description(HEIGHT, WIDTH, RATE, 0, START).save(tmp_path / "kept" / "old")
    node.process(frames(0), "frames")
    until(lambda: node.status()["session"] is None, node)
    node._journal._room._max_bytes = 1e9
    clock.advance(11.0)
    node.process(frames(40), "frames")
    with pytest.raises(RecordingError, match=r"3 entries of frames, readings and events are not recorded: .*max_gb"):
        finish(node)
    assert node.context.counters["entries_not_recorded"] == 3  # two pictures and their details


def test_steps_that_go_back_are_refused_and_counted(tmp_path):
    node = recorder(tmp_path)
    node.process(spikes(0), "spikes")
    until(lambda: node._journal.thread.steps_recorded == CHUNK, node)
    node.process(spikes(40), "spikes")
    with pytest.raises(RecordingError, match="80 steps are not recorded: step 40"):
        finish(node)


def test_an_alarm_of_the_time_line_before_is_counted_and_told(tmp_path, caplog):
    node = recorder(tmp_path, keep={"before_s": 0.5, "after_s": 0.25})
    feed(node, 0, 800)
    feed(node, 800, 1600, epoch=1)
    node.process(event(700, epoch=0), "events")
    finish(node)
    assert node.context.counters["triggers_lost"] == 1
    assert "came after another time line had begun" in caplog.text


def test_a_session_that_somebody_else_removes_meanwhile_is_no_failure(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Description(HEIGHT, WIDTH, RATE, 0, START).save(tmp_path / name)
    room = DiskRoom(tmp_path, max_bytes=1e-3, keep_free_bytes=0, discard_oldest=True)
    listed = room._sessions

    def listed_and_gone():
        found = listed()
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        return found

    monkeypatch.setattr(room, "_sessions", listed_and_gone)
    room.ensure()
    assert room.discarded == ["b"]
