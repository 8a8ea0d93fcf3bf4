"""A calibration of the simulated sensor, as one makes it of a real one: from a dark and a flat recording."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from spikemm.calibration import Calibration
from spikemm.flat_field import from_dark_and_flat
from spikemm.recording import Recording
from spikemm.simulator import Sensor, Simulator, make_scene, write_recording

__all__ = ["calibrate_simulated"]

_STEPS = 8000


def calibrate_simulated(sensor: Sensor, height: int, width: int, rate_hz: float, seed: int) -> Calibration:
    """Record a sensor in darkness and in front of an even surface, 8,000 steps each, and calibrate it.

    Parameters
    ----------
    sensor : Sensor
        The flat is recorded at the full light of the scene ``flat``, whatever the sensor's.
    height, width : int
        Pixels.
    rate_hz : float
        Steps per second.
    seed : int
        The same gives the same pixels.
    """
    scene = make_scene("flat", height=height, width=width)
    with TemporaryDirectory(prefix="spikemm-") as folder:
        dark = Simulator(scene, replace(sensor, light=0.0), rate_hz=rate_hz, seed=seed)
        flat = Simulator(scene, replace(sensor, light=1.0), rate_hz=rate_hz, seed=seed)
        return from_dark_and_flat(_record(Path(folder) / "dark.dat", dark), _record(Path(folder) / "flat.dat", flat))


def _record(path: Path, camera: Simulator) -> Recording:
    write_recording(path, camera, _STEPS / camera.rate_hz)
    return Recording(path)
