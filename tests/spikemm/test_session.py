import json
import resource

import numpy as np
import pytest

from spikemm.exceptions import OptionError, RecordingError
from spikemm.front import FrontSpec
from spikemm.offline import reconstruct_recording
from spikemm.recording import Recording
from spikemm.session import Description, DiskRoom, SessionCheck, SessionSteps, SessionWriter, Trigger
from spikemm.session.index import RECORD

HEIGHT, WIDTH, RATE = 6, 8, 1000
STEP_BYTES = HEIGHT * WIDTH // 8
PACKED = np.random.default_rng(0).integers(0, 256, (600, STEP_BYTES), np.uint8)


def describe(**facts):
    known = {"height": HEIGHT, "width": WIDTH, "rate_hz": RATE, "first_step": 0, "started": 1e9}
    return Description(**{**known, **facts})


def begun(folder, *, file_bytes=1e9, file_s=1e9, **facts):
    return SessionWriter(folder, describe(**facts), file_bytes=file_bytes, file_s=file_s)


def write(writer, start, stop, block=20):
    for at in range(start, stop, block):
        writer.write(at, [PACKED[at : at + block]], 1e9 + at / RATE)


def stored(recording):
    return np.concatenate([recording.packed(piece.start, piece.stop) for piece in recording.timeline.pieces(70)])


@pytest.fixture
def folder(tmp_path):
    """A finished session of steps 0 to 599 in three files."""
    path = tmp_path / "session"
    writer = begun(path, file_bytes=200 * STEP_BYTES)
    write(writer, 0, 600)
    writer.close("the stream has ended")
    return path


def check(folder):
    found = SessionCheck(SessionSteps(folder))
    for _ in found.blocks():
        continue
    return found.facts()


def test_a_session_is_a_recording(folder):
    recording = Recording(folder)
    assert (recording.height, recording.width, recording.rate_hz, recording.steps) == (HEIGHT, WIDTH, RATE, 600)
    assert (recording.layout, recording.flip, recording.notes) == ("session", False, ())
    assert np.array_equal(recording.packed(0, 600), PACKED)
    assert np.array_equal(recording.packed(195, 421), PACKED[195:421])


def test_files_of_spikes_hold_whole_steps_and_nothing_else(folder):
    files = sorted(folder.glob("spikes-*.dat"))
    assert [file.name for file in files] == [f"spikes-00000{n}.dat" for n in (1, 2, 3)]
    assert b"".join(file.read_bytes() for file in files) == PACKED.tobytes()
    assert all(file.stat().st_size % STEP_BYTES == 0 for file in files)


def test_each_file_is_a_recording_on_its_own(folder):
    assert np.array_equal(Recording(folder / "spikes-000002.dat").packed(0, 200), PACKED[200:400])


def test_files_take_turns_by_time_too(tmp_path):
    writer = begun(tmp_path / "s", file_s=0.25)
    write(writer, 0, 600)
    writer.close("")
    assert len(list((tmp_path / "s").glob("*.dat"))) == 3


def test_a_gap_is_in_the_index_and_nobody_reads_across_it(tmp_path):
    writer = begun(tmp_path / "s")
    write(writer, 0, 200)
    write(writer, 300, 600)
    writer.close("")
    recording = Recording(tmp_path / "s")
    assert [tuple(gap) for gap in recording.timeline.gaps] == [(200, 200, 100)]
    assert np.array_equal(stored(recording), np.concatenate([PACKED[:200], PACKED[300:]]))
    assert "100 steps are missing from step 200" in recording.notes[0]
    with pytest.raises(RecordingError, match="100 steps are missing"):
        recording.packed(150, 250)


def test_frames_are_those_of_the_plain_recording_and_restart_behind_a_gap(folder, tmp_path):
    plain = tmp_path / "plain.dat"
    plain.write_bytes(PACKED.tobytes())
    writer = begun(tmp_path / "s")
    write(writer, 0, 200)
    write(writer, 300, 600)
    writer.close("")

    def frames(path, **facts):
        batches = list(reconstruct_recording(Recording(path, **facts), FrontSpec("rate", 16), hop=10))
        return {int(step): frame.numpy() for b in batches for step, frame in zip(b.steps, b.pixels, strict=True)}

    whole = frames(plain, height=HEIGHT, width=WIDTH, rate_hz=RATE, flip=False)
    assert frames(folder).keys() == whole.keys()
    with_gap = frames(tmp_path / "s")
    assert with_gap.keys() == {step for step in whole if not 200 - 8 < step < 300 + 8}
    assert all(np.array_equal(with_gap[step], whole[step]) for step in with_gap)


def test_a_step_is_not_written_twice(tmp_path):
    writer = begun(tmp_path / "s")
    write(writer, 0, 40)
    with pytest.raises(OptionError, match="goes on at 40"):
        write(writer, 20, 40)
    writer.close("")


def test_the_description_is_whole_from_the_start_and_tells_the_end(tmp_path):
    writer = begun(tmp_path / "s", pipeline="rig", epoch=3)
    assert json.loads((tmp_path / "s" / "session.json").read_text())["ended"] is None
    write(writer, 0, 100)
    writer.trigger(Trigger(50, "limit", "too much", 20, 80))
    writer.close("the stream has ended")
    told = Description.load(tmp_path / "s")
    assert (told.pipeline, told.epoch, told.why_ended) == ("rig", 3, "the stream has ended")
    assert told.triggers == [Trigger(50, "limit", "too much", 20, 80)]
    assert told.ended is not None


def test_of_very_many_triggers_the_first_and_the_latest_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("spikemm.session.writer._TRIGGERS", 3)
    writer = begun(tmp_path / "s")
    for step in range(7):
        writer.trigger(Trigger(step, "limit", "too much", step, step + 1))
    writer.close("")
    told = Description.load(tmp_path / "s")
    assert ([trigger.step for trigger in told.triggers], told.triggers_left_out) == ([0, 1, 6], 4)


def test_a_sound_session_is_found_sound(folder):
    facts = check(folder)
    assert facts["sound"]
    assert (facts["blocks"], facts["first_step"], facts["stop_step"]) == (30, 0, 600)
    assert (facts["bad_blocks"], facts["gaps"], facts["torn_bytes"], facts["finished"]) == ([], [], 0, True)


def test_a_changed_byte_is_found_and_the_block_named(folder):
    file = folder / "spikes-000002.dat"
    content = bytearray(file.read_bytes())
    content[45 * STEP_BYTES] ^= 1
    file.write_bytes(content)
    facts = check(folder)
    assert facts["bad_blocks"] == [[240, 260]]
    assert not facts["sound"]


@pytest.mark.parametrize("cut", [1, 17, 63])
def test_a_torn_last_record_is_recognised(folder, cut):
    index = folder / "index.bin"
    index.write_bytes(index.read_bytes()[:-cut])
    recording = Recording(folder)
    assert np.array_equal(recording.packed(0, recording.steps), PACKED[:580])
    assert recording.trailing_bytes == 20 * STEP_BYTES
    assert check(folder)["torn_bytes"] == RECORD.itemsize - cut


def test_a_record_overwritten_with_something_else_is_left_out(folder):
    index = folder / "index.bin"
    content = bytearray(index.read_bytes())
    content[5 * RECORD.itemsize + 8] ^= 0xFF
    index.write_bytes(content)
    recording = Recording(folder)
    assert [tuple(gap) for gap in recording.timeline.gaps] == [(100, 100, 20)]
    assert np.array_equal(stored(recording), np.delete(PACKED, np.s_[100:120], axis=0))


@pytest.mark.parametrize("left", [0, 7, 50])
def test_what_the_index_names_and_the_file_does_not_hold_is_not_read(folder, left):
    file = folder / "spikes-000003.dat"
    file.write_bytes(file.read_bytes()[: left * STEP_BYTES + 1])
    recording = Recording(folder)
    assert recording.steps == 400 + left // 20 * 20
    assert np.array_equal(stored(recording), PACKED[: recording.steps])
    assert check(folder)["unreadable_blocks"] == 10 - left // 20


def test_a_file_that_was_removed_is_a_gap(folder):
    (folder / "spikes-000002.dat").unlink()
    assert [tuple(gap) for gap in Recording(folder).timeline.gaps] == [(200, 200, 200)]


def test_a_session_that_is_being_written_can_be_read(tmp_path):
    writer = begun(tmp_path / "s")
    write(writer, 0, 100)
    assert np.array_equal(Recording(tmp_path / "s").packed(0, 100), PACKED[:100])
    facts = check(tmp_path / "s")
    assert (facts["recording"], facts["finished"]) == (True, False)
    writer.close("")
    assert check(tmp_path / "s")["recording"] is False


def test_a_disk_that_takes_only_part_of_a_block_leaves_whole_blocks(tmp_path):
    writer = begun(tmp_path / "s")
    write(writer, 0, 100)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (110 * STEP_BYTES + 1, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(writer, 100, 120)
        assert (tmp_path / "s" / "spikes-000001.dat").stat().st_size == 100 * STEP_BYTES
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    write(writer, 120, 200)
    writer.close("")
    recording = Recording(tmp_path / "s")
    assert [tuple(gap) for gap in recording.timeline.gaps] == [(100, 100, 20)]
    assert np.array_equal(stored(recording), np.delete(PACKED[:200], np.s_[100:120], axis=0))


def test_a_session_keeps_its_size(folder):
    with pytest.raises(RecordingError, match="leave height, width and layout out"):
        Recording(folder, height=3)
    assert Recording(folder, rate_hz=2000).rate_hz == 2000


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "spikemm session", "version": 99}'])
def test_a_damaged_description_is_refused_in_words(folder, content):
    (folder / "session.json").write_text(content)
    with pytest.raises(RecordingError, match=r"session\.json"):
        Recording(folder)


def test_a_trigger_without_steps_is_refused_in_words(folder):
    document = json.loads((folder / "session.json").read_text())
    document["triggers"] = [{"step": 1, "name": "limit", "reason": "", "first_step": "0", "stop_step": 2}]
    (folder / "session.json").write_text(json.dumps(document))
    with pytest.raises(RecordingError, match="no whole numbers"):
        Recording(folder)


@pytest.mark.parametrize("rate_hz", [0, -1.0, float("inf"), float("nan"), True])
def test_a_rate_that_is_none_is_refused_in_words(folder, rate_hz):
    document = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**document, "rate_hz": rate_hz}))
    with pytest.raises(RecordingError, match="rate_hz is"):
        SessionSteps(folder)


def test_a_session_without_spikes_says_so(tmp_path):
    begun(tmp_path / "s", height=0, width=0).close("")
    with pytest.raises(RecordingError, match="no spikes are in this session"):
        Recording(tmp_path / "s")


def sessions(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def three(tmp_path):
    """Sessions of 3,600 bytes of spikes each: a is the oldest; c is being written."""
    for age, name in enumerate("bac"):
        writer = begun(tmp_path / name, started=1e9 + (age or 1.5))
        write(writer, 0, 600)
        if name != "c":
            writer.close("")
    yield tmp_path
    writer.close("")


def test_nothing_is_removed_unless_that_is_asked_for(three):
    room = DiskRoom(three, max_bytes=10_000, keep_free_bytes=0)
    with pytest.raises(RecordingError, match=r"max_gb is 1e-05, and discard_oldest is not set"):
        room.ensure()
    assert sessions(three) == ["a", "b", "c"]


def test_the_oldest_go_first_and_never_the_one_that_is_written(three):
    size = sum(file.stat().st_size for file in (three / "a").iterdir())
    room = DiskRoom(three, max_bytes=2.5 * size, keep_free_bytes=0, discard_oldest=True)
    room.ensure()
    assert sessions(three) == ["b", "c"]
    room.ensure(needed_bytes=size)
    assert sessions(three) == ["c"]
    assert room.discarded == ["a", "b"]
    with pytest.raises(RecordingError, match="nothing is left to discard"):
        room.ensure(needed_bytes=10 * size)


def test_foreign_files_are_never_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(RecordingError, match="keep_free_gb"):
        DiskRoom(tmp_path, max_bytes=None, keep_free_bytes=1e18, discard_oldest=True).ensure()
    assert sessions(tmp_path) == ["mine"]
