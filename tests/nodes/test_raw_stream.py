"""Raw steps through real pipes and sockets: whole, in order, and what is missing is told."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine import Wait
from engine.clocks import WallClock
from engine.pipeline import parse_pipeline
from engine.summary import exit_status
from engine.testing import make_node
from nodes.raw_stream import RawStream
from spikemm.exceptions import OptionError, RecordingError

SIZE = {"height": 10, "width": 16, "flip": False}
STEP_BYTES = 20
PATIENCE_S = 20


def steps(count, seed=0, step_bytes=STEP_BYTES):
    return np.random.default_rng(seed).integers(0, 256, (count, step_bytes), np.uint8)


class Rig:
    """A node whose thread wakes the test."""

    def __init__(self, **options):
        self._woken = threading.Event()
        self.node = make_node(RawStream, WallClock(), **options, context={"wake": self._woken.set})

    def next(self):
        """Return what comes next: a message, or None at the end."""
        while True:
            self._woken.clear()
            made = self.node.produce()
            if not isinstance(made, Wait):
                return made
            assert self._woken.wait(PATIENCE_S), "nothing came"

    def rest(self):
        messages = []
        while (message := self.next()) is not None:
            message.validate()
            messages.append(message)
        return messages

    @property
    def counters(self):
        return self.node.context.counters


@contextmanager
def rig(**options):
    made = Rig(**{**SIZE, **options})
    try:
        yield made
    finally:
        made.node.close()


def packed(messages):
    return np.concatenate([message.packed for message in messages])


@pytest.fixture
def fifo(tmp_path):
    path = tmp_path / "spikes"
    os.mkfifo(path)
    return path


def send(path, *parts):
    """Write to a FIFO from a thread, as opening it waits for the reader."""

    def write():
        with path.open("wb", buffering=0) as pipe:
            for part in parts:
                pipe.write(part)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    return writer


def test_steps_arrive_as_they_were_sent_however_they_are_cut(fifo):
    sent = steps(500)
    data = sent.tobytes()
    with rig(address=f"fifo:{fifo}", chunk_steps=64) as pipe:
        send(fifo, data[:33], data[33:1000], data[1000:])
        messages = pipe.rest()
        assert np.array_equal(packed(messages), sent)
        starts = np.cumsum([0] + [message.count for message in messages])
        assert [message.step for message in messages] == list(starts[:-1])
        assert pipe.counters["steps"] == 500
        assert pipe.counters["torn_bytes"] == pipe.counters["steps_overrun"] == 0


def test_whole_steps_do_not_wait_for_a_chunk_to_fill(fifo):
    sent = steps(3)
    with rig(address=f"fifo:{fifo}", chunk_steps=1000) as pipe, fifo.open("r+b", buffering=0) as writer:
        writer.write(sent.tobytes()[:50])
        first = pipe.next()
        writer.write(sent.tobytes()[50:])
        second = pipe.next()
        assert (first.count, second.count) == (2, 1)
        assert np.array_equal(packed([first, second]), sent)


def test_a_torn_end_is_left_out_and_told(fifo, caplog):
    with rig(address=f"fifo:{fifo}") as pipe:
        send(fifo, steps(7).tobytes() + b"torn")
        assert sum(message.count for message in pipe.rest()) == 7
        assert pipe.counters["torn_bytes"] == 4
    assert "last 4 bytes are not a whole step" in caplog.text


def test_rows_that_come_bottom_up_are_turned(fifo):
    sent = steps(5)
    upright = sent.reshape(5, 10, 2)[:, ::-1].reshape(5, 20)
    with rig(address=f"fifo:{fifo}", flip=True) as pipe:
        send(fifo, sent.tobytes())
        assert np.array_equal(packed(pipe.rest()), upright)


def test_a_capture_with_head_loses_its_extra_columns(fifo):
    sent = steps(5, step_bytes=40)
    with rig(address=f"fifo:{fifo}", layout="head") as pipe:
        send(fifo, sent.tobytes())
        assert np.array_equal(packed(pipe.rest()), sent.reshape(5, 10, 4)[:, :, :2].reshape(5, 20))


def test_a_sender_that_may_wait_is_kept_waiting_and_loses_nothing(fifo):
    sent = steps(200_000)  # more than a pipe holds
    with rig(address=f"fifo:{fifo}", chunk_steps=100) as pipe:
        writer = send(fifo, sent.tobytes())
        pipe.next()
        writer.join(0.05)
        assert writer.is_alive()
        assert sum(message.count for message in pipe.rest()) == 200_000 - 100
        assert pipe.counters["steps_overrun"] == 0


def test_a_camera_is_never_kept_waiting_and_what_the_buffer_cannot_hold_is_a_gap(fifo, caplog):
    first, second = steps(100_000, seed=1), steps(100, seed=2)
    with rig(address=f"fifo:{fifo}", live=True, buffer_s=0.01, rate_hz=20_000, chunk_steps=100) as pipe:
        writer = threading.Thread(target=lambda: open_pipe.write(first.tobytes()), daemon=True)
        with fifo.open("r+b", buffering=0) as open_pipe:
            writer.start()
            writer.join(PATIENCE_S)  # nobody takes anything, and it comes to its end
            until_read(pipe, 100_000)
            early = [pipe.next(), pipe.next()]
            open_pipe.write(second.tobytes())
            late = pipe.next()
    assert np.array_equal(packed(early), first[:200])
    assert (late.step, late.gap) == (100_000, 99_800)
    assert np.array_equal(late.packed, second[: late.count])
    assert pipe.counters["steps_overrun"] == 99_800
    assert "steps come faster than they are taken" in caplog.text


def until_read(pipe, count):
    pause = threading.Event()
    for _ in range(1000):
        if pipe.node._reader.overrun_steps >= count - 200:
            return
        pause.wait(0.01)
    raise AssertionError("the sender was kept waiting")


def test_a_run_whose_camera_overran_ends_with_status_1():
    status = {"links": [], "nodes": {"camera": {"counters": {"steps_overrun": 1}}}}
    assert exit_status(status, user_error=False, failed=False) == 1


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_node_that_listens_takes_one_sender_after_another_each_an_epoch(kind, free_port, tmp_path):
    where = ("127.0.0.1", free_port) if kind == "tcp" else str(tmp_path / "socket")
    address = f"tcp-listen://127.0.0.1:{free_port}" if kind == "tcp" else f"unix-listen:{where}"
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    messages = []
    with rig(address=address, reconnect=True) as pipe:
        for seed in (1, 2):
            with socket.socket(family) as sender:
                sender.connect(where)
                sender.sendall(steps(10, seed).tobytes() + b"xy")
            taken = 0
            while taken < 10:
                messages.append(pipe.next())
                messages[-1].epoch = pipe.node.context.epoch
                taken += messages[-1].count
        assert pipe.counters["connections"] == 2
        assert np.array_equal(packed(messages), np.concatenate([steps(10, 1), steps(10, 2)]))
        assert [m.epoch for m in messages if m.step in (0, 10)] == [0, 1]
        assert messages[-1].next_step == 20


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_node_that_calls_takes_what_the_sender_has(kind, tmp_path):
    server = socket.create_server(("127.0.0.1", 0)) if kind == "tcp" else socket.socket(socket.AF_UNIX)
    with server:
        if kind == "unix":
            server.bind(str(tmp_path / "socket"))
            server.listen()
        where = server.getsockname()
        address = f"tcp://127.0.0.1:{where[1]}" if kind == "tcp" else f"unix:{where}"
        with rig(address=address) as pipe:
            sender, _ = server.accept()
            sender.sendall(steps(10).tobytes())
            sender.close()
            assert np.array_equal(packed(pipe.rest()), steps(10))


def test_a_sender_that_never_answers_is_told_with_the_remedy(free_port, monkeypatch):
    monkeypatch.setattr("nodes.raw_stream._PATIENCE_S", 0.0)
    with rig(address=f"tcp://127.0.0.1:{free_port}") as pipe, pytest.raises(OptionError, match="is the sender running"):
        pipe.rest()


def test_a_restarted_node_refuses_to_go_on_inside_a_step(fifo):
    with pytest.raises(OptionError, match="inside a step"):
        make_node(RawStream, address=f"fifo:{fifo}", **SIZE, context={"incarnation": 1, "resume_step": 99})


def test_a_restarted_node_numbers_on_where_a_new_connection_begins_with_a_step(tmp_path):
    address = f"unix-listen:{tmp_path / 'socket'}"
    node = make_node(RawStream, WallClock(), address=address, **SIZE, context={"incarnation": 1, "resume_step": 99})
    with socket.socket(socket.AF_UNIX) as sender:
        sender.connect(str(tmp_path / "socket"))
        sender.sendall(steps(1).tobytes())
        while isinstance(made := node.produce(), Wait):
            pass
    node.close()
    assert made.step == 100
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"address": "tcp-listen://0.0.0.0:9000"}, "loopback only"),
        ({"address": "tcp://host"}, "tcp://HOST:PORT"),
        ({"address": "serial:/dev/ttyS0"}, "none of"),
        ({"address": "fifo:/nowhere/pipe"}, "mkfifo"),
        ({"address": "stdin", "reconnect": True}, "ends once"),
        ({"address": "unix:x", "buffer_s": 1.0}, "live: true"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(options, told, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(OptionError, match=told):
        RawStream.check(RawStream.Options(**options))


def test_a_width_that_does_not_fit_the_layout_is_refused():
    with pytest.raises(RecordingError, match="multiple of 8"):
        RawStream.check(RawStream.Options(address="unix:x", layout="head", width=404))


@pytest.mark.parametrize(("live", "policy"), [(True, "drop_oldest"), (False, "block")])
def test_the_option_live_decides_how_links_treat_a_slow_consumer(live, policy):
    nodes = {"raw": {"type": "raw_stream", "address": "unix:x", "live": live}, "null": {"inputs": "raw"}}
    graph = parse_pipeline({"nodes": nodes}, folder=Path(), name="raw").graph
    assert graph.live is live
    assert next(graph.edges()).policy.name == policy


COUNTER = """
from pathlib import Path
import numpy as np
from engine import Sink
from nodes.messages import Spikes

class Counter(Sink):
    accepts = Spikes

    def process(self, spikes, port):
        with Path("seen").open("ab") as file:
            file.write(np.asarray(spikes.packed).tobytes())
"""


def test_a_run_reads_the_standard_input_of_its_command(tmp_path):
    (tmp_path / "counter.py").write_text(COUNTER)
    nodes = {
        "raw": {"type": "raw_stream", "address": "stdin", **SIZE},
        "sink": {"type": "counter:Counter", "inputs": "raw"},
    }
    (tmp_path / "run.yaml").write_text(json.dumps({"nodes": nodes}))
    sent = steps(10_000).tobytes()
    command = [sys.executable, "-m", "tools.cli", "run", "run.yaml", "--quiet"]
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        command, cwd=tmp_path, input=sent, capture_output=True, timeout=60, env=os.environ | {"PYTHONPATH": paths}
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "seen").read_bytes() == sent
