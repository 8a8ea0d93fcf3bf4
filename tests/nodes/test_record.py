import json
import threading
import time
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from mcap.reader import make_reader

from engine.clocks import ManualClock
from engine.exceptions import ControlError
from engine.testing import make_node
from nodes.messages import Event, Frames, Reading, Spikes
from nodes.record import Record
from nodes.recording import journal as record_journal
from nodes.recording.message_files import MessageFile
from nodes.recording.session import RecordedSession
from nodes.recording.writer_thread import RecordThread
from spikemm.exceptions import OptionError, RecordingError
from spikemm.recording import Recording
from spikemm.session import Description

HEIGHT, WIDTH, RATE, CHUNK = 6, 8, 1000, 80
PACKED = np.random.default_rng(0).integers(0, 256, (20_000, HEIGHT * WIDTH // 8), np.uint8)
START = 1.7e9


def envelope(step, epoch=0):
    return {"step": step, "rate_hz": RATE, "epoch": epoch, "source_time": START + step / RATE, "stream": "camera"}


def spikes(step, count=CHUNK, **facts):
    at = envelope(step, facts.pop("epoch", 0))
    return Spikes(**at, count=count, packed=PACKED[step : step + count], **{"height": HEIGHT, "width": WIDTH, **facts})


def alarm(step, state="raised", **facts):
    details = {"state": state, "severity": "alarm", "text": "the shaft shakes", "value": 0.4}
    return Event(**envelope(step, **facts), name="shaft", details=details)


def frames(step, **facts):
    pixels = np.full((2, HEIGHT, WIDTH), 0.5, np.float32)
    return Frames(**envelope(step, **facts), count=2, hop=20, pixels=pixels, front="interval:32", window_steps=32.0)


def reading(step):
    x = {"rms_px": 0.1, "peaks": [{"hz": 310.0, "px": 0.25}]}
    arrays = {"waveform": np.float32([[0.1, 0.2], [0.3, 0.4]])}
    return Reading(**envelope(step), name="shaft", values={"roi": [0, 0, 4, 4], "x": x}, arrays=arrays)


def recorder(tmp_path, clock=None, **options):
    return make_node(Record, clock or ManualClock(), path=str(tmp_path / "kept"), keep_free_gb=0, **options)


def feed(node, start, stop, **facts):
    for step in range(start, stop, CHUNK):
        node.process(spikes(step, min(CHUNK, stop - step), **facts), "spikes")


def finish(node):
    node.flush()
    node.close()


def sessions(tmp_path):
    return sorted((tmp_path / "kept").iterdir())


def only_session(tmp_path):
    (session,) = sessions(tmp_path)
    return session


def told(folder):
    return Description.load(folder)


def kept_steps(folder):
    """Return the sensor steps of a session, each having been compared with what was sent."""
    recording, first = Recording(folder), told(folder).first_step
    steps = []
    for piece in recording.timeline.pieces(1000):
        step = first + recording.timeline.step_at(piece.start)
        assert np.array_equal(recording.packed(piece.start, piece.stop), PACKED[step : step + len(piece)])
        steps += range(step, step + len(piece))
    return steps


def entries(folder):
    """Return what the format's own reader finds: (topic, seconds after step 0, schema, bytes)."""
    found = []
    for path in sorted(folder.glob("*.mcap")):
        with path.open("rb") as file:
            for schema, channel, message in make_reader(file).iter_messages():
                found.append((channel.topic, message.log_time / 1e9 - START, schema.name, message.data))
    return found


def test_everything_that_comes_is_kept(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 4000)
    finish(node)
    session = only_session(tmp_path)
    assert kept_steps(session) == list(range(4000))
    assert node.context.counters["steps_recorded"] == 4000
    assert told(session).started == START
    assert told(session).why_ended == "the stream has ended"


def test_lost_steps_are_a_gap_of_the_session(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 800)
    feed(node, 1000, 2000)
    finish(node)
    assert kept_steps(only_session(tmp_path)) == [*range(800), *range(1000, 2000)]


def test_the_calibration_goes_with_the_session(tmp_path):
    (tmp_path / "sensor.npz").write_bytes(b"the sensor's own")
    node = recorder(tmp_path)
    feed(node, 0, 80, calibration=str(tmp_path / "sensor.npz"))
    finish(node)
    calibration = Recording(only_session(tmp_path)).calibration
    assert calibration.parent == only_session(tmp_path)
    assert calibration.read_bytes() == b"the sensor's own"


def test_frames_readings_and_events_are_there_for_open_viewers(tmp_path):
    node = recorder(tmp_path, white=1.0)
    feed(node, 0, 160)
    node.process(frames(100), "frames")
    node.process(reading(140), "readings")
    node.process(alarm(150), "events")
    finish(node)
    found = {
        (topic, round(seconds, 6)): (schema, data) for topic, seconds, schema, data in entries(only_session(tmp_path))
    }
    assert found["/frames", 0.1][0] == found["/frames", 0.12][0] == "foxglove.RawImage"
    assert bytes([128] * HEIGHT * WIDTH) in found["/frames", 0.1][1]
    shaft = json.loads(found["/readings/shaft", 0.14][1])
    assert (shaft["step"], shaft["x"]["peaks"][0]["hz"]) == (140, 310.0)
    assert shaft["waveform"]["y_px"] == pytest.approx([0.3, 0.4])
    assert found["/events", 0.15][0] == "foxglove.Log"
    assert b"the shaft shakes" in found["/events", 0.15][1]
    assert json.loads(found["/events/details", 0.15][1])["value"] == 0.4
    assert json.loads(found["/frames/details", 0.1][1])["front"] == "interval:32"


def test_messages_can_be_read_at_any_moment(tmp_path):
    file = MessageFile(tmp_path / "m.mcap")
    writer = foxglove_writer(file)
    for number in range(5):
        writer.channel.log(b'{"n": %d}' % number, log_time=number)
        writer.mcap.flush()
        file.commit()
        with (tmp_path / "m.mcap").open("rb") as copy:
            assert [message.log_time for _, _, message in make_reader(copy).iter_messages()] == list(range(number + 1))
    writer.mcap.close()
    file.commit()
    file.close()
    with (tmp_path / "m.mcap").open("rb") as copy:
        assert make_reader(copy).get_summary().statistics.message_count == 5


def foxglove_writer(file):
    import foxglove

    context = foxglove.Context()
    options = foxglove.mcap.MCAPWriteOptions(compression=None, disable_seeking=True)
    mcap = foxglove.open_mcap(file, context=context, writer_options=options)
    return SimpleNamespace(
        mcap=mcap, context=context, channel=foxglove.Channel("/n", message_encoding="json", context=context)
    )


def test_an_alarm_keeps_its_seconds_complete_to_the_step(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.5, "after_s": 0.5})
    feed(node, 0, 5040)
    node.process(alarm(4789), "events")
    feed(node, 5040, 8000)
    finish(node)
    session = only_session(tmp_path)
    assert kept_steps(session) == list(range(4789 - 1500, 4789 + 500))
    (trigger,) = told(session).triggers
    assert (trigger.step, trigger.reason, trigger.missing_before) == (4789, "the shaft shakes", 0)
    assert told(session).started == pytest.approx(START + 3.289, abs=1e-6)


def test_frames_of_the_last_steps_are_waited_for(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 1.0})
    feed(node, 0, 4000)
    node.process(frames(2970), "frames")
    node.process(alarm(3980), "events")
    feed(node, 4000, 5200)
    for step in (3000, 4960, 4970):
        node.process(frames(step), "frames")
    feed(node, 5200, 7000)
    finish(node)
    seconds = [round(1000 * at) for topic, at, _, _ in entries(only_session(tmp_path)) if topic == "/frames"]
    assert sorted(seconds) == [2980 + 10, 3000, 3020, 4960, 4970]


def test_a_cleared_alarm_keeps_nothing(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 1.0})
    feed(node, 0, 2000)
    node.process(alarm(1900, state="cleared"), "events")
    feed(node, 2000, 4000)
    finish(node)
    assert sessions(tmp_path) == []


def test_what_happens_meanwhile_makes_the_session_longer(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 1.0})
    feed(node, 0, 3040)
    node.process(alarm(3000), "events")
    feed(node, 3040, 4640)
    node.process(alarm(3900), "events")  # the first one's seconds are over, its session is not
    feed(node, 4640, 8000)
    finish(node)
    assert kept_steps(only_session(tmp_path)) == list(range(2000, 4900))
    assert [trigger.step for trigger in told(only_session(tmp_path)).triggers] == [3000, 3900]


def test_two_alarms_far_apart_are_two_sessions_each_with_its_seconds_before(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 0.5})
    feed(node, 0, 3040)
    node.process(alarm(3000), "events")
    feed(node, 3040, 4800)
    node.process(alarm(4760), "events")
    feed(node, 4800, 8000)
    finish(node)
    assert [kept_steps(session) for session in sessions(tmp_path)] == [
        list(range(2000, 3500)),
        list(range(3760, 5260)),
    ]


def test_an_alarm_right_after_the_start_says_what_it_lacks(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 0.2})
    feed(node, 80, 800)
    node.process(alarm(400), "events")
    finish(node)
    session = only_session(tmp_path)
    assert kept_steps(session) == list(range(80, 600))
    assert told(session).triggers[0].missing_before == 80 - (400 - 1000)


def test_the_ring_holds_what_was_asked_for_and_no_copies(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 2.0, "after_s": 1.0}, late_s=0.5)
    feed(node, 0, 10_000)
    status = node.status()
    assert 2.5 <= status["ring_s"] < 2.5 + 2 * CHUNK / RATE
    assert status["ring_mb"] <= status["ring_limit_mb"]
    assert all(np.shares_memory(item.packed, PACKED) for item in node._ring)
    finish(node)


def test_a_ring_that_does_not_fit_the_memory_is_refused_with_what_would_fit(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1e9))
    node = recorder(tmp_path, keep={"before_s": 600.0, "after_s": 1.0})
    with pytest.raises(OptionError, match=r"take at most .* s in before_s"):
        node.process(big_spikes(), "spikes")
    node.close()


def big_spikes():
    return Spikes(**envelope(0), count=1, packed=np.zeros((1, 125_000), np.uint8), height=1000, width=1000)


def test_a_save_answers_with_its_session(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 5.0})
    feed(node, 0, 4000)
    answer = node.command("save", {"seconds_after": 0.25, "reason": "looks odd"})
    feed(node, 4000, 8000)
    finish(node)
    assert answer == {"file": str(only_session(tmp_path))}
    assert kept_steps(only_session(tmp_path)) == list(range(3000, 4250))
    assert told(only_session(tmp_path)).triggers[0].reason == "looks odd"


def test_a_save_takes_the_usual_seconds_where_none_are_given(tmp_path):
    node = recorder(tmp_path, keep={"before_s": 1.0, "after_s": 0.75})
    feed(node, 0, 4000)
    node.command("save", {"seconds_after": None, "reason": ""})
    feed(node, 4000, 8000)
    finish(node)
    assert kept_steps(only_session(tmp_path))[-1] == 4749


def test_a_save_while_everything_is_kept_names_the_session_that_is_open(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 800)
    answer = node.command("save", {"reason": "look here"})
    finish(node)
    assert answer == {"file": str(only_session(tmp_path))}
    assert told(only_session(tmp_path)).triggers[0].step == 800


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("save", {"seconds_after": -1}), ("save", {"seconds_after": "all"}), ("save", {"later": 1}), ("stop", {})],
)
def test_a_command_that_makes_no_sense_is_refused(tmp_path, name, arguments):
    node = recorder(tmp_path)
    feed(node, 0, 80)
    with pytest.raises(ControlError):
        node.command(name, arguments)
    finish(node)


def test_nothing_can_be_saved_before_anything_came(tmp_path):
    node = recorder(tmp_path)
    with pytest.raises(ControlError, match="nothing has come yet"):
        node.command("save", {})
    finish(node)


def test_a_new_time_line_is_a_new_session_and_late_pictures_of_the_old_one_are_counted(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 400)
    feed(node, 80, 480, epoch=1)
    node.process(frames(380), "frames")
    node.process(frames(100, epoch=1), "frames")
    finish(node)
    assert [kept_steps(session) for session in sessions(tmp_path)] == [list(range(400)), list(range(80, 480))]
    assert [told(session).epoch for session in sessions(tmp_path)] == [0, 1]
    assert node.context.counters["late_messages"] == 1


def test_another_picture_size_is_a_new_session(tmp_path):
    node = recorder(tmp_path)
    feed(node, 0, 400)
    feed(node, 400, 800, height=WIDTH, width=HEIGHT)
    finish(node)
    assert [told(session).height for session in sessions(tmp_path)] == [HEIGHT, WIDTH]


def test_sessions_take_turns_without_losing_a_step(tmp_path):
    node = recorder(tmp_path, session_s=1.0)
    feed(node, 0, 2400)
    finish(node)
    kept = [kept_steps(session) for session in sessions(tmp_path)]
    assert [step for steps in kept for step in steps] == list(range(2400))
    assert [len(steps) for steps in kept] == [1040, 1040, 320]


def test_a_full_disk_is_loud_counted_and_leaves_what_was_written(tmp_path, caplog):
    clock = ManualClock()
    node = recorder(tmp_path, clock, max_gb=3e-6)  # 3 kB: the first look finds room, the next one does not
    feed(node, 0, 800)
    until(lambda: node.context.counters["steps_recorded"] == 800 and not node.status()["queued_mb"], node)
    clock.advance(1000)
    node._journal.thread._session._due = 0.0
    feed(node, 800, 880)
    until(lambda: node.status()["session"] is None, node)
    feed(node, 880, 1680)
    with pytest.raises(RecordingError, match=r"800 steps are not recorded: .*max_gb"):
        finish(node)
    node.close()
    assert "not recording" in caplog.text
    assert kept_steps(sessions(tmp_path)[0]) == list(range(880))
    assert "max_gb" in told(sessions(tmp_path)[0]).why_ended


def until(holds, node, seconds=10.0):
    """Wait for the writing thread."""
    end = time.monotonic() + seconds
    while not holds():
        node.status()
        assert time.monotonic() < end


def test_when_there_is_room_again_recording_goes_on_in_a_new_session(tmp_path):
    clock = ManualClock()
    node = recorder(tmp_path, clock, max_gb=1e-9)
    (tmp_path / "kept" / "old").mkdir()
    Description(HEIGHT, WIDTH, RATE, 0, START).save(tmp_path / "kept" / "old")
    feed(node, 0, 80)
    until(lambda: node.status()["session"] is None, node)
    node._journal._room._max_bytes = 1e9
    clock.advance(5.0)
    feed(node, 80, 160)
    clock.advance(6.0)
    feed(node, 160, 800)
    with pytest.raises(RecordingError, match="160 steps are not recorded"):
        finish(node)
    node.close()
    (session,) = [path for path in sessions(tmp_path) if path.name != "old"]
    assert kept_steps(session) == list(range(160, 800))


def test_a_disk_that_takes_nothing_costs_steps_and_says_which(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(record_journal, "_PATIENCE_S", 0.0)
    node = recorder(tmp_path)
    feed(node, 0, 800)
    thread = node._journal.thread
    limit, thread.limit_bytes = thread.limit_bytes, 0
    feed(node, 800, 1200)
    thread.limit_bytes = limit
    feed(node, 1200, 2000)
    with pytest.raises(RecordingError, match="400 steps are not recorded: the disk was too slow"):
        finish(node)
    node.close()
    session = only_session(tmp_path)
    assert kept_steps(session) == [*range(800), *range(1200, 2000)]
    assert told(session).steps_not_recorded == 400
    assert "taken nothing" in caplog.text


def test_a_fault_in_the_writing_thread_ends_the_node(tmp_path, monkeypatch):
    node = recorder(tmp_path)
    monkeypatch.setattr("nodes.recording.session.RecordedSession.write_steps", lambda self, steps: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        feed(node, 0, 800)
        finish(node)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"path": "missing/kept"}, "make it first"),
        ({"path": "file"}, "is a file"),
        ({"path": ".", "keep": {"before_s": 1.0}, "session_s": 60.0}, "session_s 60"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(tmp_path, monkeypatch, options, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=complaint):
        Record.check(msgspec.convert(options, Record.Options))


def test_a_disk_too_slow_for_the_end_of_the_run_costs_what_still_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(record_journal, "_LAST_S", 0.0)
    gate = threading.Event()
    write, let_go = RecordedSession.write_steps, RecordThread._let_go

    def wait_and_write(session, steps):
        gate.wait(10)
        write(session, steps)

    monkeypatch.setattr(RecordedSession, "write_steps", wait_and_write)
    monkeypatch.setattr(RecordThread, "_let_go", lambda thread: (let_go(thread), gate.set()))
    node = recorder(tmp_path)
    feed(node, 0, 80)
    until(lambda: not node._journal.thread._jobs, node)
    feed(node, 80, 800)
    with pytest.raises(RecordingError, match="720 steps are not recorded: the disk was too slow"):
        finish(node)
    node.close()
    assert kept_steps(only_session(tmp_path)) == list(range(80))
    assert told(only_session(tmp_path)).steps_not_recorded == 720


def test_files_for_viewers_take_turns_and_each_is_whole(tmp_path):
    node = recorder(tmp_path, file_s=0.25)
    for step in range(0, 1000, 50):
        node.process(reading(step), "readings")
    finish(node)
    session = only_session(tmp_path)
    assert len(list(session.glob("messages-*.mcap"))) == 4
    assert [(topic, round(1000 * at)) for topic, at, _, _ in entries(session)] == [
        ("/readings/shaft", step) for step in range(0, 1000, 50)
    ]
    assert (told(session).height, told(session).rate_hz) == (0, RATE)


def test_a_session_may_begin_with_a_reading_and_spikes_come_later(tmp_path):
    node = recorder(tmp_path)
    node.process(reading(0), "readings")
    feed(node, 80, 400)
    finish(node)
    assert Recording(only_session(tmp_path)).steps == 320
    assert (told(only_session(tmp_path)).height, told(only_session(tmp_path)).first_step) == (HEIGHT, 0)
