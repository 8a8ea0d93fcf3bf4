"""How a run ends: by Ctrl-C, by a second one, by its own death, or while it is still starting."""

import signal

import psutil


def endless(tmp_path, **sink):
    return {
        "source": {"type": "zoo:Counter", "count": 10**9, "every_s": 0.002},
        "gain": {"type": "zoo:Gain", "inputs": "source"},
        "sink": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out"), **sink},
    }


def test_killing_the_main_process_leaves_no_orphan(apart, until, tmp_path, written):
    run = apart(endless(tmp_path))
    until(lambda: len(written()) > 10)
    children = run.children()
    assert len(children) == 3
    run.process.kill()
    run.process.wait()
    gone, left = psutil.wait_procs(children, timeout=2.0)
    assert (len(gone), left) == (3, [])


def test_ctrl_c_drains_what_is_under_way_and_ends_with_status_0(apart, until, tmp_path, written):
    run = apart(endless(tmp_path, delay_s=0.02))
    until(lambda: len(written()) > 10)
    run.process.send_signal(signal.SIGINT)
    summary = run.summary()
    sent = summary["nodes"]["source"]["emitted"]
    assert [line[0] for line in written()] == list(range(sent))
    assert (summary["exit_status"], summary["phase"], run.process.returncode) == (0, "stopped", 0)
    assert all(row["lost"] == row["in_flight"] == 0 for row in summary["links"])


def test_a_terminated_run_drains_as_well(apart, until, tmp_path, written):
    run = apart(endless(tmp_path))
    until(lambda: len(written()) > 10)
    run.process.terminate()
    assert run.summary()["exit_status"] == 0


def test_a_service_manager_that_terminates_every_process_loses_nothing(apart, until, tmp_path, written):
    run = apart(endless(tmp_path, delay_s=0.02))
    until(lambda: len(written()) > 10)
    for process in [*run.children(), run.process]:
        process.terminate()
    summary = run.summary()
    assert [line[0] for line in written()] == list(range(summary["nodes"]["source"]["emitted"]))
    assert (summary["exit_status"], {row["restarts"] for row in summary["nodes"].values()}) == (0, {0})


def test_a_service_manager_that_terminates_every_process_at_its_birth_is_told_that_all_is_well(apart, until, tmp_path):
    run = apart(endless(tmp_path))
    for process in [*until(lambda: len(run.children()) == 3 and run.children()), run.process]:
        process.terminate()
    summary = run.summary()
    assert (summary["exit_status"], summary["problems"]) == (0, [])


def test_a_terminal_that_closes_drains_as_well_although_it_says_so_twice(apart, until, tmp_path, written):
    run = apart(endless(tmp_path, delay_s=0.02))
    until(lambda: len(written()) > 10)
    for process in [*run.children(), run.process, run.process]:
        process.send_signal(signal.SIGHUP)
    summary = run.summary()
    assert [line[0] for line in written()] == list(range(summary["nodes"]["source"]["emitted"]))
    assert (summary["exit_status"], {row["restarts"] for row in summary["nodes"].values()}) == (0, {0})


def test_a_run_under_nohup_outlives_its_terminal(apart, until, tmp_path, written):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run = apart(endless(tmp_path))
    signal.signal(signal.SIGHUP, before)
    until(lambda: len(written()) > 10)
    for process in [*run.children(), run.process]:
        process.send_signal(signal.SIGHUP)
    seen = len(written())
    until(lambda: len(written()) > seen + 200)
    run.process.terminate()
    assert run.summary()["exit_status"] == 0


def test_a_second_ctrl_c_ends_it_at_once(apart, until, tmp_path, written):
    run = apart(endless(tmp_path, delay_s=3600))
    children = until(lambda: len(run.children()) == 3 and run.children())
    until(lambda: (tmp_path / "out").exists())
    run.process.send_signal(signal.SIGINT)
    until(lambda: psutil.Process(run.process.pid).is_running())
    run.process.send_signal(signal.SIGINT)
    until(lambda: run.process.poll() is not None or run.process.send_signal(signal.SIGINT), 10)
    assert run.summary()["exit_status"] == 1
    assert not any(child.is_running() for child in children)


def test_ctrl_c_while_a_node_is_still_getting_ready_ends_in_good_order(apart, until, tmp_path, written):
    nodes = endless(tmp_path)
    nodes["gain"] = {"type": "zoo:SlowStarter", "inputs": "source", "gate": str(tmp_path / "gate")}
    run = apart(nodes)
    until(lambda: (tmp_path / "out").exists() and (tmp_path / "gate.reached").exists())
    run.process.send_signal(signal.SIGINT)
    (tmp_path / "gate").touch()
    summary = run.summary()
    assert (summary["exit_status"], summary["phase"]) == (0, "stopped")


def test_a_run_ends_after_the_seconds_it_was_given(zoo, tmp_path, written):
    summary = zoo(endless(tmp_path)).go(seconds=0.5)
    assert 0.5 <= summary["seconds"] < 5
    assert [line[0] for line in written()] == list(range(summary["nodes"]["source"]["emitted"]))
    assert summary["exit_status"] == 0


def test_a_source_that_dies_while_the_run_ends_holds_nobody_up(zoo, tmp_path):
    nodes = endless(tmp_path)
    nodes["source"]["type"] = "zoo:DyingCounter"
    summary = zoo(nodes).go(seconds=0.3)
    assert summary["nodes"]["source"]["failure"] == "crash"
    assert {row["phase"] for row in summary["nodes"].values()} <= {"stopped", "failed"}


def test_a_stage_that_dies_while_the_run_ends_comes_back_to_finish(zoo, until, tmp_path, written):
    nodes = endless(tmp_path)
    nodes["gain"] = {"type": "zoo:DyingFlush", "inputs": "source"}
    summary = zoo(nodes).go(seconds=0.3)
    assert (summary["nodes"]["gain"]["restarts"], summary["phase"]) == (1, "stopped")
    assert len(written()) > 0
