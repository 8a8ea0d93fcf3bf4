from types import SimpleNamespace

import numpy as np
import pytest

from nodes.messages import Spikes
from spikemm.exceptions import OptionError, RecordingError


def test_an_alarm_keeps_its_seconds_complete_to_the_step(rig):
    node = rig.recorder(keep={"before_s": 1.5, "after_s": 0.5})
    rig.feed(node, 0, 5040)
    node.process(rig.alarm(4789), "events")
    rig.feed(node, 5040, 8000)
    rig.finish(node)
    session = rig.session()
    assert rig.steps(session) == list(range(4789 - 1500, 4789 + 500))
    (trigger,) = rig.told(session).triggers
    assert (trigger.step, trigger.reason, trigger.missing_before) == (4789, "the shaft shakes", 0)
    assert rig.told(session).started == pytest.approx(rig.START + 3.289, abs=1e-6)


def test_a_cleared_alarm_keeps_nothing(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 1.0})
    rig.feed(node, 0, 2000)
    node.process(rig.alarm(1900, state="cleared"), "events")
    rig.feed(node, 2000, 4000)
    rig.finish(node)
    assert rig.sessions() == []


def test_what_happens_meanwhile_makes_the_session_longer(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 1.0})
    rig.feed(node, 0, 3040)
    node.process(rig.alarm(3000), "events")
    rig.feed(node, 3040, 4640)
    node.process(rig.alarm(3900), "events")  # the first one's seconds are over, its session is not
    rig.feed(node, 4640, 8000)
    rig.finish(node)
    assert rig.steps() == list(range(2000, 4900))
    assert [trigger.step for trigger in rig.told().triggers] == [3000, 3900]


def test_two_alarms_far_apart_are_two_sessions_each_with_its_seconds_before(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 0.5})
    rig.feed(node, 0, 3040)
    node.process(rig.alarm(3000), "events")
    rig.feed(node, 3040, 4800)
    node.process(rig.alarm(4760), "events")
    rig.feed(node, 4800, 8000)
    rig.finish(node)
    assert [rig.steps(session) for session in rig.sessions()] == [
        list(range(2000, 3500)),
        list(range(3760, 5260)),
    ]


def test_an_alarm_right_after_the_start_says_what_it_lacks(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 0.2})
    rig.feed(node, 80, 800)
    node.process(rig.alarm(400), "events")
    rig.finish(node)
    session = rig.session()
    assert rig.steps(session) == list(range(80, 600))
    (trigger,) = rig.told(session).triggers
    assert (trigger.first_step, trigger.missing_before) == (0, 80)  # there is nothing before step 0 that could lack


def test_the_ring_holds_what_was_asked_for_and_no_copies(rig):
    node = rig.recorder(keep={"before_s": 2.0, "after_s": 1.0}, late_s=0.5)
    rig.feed(node, 0, 10_000)
    status = node.status()
    assert 2.5 <= status["ring_s"] < 2.5 + 2 * rig.CHUNK / rig.RATE
    assert status["ring_mb"] <= status["ring_limit_mb"]
    assert all(np.shares_memory(item.packed, rig.PACKED) for item in node._ring)
    rig.finish(node)


def test_a_ring_that_does_not_fit_the_memory_is_refused_with_what_would_fit(rig, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1e9))
    node = rig.recorder(keep={"before_s": 600.0, "after_s": 1.0})
    with pytest.raises(OptionError, match=r"take at most .* s in before_s"):
        node.process(big_spikes(rig), "spikes")
    node.close()


def big_spikes(rig, **facts):
    packed = np.zeros((1, 125_000), np.uint8)
    return Spikes(**rig.envelope(0, **facts), count=1, packed=packed, height=1000, width=1000)


def test_the_memory_that_a_ring_has_is_not_asked_for_again(rig, monkeypatch):
    memory = SimpleNamespace(available=2e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    node = rig.recorder(keep={"before_s": 0.1, "after_s": 0.1})
    node.process(big_spikes(rig), "spikes")
    memory.available = 1e6
    node.process(big_spikes(rig, epoch=1), "spikes")
    rig.finish(node)


def test_messages_that_run_ahead_of_the_spikes_do_not_end_their_session(rig):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 1.0}, late_s=0.5)
    rig.feed(node, 0, 2000)
    node.process(rig.alarm(1900), "events")
    for step in range(2000, 4000, 100):  # three seconds of spikes wait at the source, as where a processor is short
        node.process(rig.reading(step), "readings")
    rig.feed(node, 2000, 5040)
    rig.finish(node)
    assert rig.steps() == list(range(1400, 2900))


def test_nothing_but_what_comes_can_be_kept(rig):
    node = rig.recorder(keep={"before_s": 0.0, "after_s": 0.5}, late_s=0.0)
    rig.feed(node, 0, 800)
    node.process(rig.alarm(800), "events")
    rig.feed(node, 800, 2400)
    rig.finish(node)
    assert rig.steps() == list(range(800, 1300))


def test_an_alarm_whose_steps_have_left_the_memory_is_lost_and_said(rig, caplog):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 0.25}, late_s=0.5)
    rig.feed(node, 0, 8000)
    node.process(rig.alarm(1000), "events")
    with pytest.raises(RecordingError, match=r"the seconds of 1 alarms or saves .* no longer in memory"):
        rig.finish(node)
    assert rig.sessions() == []
    assert node.context.counters["triggers_lost"] == 1
    assert "shaft: nothing is recorded for it: its steps are no longer in memory" in caplog.text


def test_the_seconds_that_an_alarm_asked_for_and_that_never_came_are_told(rig, caplog):
    node = rig.recorder(keep={"before_s": 0.5, "after_s": 0.5})
    rig.feed(node, 0, 1000)
    node.process(rig.alarm(900), "events")
    rig.finish(node)
    assert "not whole: of what was asked for, 0.4 s behind its last step did not come" in caplog.text
