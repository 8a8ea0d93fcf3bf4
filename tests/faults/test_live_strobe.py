"""A live camera, a measurement, and the strobe that it steers, in processes of their own."""

import numpy as np
import pytest

from spikemm.metrics import displacement
from spikemm.simulator import make_scene

RATE, HZ, SIZE = 5_000.0, 197.0, {"height": 64, "width": 96}
FRAMES, PATIENCE_S = 36, 60.0


def fitted_hz(seconds, along):
    """Frequency of the sine that explains the displacement best."""

    def left(hz):
        wave = np.stack([np.cos(x := 2 * np.pi * hz * seconds), np.sin(x), np.ones_like(x)], axis=1)
        return np.linalg.norm(along - wave @ np.linalg.lstsq(wave, along, rcond=None)[0])

    return min(np.arange(0.5, 2.0, 0.002), key=left)


def test_a_vibration_of_unknown_frequency_appears_at_one_hertz_once_it_has_been_measured(zoo, until, tmp_path):
    x, y, wide, high = make_scene("short-ruler", **SIZE).motions[0].region
    roi, path = [x - 1, y - 4, wide + 2, high + 8], tmp_path / "shown.npz"
    camera = {"type": "synthetic_camera", "scene": "short-ruler", "frequency_hz": HZ, "rate_hz": RATE, **SIZE}
    run = zoo(
        {
            "camera": camera | {"chunk_steps": 100},
            "fast": {"type": "encode", "inputs": "camera", "hop": 8, "region": [48, 16, 40, 36]},
            "light": {"type": "reconstruct", "inputs": "fast", "window": 4},
            "measure": {"inputs": "light", "regions": {"ruler": {"roi": roi}}, "map": None, "steers": "strobe"},
            "readings": {"type": "null", "inputs": "measure"},
            "strobe": {"type": "encode", "inputs": "camera", "hop": 300, "emit": {"strobe": {"frequency": "auto"}}},
            "picture": {"type": "reconstruct", "inputs": "strobe", "window": 4},
            "frames": {"inputs": "picture", "path": str(path), "policy": "block"},
        },
        chain=[["fast", "light", "measure"]],
    ).start()
    run.until_running()
    status = until(lambda: (held := run.node("strobe"))["status"]["strobe"] == "locked" and held, PATIENCE_S)
    locked = status["emitted"]
    until(lambda: run.node("frames")["processed"] > locked + FRAMES, PATIENCE_S)
    summary = run.stop()
    assert summary["nodes"]["strobe"]["status"]["strobe_hz"] == pytest.approx(HZ, abs=0.03)
    with np.load(path) as held:
        frames, steps = held["frames"][locked + 1 :], held["steps"][locked + 1 :]
    along = displacement(frames, tuple(roi), reference=frames.mean(0))[:, 1]
    assert fitted_hz(steps / RATE, along) == pytest.approx(1.0, abs=0.05)
