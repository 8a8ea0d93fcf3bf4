"""A running pipeline is steered through its control socket."""

import os
import signal

import pytest

from engine.control import running_pipelines
from engine.exceptions import ControlError


@pytest.fixture
def run(zoo, tmp_path):
    return zoo(
        {
            "source": {"type": "zoo:Counter", "count": 10**6, "every_s": 0.005},
            "gain": {"type": "zoo:Gain", "inputs": "source"},
            "sink": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out")},
        }
    ).start()


@pytest.fixture(scope="module")
def shared(zoo_of_module):
    """Give one run that everything refused is tried on."""
    nodes = {
        "source": {"type": "zoo:Counter", "count": 10**6, "every_s": 0.005},
        "gain": {"type": "zoo:Gain", "inputs": "source"},
        "sink": {"type": "zoo:Writer", "inputs": "gain", "path": os.devnull},
    }
    return zoo_of_module(nodes).start().until_running()


def test_a_live_option_takes_effect_and_the_messages_tell(run, until, written):
    run.until_running()
    assert run.client.request("set", node="gain", option="factor", value=0) == 0
    assert until(lambda: [line for line in written() if line[0] == 0 and line[3] == 1])
    assert all((line[0] == 0) == (line[3] == 1) for line in written()[1:])
    assert run.node("gain")["options"] == {"factor": 0, "delay_s": 0.0}
    assert run.node("gain")["live_options"] == ["factor"]


def test_a_restart_comes_back_with_the_option_that_was_set(run, until, written):
    run.until_running()
    run.client.request("set", node="gain", option="factor", value=0)
    os.kill(run.node("gain")["pid"], signal.SIGKILL)
    until(lambda: run.node("gain")["restarts"] == 1 and run.node("gain")["phase"] == "running")
    count = len(written())
    until(lambda: len(written()) > count + 20)
    assert {line[0] for line in written()[count + 10 :]} == {0}


@pytest.mark.parametrize(
    ("request_", "fields", "complaint"),
    [
        ("set", {"node": "gain", "option": "factor", "value": -1}, r"gain\.factor: Expected"),
        ("set", {"node": "gain", "option": "factor", "value": "loud"}, r"gain\.factor: Expected `int`"),
        ("set", {"node": "gain", "option": "delay_s", "value": 1}, "while running; live options: factor"),
        ("set", {"node": "gian", "option": "factor", "value": 1}, "no node 'gian'; known: source, gain, sink"),
        ("set", {"node": "gain", "value": 1}, "set: send node, option"),
        ("set", {"node": ["gain"], "option": "factor", "value": 1}, "no node"),
        ("command", {"node": "gain", "name": "dance"}, "gain takes no command 'dance'"),
        ("command", {"node": "source", "name": "seek"}, "KeyError: 'step'"),
        ("command", {"node": "source", "name": "seek", "arguments": [1]}, "command: send node, name"),
        ("command", {"node": "source", "name": "seek", "type": "stop"}, "KeyError: 'step'"),
        ("command", {"node": "source", "name": "seek", "arguments": {"step": float("inf")}}, "OverflowError: cannot"),
        ("command", {"node": "source", "name": "seek", "arguments": {"step": []}}, "TypeError: int"),
        ("dance", {}, "unknown request 'dance'; known: status, set, command, stop"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_and_harms_nobody(shared, request_, fields, complaint):
    with pytest.raises(ControlError, match=complaint):
        shared.client.request(request_, **fields)
    nodes = shared.status()["nodes"]
    assert {(row["phase"], row["restarts"]) for row in nodes.values()} == {("running", 0)}


def test_a_pause_holds_the_source_and_the_status_shows_it(shared, until):
    assert shared.client.request("command", node="source", name="pause", arguments={}) is True
    number = shared.node("source")["status"]["number"]  # at once, with no report to wait for
    until(lambda: shared.node("sink")["step"] == number - 1)
    shared.client.request("command", node="source", name="resume")
    until(lambda: shared.node("source")["status"]["number"] > number)


def test_a_seek_flushes_what_is_under_way_and_loses_nothing(zoo, until, tmp_path, written):
    run = (
        zoo(
            {
                "source": {"type": "zoo:Counter", "count": 10_000},
                "sink": {"type": "zoo:Writer", "inputs": "source", "path": str(tmp_path / "out"), "delay_s": 0.05},
            }
        )
        .start()
        .until_running()
    )
    until(lambda: written())
    until(lambda: run.status()["links"][0]["depth"] > 0)
    assert run.client.request("command", node="source", name="seek", arguments={"step": 9_990}) == 9_990
    until(lambda: written()[-1][0] == 9_999)
    summary = run.finish()
    (link,) = summary["links"]
    assert link["flushed"] + summary["nodes"]["source"]["counters"].get("flushed", 0) > 3
    assert (link["lost"], link["dropped"], link["gap_steps"], summary["exit_status"]) == (0, 0, 0, 0)
    assert [line[0] for line in written() if line[2] == 1] == list(range(9_990, 10_000))


def test_what_comes_too_early_is_told_to_try_again(zoo, until, tmp_path):
    gate = tmp_path / "gate.open"
    run = zoo(
        {
            "source": {"type": "zoo:Counter", "count": 1},
            "gain": {"type": "zoo:SlowStarter", "inputs": "source", "gate": str(gate)},
            "sink": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out")},
        }
    ).start()
    until(gate.with_suffix(".reached").exists)
    assert run.events[0].text == "starting: source, gain, sink"
    with pytest.raises(ControlError, match="gain is starting, not running; try again in a moment"):
        run.client.request("set", node="gain", option="factor", value=2)
    gate.touch()
    run.finish()


def test_a_running_pipeline_is_found_by_its_name(shared):
    assert ("zoo", os.getpid()) in [(found.name, found.pid) for found in running_pipelines()]


def test_nonsense_on_the_control_socket_is_ignored(shared):
    for packed in (b"", b"\xc1", b"\x01", b"\x81\xa7request\xc0", b"\x81\xa7process\xa6source", b"\x81\xa1\xff\x01"):
        shared.client._socket.send(packed)
    assert shared.status()["phase"] == "running"
