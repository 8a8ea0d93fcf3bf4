"""One row on a real recording: what can be said of its frames without a truth, in constant memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.rows import RowFigures, RowPictures, RowResult
from spikemm.evaluation.spread import Spread
from spikemm.evaluation.steadiness import FlowMeter
from spikemm.flow import FlowEstimator
from spikemm.metrics import psnr, ssim

__all__ = ["Aim", "RecordingRow", "TruthPicture"]

_BORDER_PX = 8
_SLICE_FRAMES = 400

Picture = NDArray[np.float32]
Region = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class TruthPicture:
    """The true light at one step of a recording.

    Attributes
    ----------
    light : numpy.ndarray
        (H, W) spikes per step.
    step : int
    gain : float
        Spikes per step of the picture's white.
    """

    light: Picture
    step: int
    gain: float


@dataclass(frozen=True, slots=True)
class Aim:
    """Where every row of a recording is looked at.

    Attributes
    ----------
    white : float
        Light that is shown white and becomes 255 for the flow, spikes per step.
    static : tuple of int
        x, y, width, height of the region whose noise is measured.
    line : tuple
        Index of the line of pixels that the x–t slice shows.
    truth : TruthPicture or None
    """

    white: float
    static: Region
    line: tuple[int | slice, int | slice]
    truth: TruthPicture | None = None


class RecordingRow:
    """Measure the frames of one front end as they come.

    Parameters
    ----------
    name : str
        Of the row.
    aim : Aim
    estimator : FlowEstimator
    """

    def __init__(self, name: str, aim: Aim, estimator: FlowEstimator) -> None:
        self._name, self._aim = name, aim
        self._meter = FlowMeter(estimator, aim.white)
        self._static, self._brightness = Spread(), Spread()
        self._psnr_db: float | None = None
        self._ssim: float | None = None
        self._pictures = RowPictures()

    def push(self, frame: Picture, step: int) -> None:
        """Take the next frame (H, W) and the step it is centred on."""
        x, y, width, height = self._aim.static
        self._static.push(frame[y : y + height, x : x + width].astype(np.float64))
        self._brightness.push(float(frame.mean(dtype=float)))
        flow = self._meter.push(frame)
        truth = self._aim.truth
        wanted = flow is not None and self._pictures.flow is None if truth is None else step == truth.step
        if wanted or self._pictures.frame is None:
            self._pictures.frame, self._pictures.flow = frame.copy(), flow
        if truth is not None and step == truth.step:
            self._compare(frame, truth.light)
        if len(self._pictures.lines) < _SLICE_FRAMES:
            self._pictures.lines.append(frame[self._aim.line].copy())

    def result(self, milliseconds: float | None, note: str) -> RowResult:
        """Return what the frames so far amount to."""
        several = self._brightness.count > 1
        figures = RowFigures(
            row=self._name,
            frames=self._brightness.count,
            psnr_db=self._psnr_db,
            ssim=self._ssim,
            flow=self._meter.figures() if self._brightness.count > 2 else None,
            flicker=float(self._brightness.deviation / self._brightness.mean) if several else None,
            noise=self._noise() if several else None,
            milliseconds=milliseconds,
            note=note,
        )
        return RowResult(figures, self._pictures)

    def _compare(self, frame: Picture, light: Picture) -> None:
        inside = np.s_[_BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]
        self._psnr_db = psnr(frame[inside], light[inside], float(light.max()))
        self._ssim = ssim(frame[inside], light[inside], float(light.max()))

    def _noise(self) -> float:
        lit = self._static.mean > 0.0
        return float(np.median(self._static.deviation[lit] / self._static.mean[lit])) if lit.any() else 0.0
