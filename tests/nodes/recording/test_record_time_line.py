import pytest

from spikemm.exceptions import RecordingError
from spikemm.recording import Recording

AROUND = {"before_s": 0.5, "after_s": 0.25}


def test_a_new_time_line_is_a_new_session_and_late_pictures_of_the_old_one_are_counted(rig):
    node = rig.recorder()
    rig.feed(node, 0, 400)
    rig.feed(node, 80, 480, epoch=1)
    node.process(rig.frames(380), "frames")
    node.process(rig.frames(100, epoch=1), "frames")
    rig.finish(node)
    assert [rig.steps(session) for session in rig.sessions()] == [list(range(400)), list(range(80, 480))]
    assert [rig.told(session).epoch for session in rig.sessions()] == [0, 1]
    assert node.context.counters["late_messages"] == 1


def test_an_alarm_that_was_started_again_does_not_end_the_recording(rig):
    node = rig.recorder()
    rig.feed(node, 0, 800)
    node.process(rig.alarm(state="cleared", epoch=1 << 20, rate_hz=0.0), "events")
    rig.feed(node, 800, 1600)
    rig.finish(node)
    assert Recording(rig.session()).steps == 1600
    assert node.context.counters["late_messages"] == 0
    assert node.context.counters["entries_not_recorded"] == 0


def test_an_alarm_without_a_time_line_keeps_the_seconds_around_now(rig):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 0.25})
    rig.feed(node, 0, 4000)
    node.process(rig.alarm(epoch=1 << 20, rate_hz=0.0), "events")
    rig.feed(node, 4000, 8000)
    rig.finish(node)
    assert (rig.told().first_step, Recording(rig.session()).steps) == (3499, 750)


def test_an_event_of_the_next_time_line_waits_for_its_spikes(rig):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 0.25})
    rig.feed(node, 0, 800)
    node.process(rig.alarm(40, epoch=1), "events")
    rig.feed(node, 800, 1600)
    rig.feed(node, 0, 4000, epoch=1)
    rig.finish(node)
    description = rig.told()
    assert (description.epoch, description.triggers[0].step) == (1, 40)
    assert Recording(rig.session()).steps == 290


def test_spikes_decide_the_time_line_even_after_a_reading_of_another(rig):
    node = rig.recorder()
    node.process(rig.reading(0, epoch=7), "readings")
    rig.feed(node, 0, 800)
    rig.finish(node)
    assert [rig.told(session).epoch for session in rig.sessions()] == [7, 0]
    assert Recording(rig.sessions()[1]).steps == 800


def test_spikes_of_a_time_line_that_is_over_are_counted_as_lost(rig):
    node = rig.recorder()
    rig.feed(node, 0, 800, epoch=1)
    rig.feed(node, 800, 960, epoch=0)
    with pytest.raises(RecordingError, match="160 steps are not recorded: they came after another time line"):
        rig.finish(node)


@pytest.mark.parametrize("keep", ["all", {"before_s": 0.5, "after_s": 0.25}])
def test_an_event_before_the_first_spikes_does_not_fix_the_rate(rig, keep):
    node = rig.recorder(keep=keep)
    node.process(rig.alarm(rate_hz=0.0), "events")
    rig.feed(node, 4000, 8000)
    rig.finish(node)
    description = rig.told()
    assert (description.rate_hz, description.started) == (rig.RATE, rig.START + 4.0)
    assert description.triggers[0].step == 4000 + rig.CHUNK - 1


def test_an_event_that_no_time_line_came_for_is_counted(rig):
    node = rig.recorder()
    for _ in range(300):
        node.process(rig.alarm(rate_hz=0.0), "events")
    assert len(node._time._waiting) <= 256
    with pytest.raises(RecordingError, match=r"300 entries .* no spikes, frames or readings came"):
        rig.finish(node)
    assert node.context.counters["triggers_lost"] == 300


def test_an_alarm_of_the_time_line_before_finds_its_seconds_in_memory(rig):
    node = rig.recorder(keep=AROUND)
    rig.feed(node, 0, 2000)
    rig.feed(node, 0, 400, epoch=1)
    node.process(rig.alarm(1800), "events")
    rig.feed(node, 400, 1600, epoch=1)
    rig.finish(node)
    (trigger,) = rig.told().triggers
    assert (rig.told().epoch, trigger.step, trigger.missing_before) == (0, 1800, 0)
    assert rig.steps() == list(range(1300, 2000))  # the time line ends before the seconds after the alarm do
    assert {topic for topic, *_ in rig.entries()} == {"/events", "/events/details"}


def test_an_alarm_of_the_time_line_before_may_come_while_that_is_in_memory(rig, caplog):
    node = rig.recorder(keep=AROUND, late_s=0.5)
    rig.feed(node, 0, 2000)
    rig.feed(node, 0, 1040, epoch=1)
    node.process(rig.alarm(1800), "events")
    with pytest.raises(RecordingError, match="the seconds of 1 alarms or saves are not recorded"):
        rig.finish(node)
    assert node.context.counters["triggers_lost"] == 1
    assert "its steps are no longer in memory" in caplog.text


def test_an_alarm_of_the_time_line_before_does_not_end_a_session_of_this_one(rig, caplog):
    node = rig.recorder(keep=AROUND)
    rig.feed(node, 0, 2000)
    rig.feed(node, 0, 400, epoch=1)
    node.process(rig.alarm(300, epoch=1), "events")
    node.process(rig.alarm(1800), "events")
    rig.feed(node, 400, 4000, epoch=1)
    with pytest.raises(RecordingError, match="the seconds of 1 alarms"):
        rig.finish(node)
    assert rig.steps() == list(range(550))
    assert "a session of the next time line was being written" in caplog.text


def test_an_alarm_of_the_time_line_before_that_is_recorded_anyway_is_said(rig, caplog):
    node = rig.recorder()
    rig.feed(node, 0, 800)
    rig.feed(node, 0, 400, epoch=1)
    node.process(rig.alarm(700), "events")
    rig.finish(node)
    assert node.context.counters["triggers_lost"] == 0
    assert "shaft: its session had ended" in caplog.text


def test_an_alarm_of_a_time_line_long_over_is_counted_and_told(rig, caplog):
    node = rig.recorder(keep=AROUND)
    for epoch in range(3):
        rig.feed(node, 0, 160, epoch=epoch)
    node.process(rig.alarm(100), "events")
    with pytest.raises(RecordingError, match="the seconds of 1 alarms"):
        rig.finish(node)
    assert "came after another time line had begun" in caplog.text


def test_two_time_lines_in_memory_take_no_more_than_one(rig):
    node = rig.recorder(keep=AROUND, late_s=0.5)
    rig.feed(node, 0, 4000)
    for epoch in range(1, 6):
        rig.feed(node, 0, 400, epoch=epoch)
        rings = node._ring, node._past[1]._ring
        assert sum(item.stop - item.step for ring in rings for item in ring) <= node._ring.steps + rig.CHUNK
    rig.finish(node)


def test_frames_that_overtake_the_spikes_make_none_of_them_late(rig):
    node = rig.recorder()
    rig.feed(node, 0, 400)
    node.process(rig.frames(20, epoch=1), "frames")
    rig.feed(node, 400, 800)
    rig.feed(node, 0, 400, epoch=1)
    rig.finish(node)
    assert [rig.steps(session) for session in rig.sessions()] == [list(range(800)), list(range(400))]
    assert [len(rig.entries(session)) for session in rig.sessions()] == [0, 3]  # two pictures and their details


def test_messages_that_wait_too_long_are_lost_and_never_given_a_step_of_another_time_line(rig):
    node = rig.recorder()
    rig.feed(node, 0, 400)
    for step in range(300):
        node.process(rig.reading(step, epoch=1), "readings")
    rig.feed(node, 400, 800)
    rig.feed(node, 0, 400, epoch=1)
    with pytest.raises(RecordingError, match="44 entries"):
        rig.finish(node)
    assert [len(rig.entries(session)) for session in rig.sessions()] == [0, 256]


def test_what_waits_takes_a_bounded_memory(rig, monkeypatch):
    monkeypatch.setattr("nodes.recording.time_line._WAITING_BYTES", 10 * rig.frames(0).pixels.nbytes)
    node = rig.recorder()
    rig.feed(node, 0, 400)
    for step in range(0, 600, 40):
        node.process(rig.frames(step, epoch=1), "frames")
    assert node._time._waiting_bytes == 10 * rig.frames(0).pixels.nbytes
    with pytest.raises(RecordingError, match="5 entries"):
        rig.finish(node)


def test_an_event_whose_spikes_never_came_is_kept_on_its_own(rig):
    node = rig.recorder()
    rig.feed(node, 0, 400)
    node.process(rig.alarm(20, epoch=1), "events")
    rig.finish(node)
    assert [rig.told(session).epoch for session in rig.sessions()] == [0, 1]
    assert {topic for topic, *_ in rig.entries(rig.sessions()[1])} == {"/events", "/events/details"}
