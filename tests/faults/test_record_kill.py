import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from mcap.reader import make_reader

from spikemm.packing import pack
from spikemm.recording import Recording
from spikemm.session import Description, SessionCheck, SessionSteps

KILLS = 20
BLOCK_LIMIT = 4 << 20
AROUND = {"before_s": 0.1, "after_s": 3600.0}


@pytest.fixture(scope="module")
def recorders():
    """Return a function that starts a recorder and gives its process id."""
    script = str(Path(__file__).parent / "record_until_killed.py")
    server = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(folder, keep):
        server.stdin.write(json.dumps({"folder": str(folder), "keep": keep}) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    yield start
    server.stdin.close()
    server.wait(10)
    server.stdout.close()


def expected(start, stop):
    steps = np.arange(start, stop, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return np.tile(steps, 20)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_recorder_that_is_killed_leaves_all_but_its_last_block(tmp_path, recorders, until, number):
    rng = np.random.default_rng(number)
    pid = recorders(tmp_path, AROUND if number % 4 == 0 else "all")
    moment = int(rng.integers(1, 150)) * 64  # of the index's growth; 0 to 1 ms later, as the scheduler will have it
    until(lambda: sum(index.stat().st_size for index in tmp_path.glob("kept/*/index.bin")) >= moment)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid))

    (session,) = (tmp_path / "kept").iterdir()
    check = SessionCheck(SessionSteps(session))
    for _ in check.blocks():
        continue
    facts = check.facts()
    first, count = facts["first_step"], check.steps.count
    assert (facts["gaps"], facts["bad_blocks"], facts["unreadable_blocks"]) == ([], [], bool(facts["torn_bytes"]))
    assert np.array_equal(check.steps.packed(0, count), expected(first, first + count))
    assert facts["torn_bytes"] < 64
    assert check.steps.trailing_bytes <= BLOCK_LIMIT
    assert count >= int.from_bytes((tmp_path / "progress").read_bytes(), "little")
    assert (facts["finished"], facts["recording"]) == (False, False)
    if number % 4 == 0:
        assert Description.load(session).triggers[0].first_step == first == 2000
    for messages in session.glob("*.mcap"):
        with messages.open("rb") as file:
            assert all(channel.topic.startswith("/") for _, channel, _ in make_reader(file).iter_messages())


def test_a_killed_recorder_comes_back_with_a_new_session(tmp_path, apart, until):
    steps = np.random.default_rng(0).random((30_000, 8, 16)) < 0.3
    (tmp_path / "small.dat").write_bytes(pack(steps).tobytes())
    replay = {"path": str(tmp_path / "small.dat"), "height": 8, "width": 16, "flip": False, "speed": 1.0}
    record = {"inputs": "replay", "path": str(tmp_path / "kept"), "keep_free_gb": 0}
    run = apart({"replay": replay, "record": record})

    def sessions():
        return sorted((tmp_path / "kept").glob("*/spikes-000001.dat"), key=lambda path: path.stat().st_ctime_ns)

    until(lambda: sessions() and sessions()[0].stat().st_size > 16_000)
    (recorder,) = [child for child in run.children() if child_holds(child, tmp_path / "kept")]
    recorder.kill()
    until(lambda: len(sessions()) == 2)
    summary = run.summary()
    kept = [Recording(path.parent) for path in sessions()]
    firsts = [Description.load(path.parent).first_step for path in sessions()]
    for recording, first in zip(kept, firsts, strict=True):
        assert recording.timeline.gaps == ()
        assert np.array_equal(recording.packed(0, recording.steps), pack(steps[first : first + recording.steps]))
    assert firsts[0] == 0
    assert firsts[1] + kept[1].steps == len(steps)
    (link,) = summary["links"]
    assert firsts[1] - kept[0].steps <= (link["lost"] + 1) * 80
    assert summary["exit_status"] == 1  # what was in the killed process is lost, and the run says so
    assert summary["nodes"]["record"]["restarts"] == 1


def child_holds(process, folder):
    return any(file.path.startswith(str(folder)) for file in process.open_files())
