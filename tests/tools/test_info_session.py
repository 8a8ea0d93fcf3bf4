import json
import time

import numpy as np
import pytest

from spikemm.session import Description, SessionWriter, Trigger


@pytest.fixture
def session(tmp_path):
    """Steps 500 to 899 of 24×32 px without 700 to 739; one block is damaged, the last one's record is torn."""
    packed = np.random.default_rng(0).integers(0, 256, (400, 96), np.uint8)
    keep = {"before_s": 0.5, "after_s": 0.26}
    description = Description(24, 32, 1000, 500, 1e9, pipeline="rig", stream="camera", keep=keep)
    writer = SessionWriter(tmp_path / "s", description, file_bytes=1e9, file_s=1e9)
    for at in (*range(0, 200, 20), *range(240, 400, 20)):
        writer.write(500 + at, [packed[at : at + 20]], 1e9)
    writer.trigger(Trigger(640, "shaft", "the shaft shakes", 500, 900))
    writer.close("the stream has ended")
    data, index = tmp_path / "s" / "spikes-000001.dat", tmp_path / "s" / "index.bin"
    content = bytearray(data.read_bytes())
    content[3 * 20 * 96] ^= 1
    data.write_bytes(content)
    index.write_bytes(index.read_bytes()[:-10])
    return tmp_path / "s"


def test_a_session_is_checked_block_by_block(spikemm, session):
    ended = spikemm("info", "s", "--json")
    facts = json.loads(ended.stdout)
    assert (facts["layout"], facts["height"], facts["width"], facts["steps"]) == ("session", 24, 32, 340)
    found = facts["session"]
    assert (found["first_step"], found["stop_step"]) == (500, 880)
    assert found["bad_blocks"] == [[560, 580]]
    assert found["gaps"] == [[700, 40]]
    assert (found["blocks"], found["unreadable_blocks"], found["torn_bytes"]) == (18, 1, 54)
    assert (found["finished"], found["sound"], found["whole"]) == (True, False, False)
    (trigger,) = found["triggers"]
    assert [trigger[f"missing_{part}"] for part in ("before", "inside", "after")] == [0, 60, 20]
    assert trigger["missing_s"] == pytest.approx(0.08)
    assert trigger["seconds"] == pytest.approx(0.14)
    assert ended.returncode == 1
    assert facts["trailing_bytes"] == 20 * 96


def test_the_table_says_what_is_wrong_in_words(spikemm, session):
    shown = " ".join(spikemm("info", "s").stdout.split())
    for words in (
        "560 to 579",
        "40 steps from 700 on",
        "54 bytes of a torn last record",
        "the shaft shakes: 0.140 s into the session (seek 0.14), sensor step 640",
        "asked for: steps 500 to 899, 0.4 s, of which 0.08 s are missing",
        "60 steps in gaps or damaged blocks, 20 steps behind its last step",
        "no: 2 blocks damaged or not readable, 40 steps missing in gaps",
        "0.5 s before and 0.26 s after an alarm",
    ):
        assert words in shown


def test_a_whole_session_is_said_to_be_whole(spikemm, tmp_path):
    writer = SessionWriter(tmp_path / "s", Description(24, 32, 1000, 0, 1e9), file_bytes=1e9, file_s=1e9)
    writer.trigger(Trigger(20, "save", "[/] as it was typed", 0, 40))
    writer.write(0, [np.zeros((40, 96), np.uint8)], 1e9)
    writer.close("the stream has ended")
    ended = spikemm("info", "s")
    shown = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert "whole yes" in shown
    place = "0.020 s into the session (seek 0.02), sensor step 20"
    assert f"triggers [/] as it was typed: {place}; asked for: steps 0 to 39, 0.04 s" in shown
    assert "recorded by no pipeline, from ; kept: everything" in shown


def test_the_table_says_when_a_session_began_in_local_time(spikemm, session, monkeypatch):
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        shown = " ".join(spikemm("info", "s").stdout.split())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "started 2001-09-09 03:46:40+02:00" in shown


def _written(folder, started, *, gap=0):
    writer = SessionWriter(folder, Description(24, 32, 1000, 0, started), file_bytes=1e9, file_s=1e9)
    writer.write(0, [np.zeros((40, 96), np.uint8)], 1e9)
    writer.trigger(Trigger(20, "shaft", "the shaft shakes", 0, 40))
    writer.write(40 + gap, [np.zeros((40, 96), np.uint8)], 1e9)
    writer.close("the stream has ended")


def test_of_a_folder_of_sessions_each_is_listed_the_newest_last(spikemm, tmp_path):
    _written(tmp_path / "sessions" / "b", 1e9)
    _written(tmp_path / "sessions" / "a", 2e9)
    (tmp_path / "sessions" / "notes").mkdir()
    ended = spikemm("info", "sessions", "--json")
    rows = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert [(row["name"], row["started"], row["seconds"]) for row in rows] == [("b", 1e9, 0.08), ("a", 2e9, 0.08)]
    assert all(row["reasons"] == ["the shaft shakes"] and row["whole"] for row in rows)


def test_the_list_names_sessions_that_are_not_whole(spikemm, tmp_path):
    _written(tmp_path / "a", 1e9)
    _written(tmp_path / "b", 2e9, gap=7)
    _written(tmp_path / "c", 3e9)
    (tmp_path / "c" / "session.json").write_text("{", encoding="utf-8")
    ended = spikemm("info", ".")
    shown = " ".join(ended.stdout.split())
    assert ended.returncode == 1
    assert "0.08 the shaft shakes yes" in shown
    assert "0.08 the shaft shakes no: 7 steps missing in gaps" in shown
    assert "not readable" in shown


def test_options_of_one_recording_are_refused_for_a_folder_of_sessions(refused, tmp_path):
    _written(tmp_path / "a", 1e9)
    assert "is a folder of sessions" in refused("info", ".", "--rate", 1000)


def test_a_session_is_opened_wherever_a_recording_is(spikemm, session, tmp_path):
    ended = spikemm("magnify", "s", "out.npz", "--fps", 50, "--window", 16, "--front", "rate")
    assert ended.returncode == 0, ended.stderr
    assert "40 steps are missing from step 200 on" in ended.stderr
    steps = np.load(tmp_path / "out.npz")["steps"]
    assert steps.min() >= 0
    assert steps.max() < 380
    assert not np.isin(steps, np.arange(200 - 8 + 1, 240 + 8)).any()


def test_a_folder_that_is_no_session_is_refused(refused):
    assert ". is a folder, and no session is in it" in refused("info", ".")


def test_bench_record_loses_nothing_it_does_not_tell(process, tmp_path):
    ended = process("bench", "record", "--json", "--seconds", 0.2, "--folder", tmp_path)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["steps_sent"] - result["steps_recorded"] == result["steps_lost"]
    assert result["steps_recorded"] > 0
    assert result["bad_blocks"] == 0
    assert min(result["mb_per_s"], result["disk_mb_per_s"], result["cached_mb_per_s"]) > 0
    assert list(tmp_path.iterdir()) == []
