import contextlib
import json
import os
import stat
import subprocess
import sys
import time
from functools import partial
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from engine.control import RunningPipeline
from tools.ctl import app

PIPELINE = """
name: {name}
nodes:
  replay: {{path: {fork}, speed: 0.01, loop: true}}
  encode: {{inputs: replay, hop: 20}}
  reconstruct: {{inputs: encode}}
  magnify: {{inputs: reconstruct}}
  "null": {{inputs: magnify}}
  measure: {{inputs: reconstruct, map: null}}
  alarm: {{inputs: measure, baseline: normal.json, rules: {{turned: {{quantity: frequency_shift, warning: 1}}}}}}
  record: {{inputs: replay, path: kept, keep: {{before_s: 1}}, keep_free_gb: 0}}
chain: [reconstruct, magnify]
"""


@pytest.fixture
def running(spikemm, fork, tmp_path):
    """The name of a pipeline that runs, and is told to stop at the end."""
    name = f"steered-{os.getpid()}"
    (tmp_path / "steered.yaml").write_text(PIPELINE.format(name=name, fork=fork))
    process = subprocess.Popen([sys.executable, "-m", "tools.cli", "run", "steered.yaml", "-q"], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while json.loads(spikemm("ctl", "status", "--json", "--run", name).stdout or "{}").get("phase") != "running":
        assert process.poll() is None
        assert time.monotonic() < deadline
    yield name
    assert spikemm("ctl", "stop", "--run", name).returncode == 0
    assert process.wait(30) == 0


def test_a_running_pipeline_is_steered(running, spikemm, refused):
    def ctl(*verb):
        ended = spikemm("ctl", *verb, "--run", running)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert running in spikemm("ctl", "list").stdout
    assert json.loads(ctl("pause"))["paused"] is True
    assert json.loads(ctl("seek", "step:1500"))["step"] >= 1500
    assert json.loads(ctl("seek", "0.1"))["seconds"] >= 0.1
    assert json.loads(ctl("speed", "0.02"))["speed"] == 0.02
    assert json.loads(ctl("loop", "off"))["loop"] is False
    assert json.loads(ctl("resume"))["paused"] is False
    assert float(ctl("set", "magnify.alpha=20")) == 20
    assert json.loads(ctl("status", "--json"))["nodes"]["magnify"]["options"]["alpha"] == 20
    assert json.loads(ctl("save", "--seconds-after", 0, "--reason", "looks odd"))["file"].startswith("kept/")
    for verb in (("learn", "--rule", "turned"), ("acknowledge", "turned")):  # nothing has been measured yet
        assert "rule turned, region any: nothing such is watched" in refused("ctl", *verb, "--run", running)
    assert "alpha" in refused("ctl", "set", "magnify.alhpa=3", "--run", running)
    assert "replay → encode" in spikemm("top", "--once", "--run", running).stdout


def test_keys_are_for_their_owner_alone(spikemm, tmp_path):
    assert spikemm("ctl", "keys", "keys").returncode == 0
    folder = tmp_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "spikemm.key_secret").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(spikemm, refused, tmp_path):
    spikemm("ctl", "keys", "keys")
    before = (tmp_path / "keys" / "spikemm.key_secret").read_bytes()
    assert "exists" in refused("ctl", "keys", "keys")
    assert (tmp_path / "keys" / "spikemm.key_secret").read_bytes() == before


@pytest.mark.parametrize("verb", [("status",), ("pause",), ("seek", "0.1"), ("set", "magnify.alpha=3"), ("stop",)])
def test_without_a_pipeline_there_is_nothing_to_steer(refused, verb):
    assert "no pipeline 'nobody'" in refused("ctl", *verb, "--run", "nobody")


def test_top_without_a_pipeline_is_refused(refused):
    assert "no pipeline 'nobody'" in refused("top", "--once", "--run", "nobody")


@pytest.mark.parametrize("where", ["soon", "step:x", "1:2"])
def test_a_place_that_is_none_is_refused(refused, where):
    assert where in refused("ctl", "seek", where)


def test_a_loop_is_on_or_off(refused):
    assert refused("ctl", "loop", "maybe") == "spikemm: loop maybe: say on or off\n"


def test_an_assignment_without_an_option_is_refused(refused):
    assert "NODE.OPTION=VALUE" in refused("ctl", "set", "alpha=3")


def test_another_command_is_no_verb_of_ctl_and_is_named(refused):
    assert "spikemm top" in refused("ctl", "top")
    assert "'pause'" in refused("ctl", "paus")


class Runs:
    """Pipelines that seem to run, of which each answers with its status."""

    def __init__(self, monkeypatch, **nodes_by_name):
        self.asked = []
        found = [RunningPipeline(name, pid, name) for pid, name in enumerate(nodes_by_name, 41)]
        monkeypatch.setattr("engine.rundir.running_pipelines", lambda: found)
        monkeypatch.setattr("engine.control.running_pipelines", lambda: found)
        monkeypatch.setattr("engine.control.ControlClient", self._connect)
        self._nodes = nodes_by_name

    def _connect(self, endpoint):
        return contextlib.nullcontext(SimpleNamespace(request=partial(self._answer, endpoint)))

    def _answer(self, run, request, /, **arguments):
        self.asked.append((run, request, arguments.get("node")))
        nodes = {node: {"status": status} for node, status in self._nodes[run].items()}
        return {"pipeline": run, "phase": "running", "nodes": nodes} if request == "status" else None


def ctl(*arguments):
    return CliRunner().invoke(app, arguments)


def test_the_only_pipeline_is_named_before_it_is_steered(monkeypatch):
    runs = Runs(monkeypatch, rig={"camera": {"paused": False}})
    done = ctl("pause")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "rig (process 41)\n")
    assert runs.asked[-1] == ("rig", "command", "camera")
    assert ctl("pause", "--run", "rig").stderr == ""


def test_where_several_pipelines_run_one_must_be_chosen(monkeypatch):
    runs = Runs(monkeypatch, rig={"camera": {"paused": False}}, press={})
    for verb in ("pause", "stop", "status"):
        assert str(ctl(verb).exception).startswith(
            "several pipelines run: rig (process 41), press (process 42); choose"
        )
    assert not runs.asked
    assert ctl("stop", "--run", "42").exit_code == 0
    assert runs.asked == [("press", "stop", None)]


def test_two_pipelines_of_one_name_are_told_apart_by_their_process(monkeypatch):
    twins = [RunningPipeline("rig", pid, "rig") for pid in (41, 42)]
    monkeypatch.setattr("engine.control.running_pipelines", lambda: twins)
    complaint = "several pipelines run: rig (process 41), rig (process 42); choose one with --run NAME"
    assert str(ctl("seek", "1", "--run", "rig").exception).startswith(complaint)


def test_a_node_can_be_chosen_only_where_there_is_one(monkeypatch):
    Runs(monkeypatch, rig={"left": {"paused": False}, "right": {"paused": True}})
    assert str(ctl("pause").exception) == "rig has 2 replay nodes: left, right; choose one with --node NAME"
    assert str(ctl("save").exception) == "rig (running) has no record node: there is nothing to command"
