"""What a frame of a front end takes, from packed spikes on."""

from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import Calibration
from spikemm.encoding import Encoder
from spikemm.evaluation.rows import Maker
from spikemm.front import FrontSpec

__all__ = ["TIMED_FRAMES", "frame_milliseconds"]

TIMED_FRAMES = 9


def frame_milliseconds(
    row: FrontSpec,
    packed: NDArray[np.uint8],
    size: tuple[int, int],
    hop: int,
    make: Maker,
    calibration: Calibration | None = None,
) -> float:
    """Encode and reconstruct a short stream frame by frame, and return the median time of a frame in ms.

    Parameters
    ----------
    row : FrontSpec
    packed : numpy.ndarray
        (n, ⌈H·W/8⌉) uint8, long enough for the front end's windows and `TIMED_FRAMES` hops behind them.
    size : tuple of int
        Height and width.
    hop : int
        Steps from frame to frame.
    make : callable
        Makes the front end.
    calibration : Calibration, optional
        What the encoder corrects.
    """
    encoder = Encoder(*size, list(row.maps), hop, calibration=calibration)
    stage = make(row)
    times, step = [], 0
    while step < len(packed):
        started = perf_counter()
        windows = encoder.push(packed[step : step + hop], step)
        stage.push(windows)
        if windows:
            times.append(perf_counter() - started)
        step += hop
    return 1000.0 * median(times[-TIMED_FRAMES:])
