"""A process that dies, fails or hangs: it comes back, or is given up loudly, and what was lost is known."""

import errno
import os
import signal
import subprocess
import time

import pytest

from engine.exceptions import ControlError

COUNT = 400


def trio(tmp_path, *, source=None, stage=None, sink=None):
    return {
        "source": {"type": "zoo:Counter", "count": COUNT, "every_s": 0.005, **(source or {})},
        "stage": {"type": "zoo:Gain", "inputs": "source", **(stage or {})},
        "sink": {"type": "zoo:Writer", "inputs": "stage", "path": str(tmp_path / "out"), **(sink or {})},
    }


def accounted(summary):
    """Everything that a link was given has become something that the summary names."""
    return all(row["in_flight"] == row["depth"] == 0 for row in summary["links"])


@pytest.mark.parametrize("victim", ["source", "stage", "sink"])
def test_a_node_that_is_killed_comes_back_and_the_stream_goes_on(zoo, until, tmp_path, written, victim):
    run = zoo(trio(tmp_path)).start().until_running()
    until(lambda: len(written()) > 50)
    before = run.status()["nodes"]
    assert len({row["pid"] for row in before.values()}) == 3
    os.kill(before[victim]["pid"], signal.SIGKILL)
    killed_at, seen = time.monotonic(), written()[-1][0]
    until(lambda: run.node(victim)["restarts"] == 1 and run.node(victim)["phase"] == "running")
    until(lambda: written()[-1][0] > seen + 20)
    assert time.monotonic() - killed_at < 5.0
    summary = run.finish()
    assert [(row["restarts"], row["failure"]) for row in summary["nodes"].values()] == [
        (1, "crash") if name == victim else (0, "") for name in summary["nodes"]
    ]
    assert any("killed by signal 9" in problem for problem in summary["problems"])
    assert accounted(summary)
    numbers = [line[0] for line in written()]
    missing = COUNT - len(set(numbers))
    known = sum(row["lost"] + row["gap_steps"] for row in summary["links"])
    assert numbers[-1] == COUNT - 1
    assert missing <= known
    assert summary["exit_status"] == (1 if any(row["lost"] for row in summary["links"]) else 0)


def test_a_source_goes_on_where_its_consumers_were(zoo, until, tmp_path, written):
    run = zoo(trio(tmp_path)).start().until_running()
    until(lambda: len(written()) > 50)
    os.kill(run.node("source")["pid"], signal.SIGKILL)
    run.finish()
    assert {line[0] for line in written()} == set(range(COUNT))
    assert {line[2] for line in written()} == {0, 1 << 20}  # the second life is an epoch of its own


def test_an_exception_ends_one_life_and_the_trace_is_shown(zoo, tmp_path, written):
    run = zoo(trio(tmp_path, source={"count": 100}, stage={"type": "zoo:Faulty", "at": 30}))
    summary = run.go()
    stage = summary["nodes"]["stage"]
    assert (stage["restarts"], stage["failure"]) == (1, "exception")
    assert any("ValueError: the zoo's own fault" in event.text and "Traceback" in event.text for event in run.events)
    assert written()[-1][0] == 99
    assert summary["links"][0]["lost"] > 0
    assert summary["exit_status"] == 1
    assert accounted(summary)


@pytest.mark.parametrize("culprit", ["source", "stage", "sink"])
def test_a_node_that_always_fails_is_given_up_loudly_and_the_run_ends(zoo, tmp_path, monkeypatch, culprit):
    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("engine.worker._RESTARTS", 2)
    broken = {"source": "zoo:BrokenCounter", "stage": "zoo:Faulty", "sink": "zoo:BrokenWriter"}[culprit]
    options = {"type": broken, **({"at": 5, "always": True} if culprit == "stage" else {})}
    run = zoo(trio(tmp_path, **{culprit: options}))
    summary = run.go()
    assert summary["nodes"][culprit]["phase"] == "failed"
    assert summary["nodes"][culprit]["restarts"] == 2
    assert any(event.level == "error" and "given up" in event.text for event in run.events)
    assert sum("Traceback" in event.text for event in run.events) == 1
    assert (summary["exit_status"], summary["phase"]) == (1, "failed")


def test_what_a_sink_fails_on_is_lost_once_and_so_is_what_still_waits_for_it(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("engine.worker._RESTARTS", 2)
    summary = zoo(trio(tmp_path, sink={"type": "zoo:BrokenWriter"})).go()
    link = next(row for row in summary["links"] if row["target"] == "sink")
    waiting_at_most = 4  # the depth of a `block` queue in a replay
    assert link["delivered"] == 0
    assert 3 <= link["sent"] <= link["lost"] <= link["sent"] + waiting_at_most


def test_a_sink_that_is_given_up_leaves_the_others_running_to_the_end(zoo, tmp_path, written, monkeypatch):
    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("engine.worker._RESTARTS", 1)
    nodes = trio(tmp_path, source={"every_s": 0.0, "count": 200})
    nodes["broken"] = {"type": "zoo:BrokenWriter", "inputs": "stage", "path": str(tmp_path / "broken")}
    summary = zoo(nodes).go()
    assert [line[0] for line in written()] == list(range(200))
    assert {name: row["phase"] for name, row in summary["nodes"].items() if row["phase"] != "stopped"} == {
        "broken": "failed"
    }
    assert summary["exit_status"] == 1


def test_a_node_that_cannot_even_start_is_given_up_and_the_others_start_without_it(zoo, tmp_path, written, monkeypatch):
    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("engine.worker._RESTARTS", 1)
    nodes = trio(tmp_path, source={"every_s": 0.0, "count": 50})
    nodes["unborn"] = {"type": "zoo:Writer", "inputs": "stage", "path": str(tmp_path / "no" / "folder")}
    summary = zoo(nodes).go()
    assert summary["nodes"]["unborn"]["phase"] == "failed"
    assert [line[0] for line in written()] == list(range(50))
    assert summary["exit_status"] == 1


def test_an_error_fit_for_the_user_ends_the_run_at_once_with_status_2(zoo, tmp_path):
    nodes = trio(tmp_path, sink={"type": "zoo:PickyWriter"})
    run = zoo(nodes)
    summary = run.go()
    assert summary["exit_status"] == 2
    assert summary["problems"] == ["sink: the disk is full; choose another"]
    assert summary["nodes"]["source"]["emitted"] == 0
    assert not any("Traceback" in event.text for event in run.events)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("chain", [[], ["stage", "sink"]])
def test_it_does_so_wherever_it_arises_and_whatever_cannot_be_closed_then(zoo, tmp_path, chain, at_once):
    nodes = trio(tmp_path, source={"count": 10**6}, stage={"type": "zoo:PickyGain", "at_once": at_once})
    if chain:
        nodes["sink"]["type"] = "zoo:StickyWriter"
    summary = zoo(nodes, chain=chain).go()
    assert summary["problems"] == [f"{'+'.join(chain) or 'stage'}: region [9, 9] is outside the picture; move it"]
    assert {row["restarts"] for row in summary["nodes"].values()} == {0}
    assert summary["exit_status"] == 2


def test_a_failure_while_closing_is_no_success(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.worker._RESTARTS", 1)
    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    summary = zoo(trio(tmp_path, source={"count": 10}, sink={"type": "zoo:StickyWriter"})).go()
    assert summary["nodes"]["sink"]["failure"] == "exception"
    assert summary["exit_status"] == 1


def test_a_node_that_hangs_is_killed_and_started_again(zoo, tmp_path, written, monkeypatch):
    monkeypatch.setattr("engine.supervisor._HANG_LIMIT_S", 1.0)
    nodes = trio(tmp_path, source={"count": 100}, stage={"type": "zoo:Faulty", "at": 30, "how": "hang"})
    summary = zoo(nodes).go()
    assert (summary["nodes"]["stage"]["failure"], summary["nodes"]["stage"]["restarts"]) == ("hang", 1)
    assert written()[-1][0] == 99


def test_a_process_that_does_not_get_ready_is_started_again_and_given_up(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.supervisor._STARTUP_LIMIT_S", 1.5)
    monkeypatch.setattr("engine.worker._RESTARTS", 1)
    summary = zoo(trio(tmp_path, stage={"type": "zoo:Sleeper"})).go()
    assert (summary["nodes"]["stage"]["failure"], summary["exit_status"]) == ("startup timeout", 1)


def test_a_process_that_the_machine_cannot_give_for_now_is_asked_for_again(zoo, tmp_path, written, monkeypatch):
    begin, refusals = subprocess.Popen, iter([OSError(errno.ENOMEM, "Cannot allocate memory")])

    def popen(*arguments, **options):
        for refusal in refusals:
            raise refusal
        return begin(*arguments, **options)

    monkeypatch.setattr("engine.worker.subprocess.Popen", popen)
    summary = zoo(trio(tmp_path, source={"count": 20})).go()
    assert "source: crash: cannot be started: Cannot allocate memory; starts again in 0.1 s" in summary["problems"]
    assert [line[0] for line in written()] == list(range(20))
    assert summary["exit_status"] == 0


@pytest.mark.parametrize("victim", ["source", "gain", "mixer"])
def test_a_node_with_several_ports_lives_through_the_death_of_those_around_it(zoo, until, tmp_path, written, victim):
    count = 200
    nodes = {
        "source": {"type": "zoo:Counter", "count": count, "every_s": 0.005},
        "gain": {"type": "zoo:Gain", "inputs": "source", "policy": "block"},
        "mixer": {"type": "zoo:Mixer", "inputs": {"a": "source", "b": "gain"}},
        "sink": {"type": "zoo:Writer", "inputs": "mixer", "path": str(tmp_path / "out")},
    }
    run = zoo(nodes).start().until_running()
    until(lambda: len(written()) > 50)
    os.kill(run.node(victim)["pid"], signal.SIGKILL)
    until(lambda: run.node(victim)["restarts"] == 1 and run.node(victim)["phase"] == "running")
    summary = run.finish()
    assert accounted(summary)
    assert {(row["target"], row["port"]): row["policy"] for row in summary["links"] if row["target"] == "mixer"} == {
        ("mixer", "a"): "block: 2 s",
        ("mixer", "b"): "latest",
    }
    numbers = [line[0] for line in written()]
    assert count - 1 in numbers
    assert min(numbers) <= 1 - count
    lost = sum(row["lost"] + row["gap_steps"] for row in summary["links"] if row["policy"] != "latest")
    assert count - len({number for number in numbers if number >= 0}) <= lost


def test_a_request_to_a_node_that_dies_meanwhile_is_answered(zoo, until, tmp_path, written):
    run = zoo(trio(tmp_path, stage={"type": "zoo:Faulty", "at": 100, "how": "exit"})).start().until_running()
    until(lambda: len(written()) > 10)
    with pytest.raises(ControlError, match="failed meanwhile: crash"):
        run.client.request("command", node="stage", name="die")
    summary = run.finish()
    assert summary["nodes"]["stage"]["restarts"] >= 1


def test_restarts_leak_no_file_descriptors(zoo, tmp_path, monkeypatch):
    def open_files():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    monkeypatch.setattr("engine.worker._FIRST_BACKOFF_S", 0.01)
    monkeypatch.setattr("engine.worker._RESTARTS", 3)
    zoo(trio(tmp_path, source={"count": 1, "every_s": 0.0})).go()
    before = open_files()
    zoo(trio(tmp_path, source={"count": 30}, stage={"type": "zoo:Faulty", "at": 0, "always": True})).go()
    assert open_files() <= before


def test_a_sink_that_no_restart_can_cure_is_given_up_alone(zoo, tmp_path, written):
    nodes = {
        "source": {"type": "zoo:Counter", "count": 60},
        "full": {"type": "zoo:FillingWriter", "inputs": "source", "path": str(tmp_path / "full")},
        "sink": {"type": "zoo:Writer", "inputs": "source", "path": str(tmp_path / "out")},
    }
    summary = zoo(nodes).go()
    assert [line[0] for line in written()] == list(range(60))
    assert (summary["nodes"]["full"]["phase"], summary["nodes"]["full"]["restarts"]) == ("failed", 0)
    assert "full: no space left on device" in summary["problems"]
    assert summary["exit_status"] == 1


def test_the_only_sink_that_no_restart_can_cure_ends_the_run(zoo, tmp_path):
    nodes = {
        "source": {"type": "zoo:Counter", "count": 60},
        "full": {"type": "zoo:FillingWriter", "inputs": "source", "path": str(tmp_path / "full")},
    }
    assert zoo(nodes).go()["exit_status"] == 2
