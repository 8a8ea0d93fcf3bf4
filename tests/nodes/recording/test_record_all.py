import msgspec
import pytest

from nodes.record import Record
from spikemm.exceptions import OptionError
from spikemm.recording import Recording


def test_everything_that_comes_is_kept(rig):
    node = rig.recorder()
    rig.feed(node, 0, 4000)
    rig.finish(node)
    session = rig.session()
    assert rig.steps(session) == list(range(4000))
    assert node.context.counters["steps_recorded"] == 4000
    assert rig.told(session).started == rig.START
    assert rig.told(session).why_ended == "the stream has ended"


def test_lost_steps_are_a_gap_of_the_session(rig):
    node = rig.recorder()
    rig.feed(node, 0, 800)
    rig.feed(node, 1000, 2000)
    rig.finish(node)
    assert rig.steps() == [*range(800), *range(1000, 2000)]


def test_the_end_of_a_session_is_told(rig, caplog):
    caplog.set_level("INFO")
    node = rig.recorder()
    rig.feed(node, 0, 800)
    rig.finish(node)
    assert f"recorded {rig.session()}: 0.8 s of spikes, nothing missing" in caplog.text


def test_a_session_that_is_not_whole_is_warned_of_and_counted(rig, caplog):
    node = rig.recorder()
    rig.feed(node, 0, 800)
    rig.feed(node, 1000, 2000)
    rig.finish(node)
    assert f"recorded {rig.session()}: 1.8 s of spikes, not whole: 200 steps missing in gaps" in caplog.text
    assert node.context.counters["sessions_not_whole"] == 1


def test_the_calibration_goes_with_the_session(rig, tmp_path):
    (tmp_path / "sensor.npz").write_bytes(b"the sensor's own")
    node = rig.recorder()
    rig.feed(node, 0, 80, calibration=str(tmp_path / "sensor.npz"))
    rig.finish(node)
    calibration = Recording(rig.session()).calibration
    assert calibration.parent == rig.session()
    assert calibration.read_bytes() == b"the sensor's own"


def test_another_picture_size_is_a_new_session(rig):
    node = rig.recorder()
    rig.feed(node, 0, 400)
    rig.feed(node, 400, 800, height=rig.WIDTH, width=rig.HEIGHT)
    rig.finish(node)
    assert [rig.told(session).height for session in rig.sessions()] == [rig.HEIGHT, rig.WIDTH]


def test_sessions_take_turns_without_losing_a_step(rig):
    node = rig.recorder(session_s=1.0)
    rig.feed(node, 0, 2400)
    rig.finish(node)
    kept = [rig.steps(session) for session in rig.sessions()]
    assert [step for steps in kept for step in steps] == list(range(2400))
    assert [len(steps) for steps in kept] == [1040, 1040, 320]


def test_sessions_take_turns_where_no_spikes_come(rig):
    node = rig.recorder(session_s=1.0)
    for step in range(0, 2400, 40):
        node.process(rig.frames(step), "frames")
    rig.finish(node)
    assert [rig.told(session).first_step for session in rig.sessions()] == [0, 1000, 2000]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"path": "missing/kept"}, "make it first"),
        ({"path": "file"}, "is a file"),
        ({"path": ".", "keep": {"before_s": 1.0}, "session_s": 60.0}, "session_s 60"),
        ({"path": ".", "keep": {"before_s": 0.0, "after_s": 0.0}}, "keep nothing"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(tmp_path, monkeypatch, options, complaint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=complaint):
        Record.check(msgspec.convert(options, Record.Options))


def test_a_session_may_begin_with_a_reading_and_spikes_come_later(rig):
    node = rig.recorder()
    node.process(rig.reading(0), "readings")
    rig.feed(node, 80, 400)
    rig.finish(node)
    assert Recording(rig.session()).steps == 320
    assert (rig.told().height, rig.told().first_step) == (rig.HEIGHT, 0)


def test_discarding_the_oldest_needs_more_sessions_than_one():
    def check(**options):
        Record.check(msgspec.convert({"path": ".", "discard_oldest": True, **options}, Record.Options))

    with pytest.raises(OptionError, match="give session_s"):
        check()
    check(session_s=600.0)
    check(keep={"before_s": 1.0})
