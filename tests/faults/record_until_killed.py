"""Fork a recorder for every line of standard input; each records until it is killed, and says how far it has come.

A line is JSON: ``folder``, ``keep`` (the node's option). The answer is the recorder's process id. In
``folder/progress`` stands how many steps the recorder has counted as recorded.
"""

import itertools
import json
import mmap
import os
import signal
import sys
from pathlib import Path

import foxglove  # noqa: F401 - once, before the first fork
import numpy as np

from engine.clocks import WallClock
from engine.testing import make_node
from nodes.messages import Event, Frames, Spikes
from nodes.record import Record

HEIGHT, WIDTH, RATE, CHUNK = 32, 40, 20_000, 40
_ALARM_AT = 4000


def packed(start: int, stop: int) -> np.ndarray:
    """Return the steps that a recorder is fed with, each telling its number."""
    steps = np.arange(start, stop, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return np.tile(steps, HEIGHT * WIDTH // 64)


def _record(folder: Path, keep: object) -> None:
    node = make_node(Record, WallClock(), path=str(folder / "kept"), keep=keep, keep_free_gb=0, file_gb=0.001)
    with (folder / "progress").open("w+b") as file:
        file.truncate(8)
        progress = mmap.mmap(file.fileno(), 8)
    for step in itertools.count(0, CHUNK):
        at = {"step": step, "rate_hz": RATE, "source_time": 1.7e9 + step / RATE, "stream": "camera"}
        node.process(Spikes(**at, count=CHUNK, packed=packed(step, step + CHUNK), height=HEIGHT, width=WIDTH), "spikes")
        if step % 400 == 0:
            node.process(Frames(**at, pixels=np.full((1, HEIGHT, WIDTH), 0.5, np.float32)), "frames")
        if step == _ALARM_AT:
            node.process(Event(**at, name="shaft", details={"state": "raised"}), "events")
        while node.status()["queued_mb"] > 1:  # a camera is no faster than the disk, or there would be nothing to test
            os.sched_yield()
        progress[:8] = int(node.context.counters["steps_recorded"]).to_bytes(8, "little")


def main() -> None:
    """Serve."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _record(Path(order["folder"]), order["keep"])
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
