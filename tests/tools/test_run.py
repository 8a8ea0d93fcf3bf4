import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from tools.run import _verdict

FORK = """
name: test
nodes:
  replay:      {{path: {fork}, speed: 0}}
  encode:      {{inputs: replay, hop: 40}}
  reconstruct: {{inputs: encode}}
  magnify:     {{inputs: reconstruct}}
  frames:      {{inputs: magnify, path: out.npz}}
chain: [reconstruct, magnify]
"""
NOWHERE = ("frames:      {inputs: magnify, path: out.npz}", '"null": {inputs: magnify}')
"""An edit of it: its frames are written nowhere."""


def interrupted(pipeline, folder):
    """Run a pipeline and press Ctrl-C once it runs: status, and what it said on both streams."""
    command = [sys.executable, "-u", "-m", "tools.cli", "run", pipeline]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = subprocess.Popen(command, cwd=folder, text=True, **streams)
    assert any(line.startswith("running: ") for line in running.stdout)
    running.send_signal(signal.SIGINT)
    said, complained = running.communicate(timeout=60)
    return running.returncode, said, complained


@pytest.fixture
def pipeline(fork, tmp_path):
    """Write a pipeline file; edits are pairs of text to replace."""

    def write(*edits):
        text = FORK.format(fork=fork)
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "test.yaml").write_text(text)
        return "test.yaml"

    return write


def test_runs_to_the_end_of_the_recording_and_sums_up(process, pipeline, tmp_path):
    import numpy as np

    ended = process("run", pipeline(), "--summary", "summary.json")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["exit_status"] == 0
    assert summary["nodes"].keys() == {"replay", "encode", "reconstruct", "magnify", "frames"}
    assert all(link["lost"] == 0 and link["dropped"] == 0 for link in summary["links"])
    with np.load(tmp_path / "out.npz") as written:
        assert len(written["frames"]) == 74
    for shown in ("nodes", "links", "replay → encode", "0 lost", "every promise kept"):
        assert shown in ended.stdout


def test_the_pipeline_writes_what_magnify_writes(process, spikemm, pipeline, fork, tmp_path):
    import numpy as np

    process("run", pipeline(), "--quiet")
    spikemm("magnify", fork, "direct.npz", "--fps", 250)
    with np.load(tmp_path / "out.npz") as streamed, np.load(tmp_path / "direct.npz") as direct:
        assert (streamed["steps"] == direct["steps"]).all()
        # The windows travel as 16-bit numbers: 1/65535 spikes per step, and a little more where motion is magnified.
        assert np.abs(streamed["frames"] - direct["frames"]).max() < 0.01


def test_quiet_prints_nothing_when_nothing_is_wrong(process, pipeline):
    ended = process("run", pipeline(), "--quiet")
    assert (ended.stdout, ended.stderr) == ("", "")


def test_set_overrides_the_file(process, pipeline, tmp_path):
    process("run", pipeline(), "--quiet", "--set", "encode.hop=100", "--set", "frames.path=other.npz")
    assert (tmp_path / "other.npz").exists()
    assert not (tmp_path / "out.npz").exists()


def test_a_recording_that_ends_within_a_step_plays_and_is_said_to(process, pipeline, fork, tmp_path):
    (tmp_path / "cut.dat").write_bytes(fork.read_bytes()[:-700])
    (tmp_path / "cut.yaml").write_text(fork.with_suffix(".yaml").read_text())
    ended = process("run", pipeline((str(fork), "cut.dat")))
    assert ended.returncode == 0
    assert "836 bytes" in ended.stderr


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("speed: 0", "sped: 0", "'speed'"),
        ("hop: 40", "hop: many", "encode.hop"),
        ("hop: 40", "hop: 0", "encode.hop"),
        ("inputs: replay", "inputs: relay", "'replay'"),
        ("inputs: replay", "inputs: reconstruct", "cycle"),
        ("magnify:     {{inputs".replace("{{", "{"), "encode:      {inputs", "'encode' is there twice"),
        ("  frames: ", "  framse: ", "'frames'"),
        ("path: out.npz", "path: missing/out.npz", "missing"),
        ("path: out.npz", "path: out.npy", ".npz"),
        ("nodes:", "nods:", "nodes"),
        ("[reconstruct, magnify]", "[magnify, reconstruct]", "chain"),
        ("inputs: encode}", "inputs: encode, front: paper}", "paper:32 needs weights"),
        ("inputs: encode}", "inputs: encode, front: paper, weights: missing}", "bsn1.safetensors is not there"),
    ],
)
def test_a_file_with_a_mistake_is_refused_before_anything_starts(refused, pipeline, tmp_path, old, new, named):
    line = refused("run", pipeline((old, new)))
    assert named in line
    assert [path.name for path in tmp_path.iterdir()] == ["test.yaml"]


def test_a_missing_recording_is_refused(refused, pipeline, fork):
    assert "nowhere.dat" in refused("run", pipeline((str(fork), "nowhere.dat")))


def test_the_last_line_counts_a_gap_once_however_many_links_show_it():
    def link(source, target, gap_steps):
        return {"source": source, "target": target, "dropped": 1, "lost": 0, "gap_steps": gap_steps}

    links = [link("left", "encode", 500), link("left", "record", 800), link("encode", "web", 900)]
    result = {"pipeline": "rig", "seconds": 2.0, "phase": "stopped", "live": True, "exit_status": 0}
    result |= {"nodes": {name: {"restarts": 0, "status": {}} for name in ("left", "right")}, "links": links}
    assert "3 messages dropped, 0 lost, 800 sensor steps missed at the source" in _verdict(result, None)
    result["links"] = [*links, link("right", "record", 30)]
    assert "830 sensor steps missed at the source" in _verdict(result, None)


def test_a_missing_file_is_refused(refused):
    assert "nowhere.yaml" in refused("run", "nowhere.yaml")


def test_a_summary_that_cannot_be_written_is_refused(refused, pipeline):
    assert "missing" in refused("run", pipeline(), "--summary", "missing/summary.json")
    assert "is a folder" in refused("run", pipeline(), "--summary", ".")


def test_the_last_line_says_whether_the_recording_was_played_to_its_end(process, pipeline):
    assert "test: ended after" in process("run", pipeline()).stdout
    slow = pipeline(("speed: 0", "speed: 0.001"), NOWHERE)
    assert "test: ended by --seconds after" in process("run", slow, "--seconds", 0.5).stdout


def test_ctrl_c_is_named_as_what_ended_the_run(pipeline, tmp_path):
    ended, said, _ = interrupted(pipeline(("speed: 0", "speed: 0.001"), NOWHERE), tmp_path)
    assert ended == 0
    assert "before its source ended" in said.splitlines()[-1]


def test_an_end_before_the_first_frame_breaks_a_promise_and_names_the_older_file(pipeline, tmp_path):
    (tmp_path / "out.npz").write_bytes(b"of yesterday")
    ended, said, complaint = interrupted(pipeline(("speed: 0", "speed: 0.0001")), tmp_path)
    assert ended == 1
    assert "NOT every promise kept" in said.splitlines()[-1]
    assert "out.npz: nothing is written, no frame came" in complaint
    assert "out.npz is not of this run" in complaint
    assert (tmp_path / "out.npz").read_bytes() == b"of yesterday"


def test_a_recording_too_short_for_a_frame_is_an_error_that_names_the_older_file(process, pipeline, tmp_path):
    (tmp_path / "out.npz").write_bytes(b"of yesterday")
    ended = process("run", pipeline(), "--quiet", "--set", "reconstruct.window=4000")
    assert ended.returncode == 2
    assert "nothing is written, no frame came" in ended.stderr
    assert "out.npz is not of this run" in ended.stderr
    assert (tmp_path / "out.npz").read_bytes() == b"of yesterday"


def refused_by_a_node(spikemm, pipeline_file):
    """Run a pipeline that a node must refuse: status 2, one line with its time; return the line."""
    ended = spikemm("run", pipeline_file)
    assert ended.returncode == 2, ended.stderr
    assert re.fullmatch(r"\d\d:\d\d:\d\d spikemm: [^\n]+\n", ended.stderr)
    return ended.stderr


def test_what_a_node_refuses_at_its_start_is_said_in_one_line(spikemm, pipeline, tmp_path):
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    networks = (
        "reconstruct: {inputs: encode}",
        "reconstruct: {inputs: encode, front: mie, weights: damaged.safetensors}",
    )
    assert "damaged.safetensors" in refused_by_a_node(spikemm, pipeline(networks))


def test_a_busy_port_is_refused(refused, pipeline):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(
            "run",
            pipeline(("frames:      {inputs: magnify, path: out.npz}", f"web: {{inputs: magnify, port: {port}}}")),
        )
    assert str(port) in line


def test_a_pipeline_over_hosts_asks_which_one_this_is(refused, pipeline):
    edited = pipeline(
        ("hop: 40", "hop: 40, host: rig, endpoint: 'tcp://127.0.0.1:5799'"), ("speed: 0", "speed: 0, host: rig")
    )
    assert "--host" in refused("run", edited)
