import errno
import shutil
import threading

import pytest

from engine.clocks import ManualClock
from nodes.recording import journal as record_journal
from nodes.recording.session import RecordedSession
from nodes.recording.writer_thread import RecordThread
from spikemm.exceptions import RecordingError
from spikemm.session import Description, DiskRoom


def test_a_full_disk_is_loud_counted_and_leaves_what_was_written(rig, caplog):
    clock = ManualClock()
    node = rig.recorder(clock, max_gb=3e-6)  # 3 kB: the first look finds room, the next one does not
    rig.feed(node, 0, 800)
    rig.until(lambda: node.context.counters["steps_recorded"] == 800 and not node.status()["queued_mb"], node)
    clock.advance(1000)
    node._journal.thread._session._due = 0.0
    rig.feed(node, 800, 880)
    rig.until(lambda: node.status()["session"] is None, node)
    rig.feed(node, 880, 1680)
    with pytest.raises(RecordingError, match=r"800 steps are not recorded: .*max_gb"):
        rig.finish(node)
    node.close()
    assert "not recording" in caplog.text
    assert rig.steps(rig.sessions()[0]) == list(range(880))
    assert "max_gb" in rig.told(rig.sessions()[0]).why_ended
    assert rig.told(rig.sessions()[0]).failed


def test_when_there_is_room_again_recording_goes_on_in_a_new_session(rig):
    clock = ManualClock()
    node = rig.recorder(clock, max_gb=1e-9)
    (rig.folder / "old").mkdir()
    Description(rig.HEIGHT, rig.WIDTH, rig.RATE, 0, rig.START).save(rig.folder / "old")
    rig.feed(node, 0, 80)
    rig.until(lambda: node.status()["session"] is None, node)
    node._journal._room._max_bytes = 1e9
    clock.advance(5.0)
    rig.feed(node, 80, 160)
    clock.advance(6.0)
    rig.feed(node, 160, 800)
    with pytest.raises(RecordingError, match="160 steps are not recorded"):
        rig.finish(node)
    node.close()
    (session,) = [path for path in rig.sessions() if path.name != "old"]
    assert rig.steps(session) == list(range(160, 800))


def test_a_disk_that_takes_nothing_costs_steps_and_says_which(rig, monkeypatch, caplog):
    monkeypatch.setattr(record_journal, "_PATIENCE_S", 0.0)
    node = rig.recorder()
    rig.feed(node, 0, 800)
    thread = node._journal.thread
    limit, thread.limit_bytes = thread.limit_bytes, 0
    rig.feed(node, 800, 1200)
    thread.limit_bytes = limit
    rig.feed(node, 1200, 2000)
    with pytest.raises(RecordingError, match="400 steps are not recorded: the disk was too slow"):
        rig.finish(node)
    node.close()
    session = rig.session()
    assert rig.steps(session) == [*range(800), *range(1200, 2000)]
    assert rig.told(session).steps_not_recorded == 400
    assert "taken nothing" in caplog.text


def test_a_fault_in_the_writing_thread_ends_the_node(rig, monkeypatch):
    node = rig.recorder()
    monkeypatch.setattr("nodes.recording.session.RecordedSession.write_steps", lambda self, steps: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rig.feed(node, 0, 800)
        rig.finish(node)


def test_a_disk_too_slow_for_the_end_of_the_run_costs_what_still_waits(rig, monkeypatch):
    monkeypatch.setattr(record_journal, "_LAST_S", 0.0)
    gate = threading.Event()
    write, let_go = RecordedSession.write_steps, RecordThread._let_go

    def wait_and_write(session, steps):
        gate.wait(10)
        write(session, steps)

    monkeypatch.setattr(RecordedSession, "write_steps", wait_and_write)
    monkeypatch.setattr(RecordThread, "_let_go", lambda thread: (let_go(thread), gate.set()))
    node = rig.recorder()
    rig.feed(node, 0, 80)
    rig.until(lambda: not node._journal.thread._jobs, node)
    rig.feed(node, 80, 800)
    with pytest.raises(RecordingError, match="720 steps are not recorded: the disk was too slow"):
        rig.finish(node)
    node.close()
    assert rig.steps() == list(range(80))
    assert rig.told().steps_not_recorded == 720


def test_a_disk_that_hangs_at_the_end_of_the_run_is_waited_for_once(rig, monkeypatch):
    monkeypatch.setattr(record_journal, "_LAST_S", 0.0)
    monkeypatch.setattr("nodes.recording.writer_thread._LAST_WRITE_S", 0.0)
    gate, given_up, let_go = threading.Event(), [], RecordThread._let_go
    monkeypatch.setattr(RecordedSession, "write_steps", lambda session, steps: gate.wait(10))
    monkeypatch.setattr(RecordThread, "_let_go", lambda thread: (given_up.append(1), let_go(thread)))
    node = rig.recorder()
    rig.feed(node, 0, 80)
    rig.until(lambda: not node._journal.thread._jobs, node)
    rig.feed(node, 80, 800)
    with pytest.raises(RecordingError, match="720 steps are not recorded: the disk was too slow"):
        rig.finish(node)
    gate.set()
    assert given_up == [1]


def test_frames_that_a_full_disk_refuses_end_the_run_badly(rig):
    clock = ManualClock()
    node = rig.recorder(clock, max_gb=1e-9)
    (rig.folder / "old").mkdir()
    Description(rig.HEIGHT, rig.WIDTH, rig.RATE, 0, rig.START).save(rig.folder / "old")
    node.process(rig.frames(0), "frames")
    rig.until(lambda: node.status()["session"] is None, node)
    node._journal._room._max_bytes = 1e9
    clock.advance(11.0)
    node.process(rig.frames(40), "frames")
    with pytest.raises(RecordingError, match=r"3 entries of frames, readings and events are not recorded: .*max_gb"):
        rig.finish(node)
    assert node.context.counters["entries_not_recorded"] == 3  # two pictures and their details


def test_steps_that_go_back_are_refused_and_counted(rig):
    node = rig.recorder()
    node.process(rig.spikes(0), "spikes")
    rig.until(lambda: node._journal.thread.steps_recorded == rig.CHUNK, node)
    node.process(rig.spikes(40), "spikes")
    with pytest.raises(RecordingError, match="80 steps are not recorded: step 40"):
        rig.finish(node)


def test_a_session_that_somebody_else_removes_meanwhile_is_no_failure(rig, tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Description(rig.HEIGHT, rig.WIDTH, rig.RATE, 0, rig.START).save(tmp_path / name)
    room = DiskRoom(tmp_path, max_bytes=1e-3, keep_free_bytes=0, discard_oldest=True)
    listed = room._sessions

    def listed_and_gone():
        found = listed()
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        return found

    monkeypatch.setattr(room, "_sessions", listed_and_gone)
    room.ensure()
    assert room.discarded == ["b"]


def test_what_an_alarm_asked_for_and_a_full_disk_did_not_take_is_counted(rig):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 1.0})
    rig.feed(node, 0, 2000)
    node.process(rig.alarm(1900), "events")
    rig.until(lambda: not node._journal.thread.queued_bytes, node)
    node._journal._room._max_bytes = 1e-9
    node._journal.thread._session._due = 0.0
    rig.until(lambda: node.status()["session"] is None, node)
    rig.feed(node, 2000, 8000)
    with pytest.raises(RecordingError, match=r"900 steps are not recorded: .*max_gb"):
        rig.finish(node)
    assert rig.steps() == list(range(1400, 2000))
    assert rig.told().failed


def test_a_session_that_cannot_be_finished_is_told_although_a_good_one_follows(rig, monkeypatch, caplog):
    close = RecordedSession.close

    def fail_first(session, why, **facts):
        close(session, why, **facts)
        if session.writer.description.first_step == 0:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(RecordedSession, "close", fail_first)
    node = rig.recorder(session_s=0.8)
    rig.feed(node, 0, 1600)
    with pytest.raises(RecordingError, match=r"a session was not finished .*input/output error"):
        rig.finish(node)
    assert [rig.steps(session) for session in rig.sessions()] == [list(range(800)), list(range(800, 1600))]
    assert f"{rig.sessions()[0]}: not recording" in caplog.text
    assert node.context.counters["sessions_failed"] == 1


def test_a_disk_that_hangs_for_long_does_not_fill_the_memory(rig, monkeypatch):
    monkeypatch.setattr(record_journal, "_PATIENCE_S", 0.0)
    gate = threading.Event()
    write = RecordedSession.write_steps
    monkeypatch.setattr(RecordedSession, "write_steps", lambda session, steps: (gate.wait(10), write(session, steps)))
    node = rig.recorder()
    node._journal.thread.limit_bytes = 1
    rig.feed(node, 0, 16_000)
    waiting = len(node._journal.thread._jobs)
    gate.set()
    with pytest.raises(RecordingError, match="15920 steps are not recorded"):
        rig.finish(node)
    assert waiting <= 3
    assert rig.told().steps_not_recorded == 15_920


def test_sessions_that_wait_for_a_slow_disk_have_names_of_their_own(rig, monkeypatch):
    gate, begin = threading.Event(), RecordedSession.__init__
    monkeypatch.setattr(RecordedSession, "__init__", lambda *arguments: (gate.wait(10), begin(*arguments))[1])
    node = rig.recorder()
    for epoch in range(4):
        rig.feed(node, 0, 80, epoch=epoch)
    gate.set()
    rig.finish(node)
    assert [rig.told(session).epoch for session in rig.sessions()] == [0, 1, 2, 3]
