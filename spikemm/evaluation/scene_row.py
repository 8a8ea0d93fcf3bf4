"""One row against truth: everything that is measured on the frames of a simulated scene, in constant memory."""

import math

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.rows import RowFigures, RowPictures, RowResult
from spikemm.evaluation.spread import Spread
from spikemm.evaluation.steadiness import FlowMeter
from spikemm.evaluation.truth import SceneTruth
from spikemm.flow import FlowEstimator
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine, psnr, ssim_map
from spikemm.response import KEPT
from spikemm.simulator import Motion

__all__ = ["BORDER_PX", "SceneRow"]

BORDER_PX = 8
_MARGIN_PX = 8
_SSIM_EVERY = 20
_SLICE_FRAMES, _SLICE_REACH_PX = 64, 8

Picture = NDArray[np.float32]


class SceneRow:
    """Compare frames of one front end with the truth as they come.

    Only a few numbers are kept of each frame: its displacements, from which the amplitude is fitted in the end, and,
    of the first frames, one line of pixels.

    Parameters
    ----------
    name : str
        Of the row.
    truth : SceneTruth
    estimator : FlowEstimator, optional
        Without it neither flow nor SSIM is computed, which take most of the time.
    show_step : int
        The first frame from this step on is kept, with the flow that led to it.
    """

    def __init__(self, name: str, truth: SceneTruth, estimator: FlowEstimator | None, show_step: int) -> None:
        self._name, self._truth, self._show_step = name, truth, show_step
        self._meter = None if estimator is None else FlowMeter(estimator, truth.peak)
        self._psnr, self._psnr_moving, self._ssim, self._ssim_moving, self._brightness = (Spread() for _ in range(5))
        self._inside = np.s_[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
        self._regions = [_region(motion) for motion in truth.scene.motions]
        self._line = _line(truth)
        self._steps: list[int] = []
        self._moves: list[list[float]] = []
        self._pictures = RowPictures()

    def push(self, frame: Picture, step: int, true: Picture) -> None:
        """Take the next frame (H, W), the step it is centred on, and the truth of that step."""
        self._steps.append(step)
        self._moves.append([self._move(frame, motion) for motion in self._truth.scene.motions])
        self._brightness.push(float(frame.mean(dtype=float) - true.mean(dtype=float)))
        if frame is not true:
            self._compare(frame, true)
        field = self._meter.push(frame) if self._meter is not None else None
        if self._pictures.frame is None and step >= self._show_step:
            self._pictures.frame, self._pictures.flow = frame.copy(), field
        if len(self._pictures.lines) < _SLICE_FRAMES:
            self._pictures.lines.append(frame[self._line].copy())

    def result(self, timing: MapSpec | None, milliseconds: float | None) -> RowResult:
        """Return what the frames so far amount to.

        Parameters
        ----------
        timing : MapSpec, optional
            The map by which the front end's response is known; None for the truth, which keeps everything.
        milliseconds : float, optional
            What a frame takes.
        """
        response, kept, corrected = self._amplitude(timing)
        figures = RowFigures(
            row=self._name,
            frames=len(self._steps),
            psnr_db=_mean(self._psnr),
            psnr_moving_db=_mean(self._psnr_moving),
            ssim=_mean(self._ssim),
            ssim_moving=_mean(self._ssim_moving),
            kept=kept,
            response=response,
            kept_corrected=corrected,
            flow=self._meter.figures() if self._meter is not None else None,
            flicker=float(self._brightness.deviation) / float(self._truth.rest.mean()),
            milliseconds=milliseconds,
        )
        return RowResult(figures, self._pictures)

    def _compare(self, frame: Picture, true: Picture) -> None:
        peak = self._truth.peak
        self._psnr.push(psnr(frame[self._inside], true[self._inside], peak))
        self._psnr_moving.push(psnr(self._moving(frame), self._moving(true), peak))
        if self._meter is not None and self._psnr.count % _SSIM_EVERY == 1:
            similar = ssim_map(frame, true, peak)
            self._ssim.push(float(similar[self._inside].mean()))
            self._ssim_moving.push(float(self._moving(similar).mean()))

    def _moving(self, picture: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.concatenate([picture[region].ravel() for region in self._regions])

    def _move(self, frame: Picture, motion: Motion) -> float:
        """Displacement of a region along its motion, px; only its surroundings are looked at, to save time."""
        x, y, width, height = motion.region
        left, top = max(0, x - _MARGIN_PX), max(0, y - _MARGIN_PX)
        near = np.s_[top : y + height + _MARGIN_PX, left : x + width + _MARGIN_PX]
        moved = displacement(frame[near][None], (x - left, y - top, width, height), self._truth.rest[near])[0]
        angle = math.radians(motion.angle_deg)
        return float(moved[0] * math.cos(angle) + moved[1] * math.sin(angle))

    def _amplitude(self, timing: MapSpec | None) -> tuple[float, float | None, float | None]:
        """Response, amplitude over the true one, and that over the response; means over the regions."""
        moves, steps = np.array(self._moves), np.array(self._steps, np.int64)
        motions = self._truth.scene.motions
        responses = [1.0 if timing is None else self._truth.response(timing, motion) for motion in motions]
        response = float(np.mean(responses))
        if len(steps) < 4 or not self._truth.scene.px:
            return response, None, None
        sines = [fit_sine(moves[:, i], steps, self._truth.rate_hz, motion.hz) for i, motion in enumerate(motions)]
        kept = np.array([sine.amplitude / motion.px for sine, motion in zip(sines, motions, strict=True)])
        corrected = float(np.mean(kept / np.array(responses))) if min(responses) >= KEPT else None
        return response, float(kept.mean()), corrected


def _mean(spread: Spread) -> float | None:
    return float(spread.mean) if spread.count else None


def _region(motion: Motion) -> tuple[slice, slice]:
    x, y, width, height = motion.region
    return np.s_[y : y + height, x : x + width]


def _line(truth: SceneTruth) -> tuple[int | slice, int | slice]:
    """Where an x–t slice looks: a few px along the motion, across the strongest edge of the first moving region."""
    motion = truth.scene.motions[0]
    axis = 1 if abs(math.cos(math.radians(motion.angle_deg))) > 0.5 else 0
    region = _region(motion)
    edge = np.abs(np.gradient(truth.rest, axis=axis)[region])
    down, right = np.unravel_index(int(edge.argmax()), edge.shape)
    place = region[0].start + int(down), region[1].start + int(right)
    along = slice(max(0, place[axis] - _SLICE_REACH_PX), place[axis] + _SLICE_REACH_PX + 1)
    return (place[0], along) if axis == 1 else (along, place[1])
