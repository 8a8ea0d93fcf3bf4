"""The consumer that nodes/PROTOCOL.md shows, run as it stands there."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROTOCOL = Path(__file__).parents[2] / "nodes" / "PROTOCOL.md"


@pytest.fixture
def example(tmp_path):
    """Start the example on an endpoint; returns the process, whose lines of output can be read."""
    (code,) = re.findall(r"```python\n(.*?)```", PROTOCOL.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "example.py").write_text(code)
    started = []

    def start(endpoint):
        command = [sys.executable, str(tmp_path / "example.py"), endpoint]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read(process):
    """Return the step and the values' dtype, shape and bytes of the next message."""
    found = re.fullmatch(r"zoo\.numbers (\d+) (\[.*\]) (\[\d+\])\n", process.stdout.readline())
    assert found
    return int(found[1]), ast.literal_eval(found[2]), ast.literal_eval(found[3])


@pytest.fixture
def run(zoo, tmp_path):
    nodes = {
        "source": {"type": "zoo:Counter", "count": 10**6, "every_s": 0.005},
        "gain": {"type": "zoo:Gain", "inputs": "source"},
        "sink": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out")},
    }
    return zoo(nodes, chain=["source", "gain"]).start().until_running()


def test_the_example_reads_a_stream_survives_a_restart_and_ends_with_it(run, example, until):
    reader = example(run.node("gain")["endpoint"])
    step, arrays, sizes = read(reader)
    assert (arrays, sizes) == ([["values", "<i8", [10]]], [80])
    assert read(reader)[0] > step
    os.kill(run.node("gain")["pid"], signal.SIGKILL)
    until(lambda: run.node("gain")["restarts"] == 1 and run.node("gain")["phase"] == "running")
    until(lambda: "printer" in [row["target"] for row in run.status()["links"] if row.get("connected")])
    assert read(reader)[0] > step
    run.stop()
    assert reader.wait(20) == 0


def test_inside_a_chain_only_the_last_node_listens(run):
    nodes = run.status()["nodes"]
    assert (nodes["source"]["endpoint"], nodes["sink"]["endpoint"]) == ("", "")
    assert nodes["gain"]["endpoint"].startswith("ipc://")
