"""A camera behind the SDK's C interface, played by a shared library that is compiled here."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from engine import Wait
from engine.testing import make_node
from nodes.spikelink import SpikeLink
from spikemm.exceptions import OptionError

CUSUM = 50
CAMERA = {"height": 16, "width": 32, "flip": False, "cusum": CUSUM}
PATIENCE_S = 20


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: the stand-in for the SDK cannot be made")
    path = tmp_path_factory.mktemp("sdk") / "libspikelink.so"
    source = Path(__file__).with_name("spikelink_standin.c")
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-pthread", source, "-o", path], check=True)
    return path


def block(number):
    """What the camera sends as its block of that number."""
    j = np.arange(CUSUM * 64)
    return ((31 * number + 7 * j + j // 256) % 256).astype(np.uint8).reshape(CUSUM, 64)


class CameraClock:
    """The time of a camera that does not wait for time to pass."""

    def __init__(self, library):
        self._now_ns = ctypes.c_int64.in_dll(ctypes.CDLL(str(library)), "standin_now_ns")

    def now(self):
        return self._now_ns.value / 1e9

    wall = now


class Rig:
    """A node with a camera, whose thread wakes the test."""

    def __init__(self, library, orders, folder, context=None, **options):
        self.woken = threading.Semaphore(0)
        self._report = folder / "report"
        path = f"virtual=1,report={self._report}," + orders
        options = {"library": str(library), "device_path": path, **CAMERA, "buffer_s": 10.0, **options}
        context = {"wake": self.woken.release, **(context or {})}
        self.node = make_node(SpikeLink, CameraClock(library), **options, context=context)

    def until_silent(self):
        """Return everything up to the moment at which the camera falls silent."""
        messages = []
        with pytest.raises(ConnectionError, match="no block for 1 s"):
            while True:
                made = self.node.produce()
                if isinstance(made, Wait):
                    self.woken.acquire(timeout=0.05)
                else:
                    messages.append(made)
        return messages

    def report(self):
        """Close the camera; return what became of its buffers."""
        self.node.close()
        names = ("sent", "released late", "released twice", "never released", "without a free buffer")
        return dict(zip(names, map(int, self._report.read_text().split()), strict=True))

    @property
    def counters(self):
        return self.node.context.counters


@pytest.fixture
def rig(library, tmp_path):
    rigs = []

    def make(orders, **options):
        rigs.append(Rig(library, orders, tmp_path, **options))
        return rigs[-1]

    yield make
    for made in rigs:
        made.node.close()


def assert_true_to_the_camera(messages):
    """Every block has the number that the camera gave it, so that gaps are where the SDK dropped something."""
    for message in messages:
        message.validate()
        assert np.array_equal(message.packed, block(message.step // CUSUM))
    gaps = [later.step - earlier.next_step for earlier, later in pairwise(messages)]
    assert [message.gap for message in messages[1:]] == gaps


def test_blocks_arrive_as_sent_and_every_buffer_is_released_at_once(rig):
    camera = rig("blocks=20")
    messages = camera.until_silent()
    assert [message.step for message in messages] == list(range(0, 20 * CUSUM, CUSUM))
    assert_true_to_the_camera(messages)
    assert camera.counters["steps"] == 20 * CUSUM
    assert camera.counters["steps_lost"] == camera.counters["steps_overrun"] == 0
    assert camera.report() == {
        "sent": 20,
        "released late": 0,
        "released twice": 0,
        "never released": 0,
        "without a free buffer": 0,
    }


def test_what_the_sdk_drops_without_a_word_becomes_a_gap_where_it_was(rig, caplog):
    camera = rig("blocks=2000,drop=300:1,drop=1100:3")
    messages = camera.until_silent()
    assert_true_to_the_camera(messages)
    assert {message.step // CUSUM: message.gap // CUSUM for message in messages if message.gap} == {301: 1, 1103: 3}
    assert camera.counters["steps_lost"] == 4 * CUSUM
    assert "the SDK dropped 3 blocks before step 55150" in caplog.text


def test_blocks_that_come_late_all_at_once_are_not_missing(rig):
    camera = rig("blocks=400,stall=100:150")
    messages = camera.until_silent()
    assert len(messages) == 400
    assert_true_to_the_camera(messages)
    assert camera.counters["steps_lost"] == 0


def test_rows_that_come_bottom_up_are_turned(rig):
    (message,) = rig("blocks=1", flip=True).until_silent()
    assert np.array_equal(message.packed.reshape(CUSUM, 16, 4), block(0).reshape(CUSUM, 16, 4)[:, ::-1])


def test_what_does_not_fit_into_the_ring_is_a_gap_and_its_buffers_are_released_too(rig):
    camera = rig("blocks=20", buffer_s=0.0125)
    for _ in range(20):
        assert camera.woken.acquire(timeout=PATIENCE_S)  # the node takes nothing while the camera sends
    messages = camera.until_silent()
    assert [message.step // CUSUM for message in messages] == [0, 1, 2, 3, 4]
    assert_true_to_the_camera(messages)
    assert camera.counters["steps_overrun"] == 15 * CUSUM
    assert camera.report()["without a free buffer"] == camera.report()["never released"] == 0


@pytest.mark.parametrize("function", ["Init", "Open", "Start"])
def test_what_the_sdk_refuses_is_told_with_its_code(rig, function):
    with pytest.raises(OptionError, match=f"{function} failed with code -7: is the camera on"):
        rig(f"fail={function}")


def test_a_restarted_node_waits_for_its_camera_instead_of_giving_up(rig, monkeypatch):
    camera = rig("fail=Open", context={"incarnation": 1})
    assert isinstance(camera.node.produce(), Wait)
    monkeypatch.setattr("nodes.spikelink._RETRY_S", -1.0)
    with pytest.raises(ConnectionError, match="Open failed"):
        camera.node.produce()


def test_a_camera_that_sends_nothing_is_told_with_the_remedy(rig, monkeypatch):
    monkeypatch.setattr("nodes.spikelink._FIRST_BLOCK_S", -1.0)
    with pytest.raises(OptionError, match="no block came within -1 s: check device_path"):
        rig("blocks=0").node.produce()


def test_blocks_of_another_size_are_told_with_both_sizes(rig):
    camera = rig("blocks=1,size=4800")
    assert camera.woken.acquire(timeout=PATIENCE_S)
    with pytest.raises(OptionError, match="blocks of 4800 bytes; cusum, height, width and layout make 3200"):
        camera.node.produce()
    assert camera.report()["never released"] == 0


def test_functions_may_have_other_names(rig):
    rig("blocks=1", symbols={"open": "Close"})
    with pytest.raises(OptionError, match=r"has no function Unlock: name its own under symbols: \{open: NAME\}"):
        rig("blocks=1", symbols={"open": "Unlock"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"library": "/nowhere/libspikelink.so"}, "no such file"),
        ({"device": "file", "device_path": "/nowhere/fork.dat"}, "no such file"),
        ({"symbols": {"opne": "Open"}}, "'opne' is none of create, init"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(options, told):
    options = {"library": __file__, "device_path": "libhda100.so", **options}
    with pytest.raises(OptionError, match=told):
        SpikeLink.check(SpikeLink.Options(**options))


def test_a_file_that_is_no_library_is_told(tmp_path):
    path = tmp_path / "lib.so"
    path.write_text("no library")
    with pytest.raises(OptionError, match="cannot be loaded"):
        make_node(SpikeLink, library=str(path), device_path="x", **CAMERA)


WITNESS = """
from pathlib import Path
from engine import Sink
from nodes.messages import Spikes

class Witness(Sink):
    accepts = Spikes

    def process(self, spikes, port):
        with Path("seen").open("a") as file:
            print(spikes.epoch, spikes.step, spikes.gap, spikes.packed[0, 0], file=file)
"""


SLOW = {"rate_hz": 1000.0, "silence_s": 0.5}
"""A block every 50 ms: a busy machine may be 25 ms late."""


def run(folder, library, orders, seconds):
    """Run the command with a camera; return its status, its summary and what the sink saw of each block."""
    nodes = {
        "camera": {"type": "spikelink", "library": str(library), "device_path": orders, **CAMERA, **SLOW},
        "witness": {"type": "witness:Witness", "inputs": "camera", "policy": "block"},
    }
    (folder / "witness.py").write_text(WITNESS)
    (folder / "run.yaml").write_text(json.dumps({"nodes": nodes}))
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "tools.cli", "run", "run.yaml", "--quiet", "--summary", "summary.json"]
    environment = os.environ | {"PYTHONPATH": paths}
    ended = subprocess.run([*command, "--seconds", str(seconds)], cwd=folder, timeout=100, env=environment)
    seen = [tuple(map(int, line.split())) for line in (folder / "seen").read_text().splitlines()]
    return ended.returncode, json.loads((folder / "summary.json").read_text()), seen


def test_a_camera_that_is_unplugged_comes_back_behind_a_new_epoch(tmp_path, library):
    report = tmp_path / "report"
    status, summary, seen = run(tmp_path, library, f"blocks=30,drop=10:2,report={report}", 4.5)
    camera = summary["nodes"]["camera"]
    assert (camera["restarts"] > 0, camera["failure"], status) == (True, "exception", 0)
    assert any("no block for 0.5 s: the camera is off" in problem for problem in summary["problems"])
    first = [line for line in seen if line[0] == 0]
    second = [line for line in seen if line[0] == 1 << 20]
    assert len(first) == 28
    assert all(byte == 31 * (step // CUSUM) % 256 for _, step, _, byte in first)
    assert [(step // CUSUM, gap // CUSUM) for _, step, gap, _ in first if gap] == [(12, 2)]
    assert [step // CUSUM for _, step, _, _ in second][:3] == [30, 31, 32]
    assert "steps_overrun" not in camera["counters"]
    assert camera["counters"]["steps_lost"] % (2 * CUSUM) == 0
    sent, *wrong = map(int, report.read_text().split())
    assert sent > 0
    assert wrong == [0, 0, 0, 0]
