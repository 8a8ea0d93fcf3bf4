"""Pictures computed at their moved places, and the gain that a magnifier has on them."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.magnification import make_magnifier
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 80, 112
ROI = (28, 20, 56, 40)


def _texture(dx, dy=0.0, seed=0):
    """A sum of plane waves of 6.3 to 42 px, moved by dx to the right and dy down."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.15, 1.0, 40), random.uniform(0, np.pi, 40), random.uniform(0, 6.28, 40)
    waves = [
        np.cos(q * (np.cos(a) * (x - dx) + np.sin(a) * (y - dy)) + p) / q
        for q, a, p in zip(k, angle, phase, strict=True)
    ]
    return 0.35 + 0.12 * np.sum(waves, axis=0) / np.sqrt((0.5 / k**2).sum())


def _edge(dx):
    """An upright, slightly slanted erf edge, moved by dx to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return 0.4 + 0.2 * erf((x - dx - WIDTH / 2 + 0.15 * (y - HEIGHT / 2)) / np.sqrt(2))


def _batch(frames, steps=None, gap=0):
    pixels = torch.tensor(np.stack(frames), dtype=torch.float32)
    return FrameBatch(pixels, np.arange(len(pixels)) * HOP if steps is None else steps, gap)


def _magnifier(method="warp", alpha=10.0, mode="band", band=(250.0, 380.0), size=(HEIGHT, WIDTH), **options):
    settings: dict[str, Any] = {"rate_hz": RATE_HZ, "hop": HOP, "front": MapSpec("rate", 1)} | options
    band_hz = band if mode == "band" else None
    return make_magnifier(method, alpha=alpha, mode=mode, band_hz=band_hz, height=size[0], width=size[1], **settings)


def _vibration(amplitude, count=64, hop=HOP):
    steps = np.arange(count) * hop
    return amplitude * np.sin(2 * np.pi * HZ * steps / RATE_HZ + 1.0), steps


def _gain(method, picture, amplitude, alpha, settled=32, count=32, noise=0.0, **options):
    random = np.random.default_rng(1)
    moves, steps = _vibration(amplitude, settled + count)
    frames = [picture(d) + noise * random.standard_normal((HEIGHT, WIDTH)) for d in moves]
    out = _magnifier(method, alpha, **options).push(_batch(frames)).pixels[settled:]
    shown = displacement(out, ROI, reference=picture(0.0))[:, 0]
    across = displacement(_batch([picture(0.1)]).pixels, ROI, reference=picture(0.0))[0, 0] / 0.1
    return fit_sine(shown, steps[settled:], RATE_HZ, HZ).amplitude / amplitude / across


@pytest.fixture(scope="session")
def texture():
    """Paint a texture of 80×112 px, moved by dx and dy."""
    return _texture


@pytest.fixture(scope="session", params=[_texture, _edge], ids=["texture", "edge"])
def picture(request):
    """Paint a texture or an edge, moved by dx."""
    return request.param


@pytest.fixture(scope="session")
def batch():
    """Make a batch of pictures, one every 20 steps."""
    return _batch


@pytest.fixture(scope="session")
def magnifier():
    """Make a magnifier for such a batch."""
    return _magnifier


@pytest.fixture(scope="session")
def vibration():
    """Return displacements at 310 Hz, and their steps."""
    return _vibration


@pytest.fixture(scope="session")
def gain():
    """Return the fitted amplitude of a magnifier's output over the input's, once its filter has settled."""
    return _gain


def _waves(dx, dy, height=72, width=96):
    """A sum of plane waves moved exactly by (dx, dy)."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    k, angle = random.uniform(0.15, 1.0, 40), random.uniform(0.0, np.pi, 40)
    waves = np.cos(
        (k * np.cos(angle))[:, None, None] * (x - dx)
        + (k * np.sin(angle))[:, None, None] * (y - dy)
        + random.uniform(0.0, 6.28, 40)[:, None, None]
    )
    return 0.4 + 0.02 * np.einsum("k,kyx->yx", 1.0 / k, waves) / 2.0


@pytest.fixture
def waves():
    """Return a picture of plane waves moved by (dx, dy)."""
    return _waves
