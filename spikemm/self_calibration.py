"""A calibration from an ordinary recording, for want of one in darkness and one of even light."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from spikemm.calibration import Calibration
from spikemm.exceptions import CalibrationError
from spikemm.magnification.motion import CELL, MotionEstimator
from spikemm.pattern import USUAL_PATTERN, gather_evidence, high_pass, solve_pattern
from spikemm.recording import Recording
from spikemm.ring import SpikeRing

__all__ = ["KNOWN", "estimate"]

KNOWN = 0.8 * USUAL_PATTERN
"""A pixel counts as estimated whose gain is known better than this; without any estimate it is `USUAL_PATTERN`."""

_WINDOW = 32
_FRAMES, _FEWEST_FRAMES = 96, 12
_STEPS_A_FRAME = 96
"""Frames that shared spikes would share their noise, and that looks like motion."""

_ROUNDS = 2
_GOLDEN = 0.6180339887
_DARKEST, _BRIGHTEST = 0.02, 0.97
_NOISE = 1e-5
_CLEAR, _MOTIONS = 1.4, 6
_CELLS_A_COURSE, _FEWEST_CELLS = 8, 256


def estimate(recording: Recording, on_progress: Callable[[int, int], None] | None = None) -> Calibration:
    """Estimate the gains of the pixels from a recording in which the picture moves.

    Only motion tells a pattern from a texture: a recording of a still scene gives gains of 1, and so does every part
    of a picture that stands still, however the light on it changes. A motion along one direction tells nothing of the
    pattern along lines in that direction; nor does that part of it falsify a motion along the same direction.

    Parameters
    ----------
    recording : Recording
        At most 96 windows of it are read. The whole picture should move by 0.2 to 1 px, as on a shaking desk, best in
        several directions; wide, smooth variations of gain cannot be found.
    on_progress : callable, optional
        Called with the rounds done and the rounds in all.

    Returns
    -------
    Calibration
        Gains shrunk towards 1 as far as they are uncertain, and no dark offset: a scene does not tell it. `error` is
        the standard error of each gain; it is 0.05 where nothing is known.

    Raises
    ------
    CalibrationError
        The recording is too short, or its picture too small.

    Notes
    -----
    Measured on simulated scenes of 125×200 px, 0.3 s, with a pattern of 5 %: a desk that shakes by 0.2 to 0.5 px leaves
    3.4 to 2.8 % of pattern, and where the pattern took 3 to 6 % off a measured amplitude, 0.6 to 2.2 % remain; a strong
    edge, which loses less than 1 % to the pattern, loses about 1.5 % with this estimate. With a still desk only what
    vibrates is estimated, and little is gained: 3.2 % instead of 4.5 % lost, and the stated error of these pixels, 3.5
    %, is too small: it is 4.2 %. With a dark and a flat recording the amplitudes on rulers and fork are within 0.3 %.
    """
    light = _sample(recording)
    usable = ((light > _DARKEST) & (light < _BRIGHTEST)).astype(np.float64)
    detail = high_pass(np.log(np.maximum(light, _DARKEST)))
    motion = _Motion(light)
    pattern, error = np.zeros(light.shape[1:]), np.full(light.shape[1:], USUAL_PATTERN)
    for done in range(_ROUNDS):
        moved = motion.measure(light / np.exp(pattern))
        pattern, error = solve_pattern(gather_evidence(detail, moved, usable))
        if on_progress is not None:
            on_progress(done + 1, _ROUNDS)
    gain = np.exp(pattern)
    return Calibration(
        gain=(gain / gain.mean()).astype(np.float32),
        dark=np.zeros(gain.shape, np.float32),
        fault=np.zeros(gain.shape, np.uint8),
        error=np.minimum(error, USUAL_PATTERN).astype(np.float32),
    )


def _sample(recording: Recording) -> NDArray[np.float64]:
    """Frames (n, H, W) spread over the recording, unevenly, so that no vibration stands still in them."""
    around = _WINDOW // 2 + _WINDOW
    span = recording.steps - 2 * around
    cells = recording.height * recording.width // CELL**2
    if cells < _FEWEST_CELLS:
        raise CalibrationError(
            f"{recording.path} has {recording.height}×{recording.width} pixels, {_FEWEST_CELLS * CELL**2} in all are "
            "the least from which motion can be told: record a dark and a flat"
        )
    count = min(_FRAMES, span // _STEPS_A_FRAME, cells // _CELLS_A_COURSE)
    if count < _FEWEST_FRAMES:
        least = 2 * around + _FEWEST_FRAMES * _STEPS_A_FRAME
        raise CalibrationError(
            f"{recording.path} has {recording.steps} steps, {least} are the least: take a longer recording, "
            "of 0.2 s or more"
        )
    ring = SpikeRing(recording.height, recording.width, 2 * around)
    frames = []
    for number in range(count):
        centre = around + int((number + _GOLDEN * number % 1.0) * span / count)
        ring.reset()
        ring.push(recording.packed(centre - around, centre + around), centre - around)
        frames.append(ring.interval(centre, _WINDOW))
    return np.stack(frames).astype(np.float64)


class _Motion:
    """Measure the displacement of every frame against the one nearest to their mean, and keep what is no noise."""

    def __init__(self, frames: NDArray[np.float64]) -> None:
        _, self._height, self._width = frames.shape
        self._estimator = MotionEstimator(self._height, self._width, "cpu")
        self._reference = int(((frames - frames.mean(0)) ** 2).mean((1, 2)).argmin())
        cells = -(-self._height // CELL), -(-self._width // CELL)
        self._noise = self._learnt(frames, torch.full(cells, _NOISE))

    def measure(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacement (n, 2, H, W) from the mean place, px; 0 where nothing clearly moves."""
        displacement, decided = self._cells(frames, self._noise)
        few = _common_motions(displacement - displacement.mean(0), decided)
        size = few.shape[2] * CELL, few.shape[3] * CELL
        fine = interpolate(few, size=size, mode="bilinear", align_corners=False)
        return fine[:, :, : self._height, : self._width].numpy().astype(np.float64)

    def _learnt(self, frames: NDArray[np.float64], noise: torch.Tensor) -> torch.Tensor:
        self._cells(frames, noise)
        return self._residual

    def _cells(self, frames: NDArray[np.float64], noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = torch.from_numpy(frames.astype(np.float32))
        self._estimator.retake(pictures[self._reference])
        self._estimator.respond(torch.ones(self._height, self._width))
        measured = [self._estimator.measure(picture, noise) for picture in pictures]
        self._residual = torch.stack([one.residual for one in measured]).mean(0)
        return torch.stack([one.displacement for one in measured]), 0.5 * measured[0].decided.clamp(0.0, 2.0)


def _common_motions(displacement: torch.Tensor, decided: torch.Tensor) -> torch.Tensor:
    """Keep of (n, 2, h, w) displacements the few courses over time that stand out from what noise gives.

    A scene moves as a few things do, each with its own course over time; noise has as many as there are frames.
    """
    count = len(displacement)
    weight = (decided.sqrt() + 1e-3).expand(2, -1, -1).reshape(-1)
    course, size, place = torch.linalg.svd(displacement.reshape(count, -1) * weight, full_matrices=False)
    usual = size[count // 4 : 3 * count // 4].median()
    # The edge of Marchenko and Pastur's distribution, with fewer independent cells than there are, and some room.
    edge = 1.0 + (_CELLS_A_COURSE * count / decided.numel()) ** 0.5
    kept = int((size[:_MOTIONS] > _CLEAR * edge * usual).sum())
    few: torch.Tensor = (course[:, :kept] * size[:kept]) @ place[:kept] / weight
    return few.reshape(displacement.shape)
