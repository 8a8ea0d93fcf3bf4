"""The examples are what they claim to be: files of a user's, outside the project, that run as they are."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.control import ControlClient, running_pipelines

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"
PIPELINE = """
nodes:
  camera:      {{type: synthetic_camera, scene: still, height: 48, width: 64, chunk_steps: 100}}
  encode:      {{inputs: camera, hop: 1000}}
  reconstruct: {{inputs: encode, endpoint: "{endpoint}"}}
  loudness:    {{type: "loudness:Loudness", inputs: reconstruct, policy: block}}
"""
HOP, WIDTH, HEIGHT = 1000, 64, 48
LINES = 5


def c_sink(folder):
    """Compile the C sink as its first comment says; return the command that runs it."""
    compiler, source = shutil.which("cc"), (EXAMPLES / "sink.c").read_text()
    if compiler is None:
        pytest.skip("no C compiler is installed: sink.c cannot be compiled")
    look = subprocess.run([compiler, "-E", "-"], input="#include <zmq.h>", capture_output=True, text=True)
    if look.returncode:
        pytest.skip("zmq.h is not installed (Debian: libzmq3-dev): sink.c cannot be compiled")
    command = re.search(r"cc .*-lzmq", source)[0].split()
    shutil.copy(EXAMPLES / "sink.c", folder)
    compiled = subprocess.run([*command, "-Werror"], cwd=folder, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return [str(folder / "sink")]


def javascript_sink(folder):
    """Put the JavaScript sink where it finds its packages; return the command that runs it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: sink.mjs cannot be run")
    found = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True).stdout.strip()
    if not all((Path(found) / package).is_dir() for package in ("zeromq", "@msgpack/msgpack")):
        pytest.skip("sink.mjs cannot be run without: npm install --global zeromq @msgpack/msgpack")
    (folder / "node_modules").symlink_to(found)
    shutil.copy(EXAMPLES / "sink.mjs", folder)
    return ["node", str(folder / "sink.mjs")]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A pipeline in processes of its own, with the example node in it; yields its process and its endpoint."""
    folder = tmp_path_factory.mktemp("mine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    shutil.copy(EXAMPLES / "loudness.py", folder)
    (folder / "mine.yaml").write_text(PIPELINE.format(endpoint=endpoint))
    command = [sys.executable, "-m", "tools.cli", "run", "mine.yaml", "--quiet", "--summary", "summary.json"]
    out, err = folder / "out", folder / "err"
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with out.open("w") as to, err.open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=to, stderr=errors, env=surroundings)
    yield process, endpoint, folder
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture
def start(running, tmp_path):
    """Start a sink on the pipeline: ``start(c_sink)``; returns its process."""
    started = []

    def launch(prepare):
        command = [*prepare(tmp_path), running[1]]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield launch
    for process in started:
        process.kill()
        process.communicate()


def frames(sink):
    """Read a few lines of what a sink prints: step, width, height, mean and age of each frame."""
    found = []
    for line in (sink.stdout.readline() for _ in range(LINES)):
        words = re.fullmatch(r"step (\d+)  (\d+)x(\d+)  mean (\d\.\d{4})  age (-?\d+\.\d) ms\n", line)
        assert words, line + sink.stderr.read()
        found.append([float(word) for word in words.groups()])
    return found


def wait_for_frames(process):
    """Wait until the node in the pipeline has had a few frames."""
    end, pause = time.monotonic() + 60, threading.Event()
    while time.monotonic() < end:
        for _, pid, endpoint in running_pipelines():
            if pid == process.pid:
                with ControlClient(endpoint) as client:
                    if client.request("status")["nodes"]["loudness"]["processed"] >= LINES:
                        return
        pause.wait(0.05)
    raise AssertionError("no frame within 60 s")


@pytest.mark.parametrize("prepare", [c_sink, javascript_sink])
def test_a_sink_in_another_language_prints_frames_and_leaves_at_ctrl_c(start, prepare):
    sink = start(prepare)
    found = frames(sink)
    steps, widths, heights, means, ages = zip(*found, strict=True)
    assert list(steps) == sorted(set(steps))
    assert all(step % HOP == 0 for step in steps)
    assert set(widths) == {WIDTH}
    assert set(heights) == {HEIGHT}
    assert all(0.05 < mean < 0.5 for mean in means)
    assert all(-1 < age < 20_000 for age in ages)
    sink.send_signal(signal.SIGINT)
    assert sink.wait(20) == 0


def test_they_end_with_the_stream_and_the_sink_of_one_s_own_has_printed_a_line_for_each_frame(running, start):
    process, _, folder = running
    sinks = []
    for prepare in (c_sink, javascript_sink):
        try:
            sinks.append(start(prepare))
        except pytest.skip.Exception:
            continue  # the test above tells
    for sink in sinks:
        assert frames(sink)
    wait_for_frames(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, (folder / "err").read_text()
    assert [sink.wait(20) for sink in sinks] == [0] * len(sinks)
    printed = [line.split() for line in (folder / "out").read_text().splitlines()]
    steps = [int(step) for step, _ in printed]
    assert len(steps) >= LINES
    assert steps == sorted(set(steps))
    assert all(step % HOP == 0 for step in steps)
    assert all(0.05 < float(mean) < 0.5 for _, mean in printed)
    links = {link["target"]: link for link in json.loads((folder / "summary.json").read_text())["links"]}
    assert links["loudness"]["delivered"] == len(steps)
    for name in ("c-sink", "js-sink")[: len(sinks)]:
        assert links[name]["in_flight"] == 0
