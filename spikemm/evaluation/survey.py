"""A first look at a recording: how bright it is, where nothing moves, where most does."""

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import Calibration
from spikemm.encoding import Encoder
from spikemm.evaluation.recording_row import Aim, Region, TruthPicture
from spikemm.evaluation.spread import Spread
from spikemm.exceptions import OptionError, RecordingError
from spikemm.maps import MapSpec
from spikemm.recording import Recording

__all__ = ["scaled_truth", "survey"]

_LOOK = MapSpec("interval", 16)
_STEPS = 4000
_BLOCK_PX = 32
_WHITE_QUANTILE, _HEADROOM = 0.999, 1.2
_DARK, _SATURATED = 0.02, 0.9


def survey(
    recording: Recording,
    static: Region | None = None,
    truth: TruthPicture | None = None,
    calibration: Calibration | None = None,
) -> Aim:
    """Look at the first 4,000 steps and decide where to measure.

    Parameters
    ----------
    recording : Recording
    static : tuple of int, optional
        x, y, width, height of a region where nothing moves. By default the quietest block of 32×32 px that is neither
        dark (below 0.02 spikes per step) nor saturated (above 0.9).
    truth : TruthPicture, optional
        Passed on.
    calibration : Calibration, optional
        Of the camera.

    Raises
    ------
    RecordingError
        The recording holds no window of 16 steps.
    OptionError
        The static region is not inside the picture.
    """
    light = _light(recording, calibration)
    mean, deviation = light.mean, light.deviation
    if static is None:
        static = _quietest(mean, deviation)
    x, y, width, height = static
    if min(width, height) < 1 or min(x, y) < 0 or x + width > recording.width or y + height > recording.height:
        raise OptionError(
            f"static region {x} {y} {width} {height} is not inside the picture of {recording.width}×{recording.height} "
            "px: give x, y, width and height in px"
        )
    white = float(np.quantile(mean, _WHITE_QUANTILE)) * _HEADROOM
    return Aim(white or 1.0, static, _liveliest(deviation), truth)


def scaled_truth(
    recording: Recording,
    picture: NDArray[np.floating],
    step: int,
    gain: float | None = None,
    calibration: Calibration | None = None,
) -> TruthPicture:
    """Bring a true picture to spikes per step.

    Parameters
    ----------
    recording : Recording
    picture : numpy.ndarray
        (H, W) linear grey from 0, black, to 1, white.
    step : int
        The step it shows.
    gain : float, optional
        Spikes per step of white. By default fitted by least squares, once for all rows, to the ``interval`` map of 16
        steps around that step: the scale of a simulation is seldom written down.

    Raises
    ------
    OptionError
        The picture has another size, or the recording has no window of 16 steps around that step.
    """
    if picture.shape != (recording.height, recording.width):
        raise OptionError(
            f"the truth is {picture.shape[0]}×{picture.shape[1]} px and the recording {recording.height}×"
            f"{recording.width}: give a picture of the recording's size"
        )
    if gain is None:
        start, stop = step - _LOOK.before, step + _LOOK.after
        if start < 0 or stop > recording.steps:
            raise OptionError(
                f"step {step} of the truth: {_LOOK.before} steps before it and {_LOOK.after} from it on are needed, "
                f"and the recording has steps 0 to {recording.steps - 1}; give another step"
            )
        encoder = Encoder(recording.height, recording.width, [_LOOK], step, calibration=calibration)
        (window,) = encoder.push(recording.packed(start, stop), start)
        seen = window.maps[str(_LOOK)].astype(np.float64)
        gain = float((seen * picture).sum() / (picture.astype(np.float64) ** 2).sum())
    return TruthPicture((picture * gain).astype(np.float32), step, gain)


def _light(recording: Recording, calibration: Calibration | None) -> Spread:
    encoder = Encoder(recording.height, recording.width, [_LOOK], _LOOK.window, calibration=calibration)
    light, step, stop = Spread(), 0, min(recording.steps, _STEPS)
    while step < stop:
        packed = recording.packed(step, min(step + 8 * _LOOK.window, stop))
        for window in encoder.push(packed, step):
            light.push(window.maps[str(_LOOK)].astype(np.float64))
        step += len(packed)
    for window in encoder.flush():
        light.push(window.maps[str(_LOOK)].astype(np.float64))
    if not light.count:
        raise RecordingError(
            f"{recording.path}: {recording.steps} steps hold no window of {_LOOK.window} steps; take a longer recording"
        )
    return light


def _quietest(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Region:
    """Return the block whose median pixel varies least, relative to its light."""
    relative = np.where((mean > _DARK) & (mean < _SATURATED), deviation / np.maximum(mean, _DARK), np.inf)
    side = min(_BLOCK_PX, *mean.shape)
    height, width = mean.shape
    places = [(x, y) for y in range(0, height - side + 1, side // 2) for x in range(0, width - side + 1, side // 2)]
    x, y = min(places, key=lambda at: float(np.median(relative[at[1] : at[1] + side, at[0] : at[0] + side])))
    return x, y, side, side


def _liveliest(deviation: NDArray[np.float64]) -> tuple[int | slice, int | slice]:
    """Return the row or the column along which the light varies most over time."""
    rows, columns = deviation.mean(axis=1), deviation.mean(axis=0)
    if rows.max() >= columns.max():
        return int(rows.argmax()), slice(None)
    return slice(None), int(columns.argmax())
