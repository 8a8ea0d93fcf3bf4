import json
import stat
import subprocess
import sys

import pytest

from engine.exceptions import ControlError, EngineError
from engine.rundir import RunDirectory, find_run, running_pipelines


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_a_run_is_found_until_its_folder_is_removed():
    run = RunDirectory("mine")
    assert [found.name for found in running_pipelines()] == ["mine"]
    assert find_run(None) == find_run("mine") == find_run(str(find_run(None).pid))
    assert find_run(None).endpoint == run.control
    run.remove()
    assert running_pipelines() == []


def test_two_runs_of_one_process_do_not_meet():
    first, second = RunDirectory("first"), RunDirectory("second")
    assert first.endpoint("camera") != second.endpoint("camera")
    first.remove()
    assert [found.name for found in running_pipelines()] == ["second"]


def test_no_node_can_take_the_place_of_the_control_socket():
    run = RunDirectory("mine")
    assert run.control not in [run.endpoint(name) for name in ("control", "run", "run-control", "run_control")]


def test_what_a_killed_run_has_left_is_removed():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run = RunDirectory("dead")
    (run._path / "run.json").write_text(json.dumps({"name": "dead", "pid": ended.pid, "endpoint": run.control}))
    assert running_pipelines() == []
    assert not run._path.exists()


def test_a_broken_folder_is_passed_over():
    run = RunDirectory("mine")
    (run._path / "run.json").write_text("{")
    assert running_pipelines() == []


def test_nobody_else_can_look_in():
    run = RunDirectory("mine")
    assert stat.S_IMODE(run._path.stat().st_mode) == stat.S_IMODE(run._path.parent.stat().st_mode) == 0o700


def test_a_folder_that_is_open_to_others_is_not_used():
    run = RunDirectory("mine")
    run._path.parent.chmod(0o755)
    with pytest.raises(EngineError, match="is open to others; remove it"):
        RunDirectory("other")


def test_who_is_not_there_or_not_alone_is_said():
    with pytest.raises(ControlError, match="no pipeline is running here; running: none"):
        find_run(None)
    RunDirectory("first"), RunDirectory("second")
    with pytest.raises(ControlError, match=r"several pipelines run: .*; say which one by name or process id"):
        find_run(None)
    with pytest.raises(ControlError, match=r"no pipeline 'third' is running here; running: .*first \(\d+\)"):
        find_run("third")
