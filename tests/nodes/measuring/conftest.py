"""A vibrating scene for `measure`, and what drives the node."""

import msgspec
import numpy as np
import pytest

from engine.testing import make_node
from nodes.measure import Measure
from nodes.messages import Frames
from spikemm.exceptions import OptionError

RATE, HOP, HZ = 20_000.0, 20, 83.7
HEIGHT, WIDTH = 48, 96
BOTH = {"left": {"roi": [4, 4, 36, 36]}, "right": {"roi": [52, 4, 36, 36]}}


def _textures(dx):
    """Plane waves moved to the right by each of the displacements, in px."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, : WIDTH // 2]
    k, angle, phase = random.uniform(0.3, 1.0, 16), random.uniform(0, np.pi, 16), random.uniform(0, 6.28, 16)
    along, down = k * np.cos(angle), k * np.sin(angle)
    still = np.exp(1j * (along[:, None, None] * x + down[:, None, None] * y + phase[:, None, None])).reshape(16, -1)
    moved = np.exp(-1j * np.outer(dx, along)) @ still
    return (0.35 + 0.05 * moved.real / np.sqrt(8)).reshape(-1, HEIGHT, WIDTH // 2)


def _frames(first, count, hz=HZ, hop=HOP, px=0.2, **envelope):
    """The left half vibrates; the right half does in antiphase, half as far."""
    steps = first + np.arange(count) * hop
    move = px * np.sin(2 * np.pi * hz * steps / RATE)
    pixels = np.concatenate((_textures(move), _textures(-0.5 * move)), axis=2)
    pixels += 0.003 * np.random.default_rng(first).standard_normal(pixels.shape)
    envelope = {"rate_hz": RATE, "front": "rate:1"} | envelope
    return Frames(step=first, count=count, hop=hop, pixels=pixels.astype(np.float32), **envelope)


def _stream(count, size=50, first=0, **options):
    return [_frames(first + at * HOP, min(size, count - at), **options) for at in range(0, count, size)]


def _node(clock=None, live=False, **options):
    options = {"regions": BOTH, "map": None, "seconds": 0.4, "every_s": 0.1} | options
    return make_node(Measure, clock, context={"live": live}, **options)


def _change(stage, **options):
    """Change live options as the engine does, and put them back where they are refused."""
    before = stage.options
    stage.options = msgspec.convert({**msgspec.to_builtins(before), **options}, Measure.Options)
    try:
        stage.reconfigure(frozenset(options))
    except OptionError:
        stage.options = before
        stage.reconfigure(frozenset(options))
        raise


@pytest.fixture(scope="session")
def frames():
    """Make a message of frames."""
    return _frames


@pytest.fixture(scope="session")
def stream():
    """Make messages of so many frames in all."""
    return _stream


@pytest.fixture(scope="session")
def node():
    """Make the node, watching both halves."""
    return _node


@pytest.fixture(scope="session")
def change():
    """Change live options of a node."""
    return _change
