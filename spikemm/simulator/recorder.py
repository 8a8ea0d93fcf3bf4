"""A simulated recording on disk, as a camera would have left it, with the truth beside it."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import yaml
from numpy.typing import NDArray

from spikemm.exceptions import OptionError, RecordingError
from spikemm.packing import packed_bytes
from spikemm.simulator.camera import Simulator
from spikemm.whole_file import whole_file

__all__ = ["truth", "write_recording"]

_CHUNK_STEPS = 400


def truth(simulator: Simulator, steps: int) -> dict[str, Any]:
    """Return what OUT.truth.json says of a recording of `steps` steps."""
    scene = simulator.scene
    motions = [
        {
            "region": list(motion.region),
            "hz": motion.hz,
            "px": motion.px,
            "angle_deg": motion.angle_deg,
            "phase_deg": motion.phase_deg,
        }
        for motion in scene.motions
    ]
    return {
        "scene": scene.name,
        "seconds": steps / simulator.rate_hz,
        "rate_hz": simulator.rate_hz,
        "height": scene.height,
        "width": scene.width,
        "motions": motions,
    }


def write_recording(
    path: str | Path,
    simulator: Simulator,
    seconds: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write OUT.dat, OUT.yaml and OUT.truth.json.

    The rows are stored bottom-up as cameras do, and the sidecar says so (``flip: true``). All three take their names
    only when they are whole; if the writing is interrupted, nothing is left, and nothing old is touched.

    Parameters
    ----------
    path : path
        OUT.dat.
    simulator : Simulator
        At step 0, or the phases in the truth would not be those of the recording.
    seconds : float
        Length in sensor time; rounded to whole steps.
    on_progress : callable, optional
        Called with the steps written and the steps in all.

    Raises
    ------
    OptionError
        If the path does not end in .dat, the length is below one step or more than the disk has room for, or the
        simulator has run already.
    RecordingError
        If a file cannot be written.
    """
    target = Path(path)
    if not math.isfinite(seconds):
        raise OptionError(f"length is {seconds} s; it must be a finite number of seconds")
    steps = round(seconds * simulator.rate_hz)
    if target.suffix != ".dat":
        raise OptionError(f"a recording's name ends in .dat; got {target.name!r}")
    if steps < 1:
        raise OptionError(f"length is {seconds} s; it must be at least one step, {1 / simulator.rate_hz:g} s")
    if simulator.step:
        raise OptionError(f"the simulator is at step {simulator.step}; make a new one for a recording")
    try:
        _check_room(target, simulator, steps)
        # The recording last: where it is, both sidecars are there.
        with (
            whole_file(target) as spikes,
            whole_file(target.with_suffix(".yaml")) as sidecar,
            whole_file(target.with_suffix(".truth.json")) as told,
        ):
            with spikes.open("wb") as file:
                _write_steps(file, simulator, steps, on_progress)
            sidecar.write_text(yaml.safe_dump(_sidecar(simulator), sort_keys=False), encoding="utf-8")
            told.write_text(json.dumps(truth(simulator, steps), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror}; choose another place") from error


def _check_room(target: Path, simulator: Simulator, steps: int) -> None:
    needed = steps * packed_bytes(simulator.scene.height, simulator.scene.width)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise OptionError(
            f"{target}: {steps / simulator.rate_hz:g} s take {needed / 1e9:.3g} GB and the disk has "
            f"{free / 1e9:.3g} GB left; make it shorter, or choose another place"
        )


def _write_steps(
    file: BinaryIO, simulator: Simulator, steps: int, on_progress: Callable[[int, int], None] | None
) -> None:
    while simulator.step < steps:
        packed = simulator.steps(min(_CHUNK_STEPS, steps - simulator.step))
        file.write(_bottom_up(packed, simulator.scene.height, simulator.scene.width).data)
        if on_progress is not None:
            on_progress(simulator.step, steps)


def _bottom_up(packed: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    if width % 8 == 0:
        return np.ascontiguousarray(packed.reshape(-1, height, width // 8)[:, ::-1])
    bits = np.unpackbits(packed, axis=1, count=height * width, bitorder="little")
    flipped = bits.reshape(-1, height, width)[:, ::-1].reshape(-1, height * width)
    return np.packbits(flipped, axis=1, bitorder="little")


def _sidecar(simulator: Simulator) -> dict[str, Any]:
    scene = simulator.scene
    return {"spike_h": scene.height, "spike_w": scene.width, "rate_hz": simulator.rate_hz, "flip": True}
