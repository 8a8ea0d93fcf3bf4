"""A recorder in a folder of its own, the messages of a camera of 6×8 px at 1 kHz, and what is found on the disk."""

import contextlib
import time

import numpy as np
import pytest
from mcap.reader import make_reader

from engine.clocks import ManualClock
from engine.testing import make_node
from nodes.messages import Event, Frames, Reading, Spikes
from nodes.record import Record
from spikemm.recording import Recording
from spikemm.session import Description


class Rig:
    """The recorder under test."""

    HEIGHT, WIDTH, RATE, CHUNK = 6, 8, 1000, 80
    PACKED = np.random.default_rng(0).integers(0, 256, (20_000, HEIGHT * WIDTH // 8), np.uint8)
    START = 1.7e9

    def __init__(self, folder):
        self.folder = folder / "kept"

    def recorder(self, clock=None, **options):
        return make_node(Record, clock or ManualClock(), path=str(self.folder), keep_free_gb=0, **options)

    def envelope(self, step, *, epoch=0, rate_hz=RATE):
        at = {"step": step, "rate_hz": rate_hz, "epoch": epoch}
        return {**at, "source_time": self.START + step / self.RATE, "stream": "camera"}

    def spikes(self, step, count=CHUNK, *, epoch=0, **facts):
        size = {"height": self.HEIGHT, "width": self.WIDTH, **facts}
        return Spikes(**self.envelope(step, epoch=epoch), count=count, packed=self.PACKED[step : step + count], **size)

    def feed(self, node, start, stop, **facts):
        for step in range(start, stop, self.CHUNK):
            node.process(self.spikes(step, min(self.CHUNK, stop - step), **facts), "spikes")

    def alarm(self, step=0, state="raised", **facts):
        details = {"state": state, "severity": "alarm", "text": "the shaft shakes", "value": 0.4}
        return Event(**self.envelope(step, **facts), name="shaft", details=details)

    def frames(self, step, **facts):
        pixels = np.full((2, self.HEIGHT, self.WIDTH), 0.5, np.float32)
        window = {"front": "interval:32", "window_steps": 32.0}
        return Frames(**self.envelope(step, **facts), count=2, hop=20, pixels=pixels, **window)

    def reading(self, step, **facts):
        x = {"rms_px": 0.1, "peaks": [{"hz": 310.0, "px": 0.25}]}
        arrays = {"waveform": np.float32([[0.1, 0.2], [0.3, 0.4]])}
        return Reading(
            **self.envelope(step, **facts), name="shaft", values={"roi": [0, 0, 4, 4], "x": x}, arrays=arrays
        )

    def finish(self, node):
        with contextlib.closing(node):
            node.flush()

    def until(self, holds, node, seconds=10.0):
        """Wait for the writing thread."""
        end = time.monotonic() + seconds
        while not holds():
            node.status()
            assert time.monotonic() < end

    def sessions(self):
        return sorted(self.folder.iterdir())

    def session(self):
        (session,) = self.sessions()
        return session

    def told(self, session=None):
        return Description.load(session or self.session())

    def steps(self, session=None):
        """Return the sensor steps of a session, each having been compared with what was sent."""
        recording, first, steps = Recording(session or self.session()), self.told(session).first_step, []
        for piece in recording.timeline.pieces(1000):
            step = first + recording.timeline.step_at(piece.start)
            assert np.array_equal(recording.packed(piece.start, piece.stop), self.PACKED[step : step + len(piece)])
            steps += range(step, step + len(piece))
        return steps

    def entries(self, session=None):
        """Return what the format's own reader finds: (topic, seconds after step 0, schema, bytes)."""
        found = []
        for path in sorted((session or self.session()).glob("*.mcap")):
            with path.open("rb") as file:
                for schema, channel, message in make_reader(file).iter_messages():
                    found.append((channel.topic, message.log_time / 1e9 - self.START, schema.name, message.data))
        return found


@pytest.fixture
def rig(tmp_path):
    """A recorder in a folder of its own."""
    return Rig(tmp_path)
