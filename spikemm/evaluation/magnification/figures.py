"""One method at one factor on one clip: what its frames are worth against the rendered truth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.magnification.clip import Clip
from spikemm.evaluation.magnification.movement import along, furthest, moved_by
from spikemm.evaluation.magnification.shot import Shot
from spikemm.metrics import fit_sine, psnr, ssim_map

__all__ = ["Figures", "Judge"]

_BORDER_PX, _SMALL_BORDER_PX, _SMALL_PX = 8, 4, 64
_SSIM_EVERY = 4

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where it cannot be told.

    Attributes
    ----------
    shot : Shot
    method : str
    alpha : float
    gain : float or None
        Amplitude of the output's motion over alpha times the true one, mean over what moves: 1 is right.
    residual_px : float or None
        Root mean square of the output's displacement that is not that sine, px.
    lag_degrees : float or None
        How late the output's sine is against the true one, after the filter's known phase.
    background_px, background_raw_px : float or None
        How far the method moves what should stand still, the furthest of all frames: against the unmagnified frame of
        the same instant, whose own noise is no doing of the method's; and how far that stands from rest.
    psnr_db, psnr_raw_db : float or None
        Of the magnified, and of the unmagnified frames, against the truth rendered with the magnified motion; mean
        over the frames, 8 px of border off (4 in pictures below 64 px).
    ssim, ssim_raw : float or None
        The same of structural similarity, every fourth frame.
    note : str
        Why nothing was measured.
    """

    shot: Shot
    method: str
    alpha: float
    gain: float | None = None
    residual_px: float | None = None
    lag_degrees: float | None = None
    background_px: float | None = None
    background_raw_px: float | None = None
    psnr_db: float | None = None
    psnr_raw_db: float | None = None
    ssim: float | None = None
    ssim_raw: float | None = None
    note: str = ""

    @property
    def over_raw_db(self) -> float | None:
        """PSNR above that of leaving the frame alone."""
        return None if self.psnr_db is None or self.psnr_raw_db is None else self.psnr_db - self.psnr_raw_db

    @property
    def gain_error(self) -> float | None:
        """How far the gain is from 1."""
        return None if self.gain is None else abs(self.gain - 1.0)

    @property
    def output_px(self) -> float:
        """Amplitude that the output should have, px."""
        return self.alpha * self.shot.px


class Judge:
    """Compare magnified frames of a clip with the truth of one factor.

    Parameters
    ----------
    clip : Clip
    alpha : float
    """

    def __init__(self, clip: Clip, alpha: float) -> None:
        self._clip, self._alpha = clip, alpha
        self.steps = clip.judged.steps
        self.truth = np.stack([clip.truth.at(int(step), alpha) for step in self.steps])
        self._still = clip.truth.still_blocks(alpha)
        self._pixels = clip.judged.pixels.cpu().numpy()
        self._raw = self._likeness(self._pixels)
        self._background_raw = furthest(self._pixels, self._still, clip.truth.rest)

    def figures(self, method: str, frames: Frames, delay_degrees: float) -> Figures:
        """Return what frames (n, H, W) are worth, the filter's known delay being `delay_degrees`."""
        gain, residual, lag = self._motion(frames, delay_degrees)
        (decibels, similar), raw = self._likeness(frames), self._raw
        return Figures(
            self._clip.shot,
            method,
            self._alpha,
            gain,
            residual,
            lag,
            self._moved_background(frames),
            self._background_raw,
            decibels,
            raw[0],
            similar,
            raw[1],
        )

    def _moved_background(self, frames: Frames) -> float | None:
        moved = [np.hypot(*moved_by(frames, self._pixels, region).T).max() for region in self._still]
        return float(max(moved)) if moved else None

    def _likeness(self, frames: Frames) -> tuple[float, float]:
        """PSNR and SSIM."""
        border = _BORDER_PX if min(frames.shape[1:]) >= _SMALL_PX else _SMALL_BORDER_PX
        inside, peak = np.s_[border:-border, border:-border], self._clip.truth.peak
        pairs = list(zip(frames, self.truth, strict=True))
        decibels = [psnr(frame[inside], true[inside], peak) for frame, true in pairs]
        similar = [float(ssim_map(frame, true, peak)[inside].mean()) for frame, true in pairs[::_SSIM_EVERY]]
        return float(np.mean(decibels)), float(np.mean(similar))

    def _motion(self, frames: Frames, delay_degrees: float) -> tuple[float, float, float]:
        """Gain, residual and lag, means over what moves."""
        truth, shot = self._clip.truth, self._clip.shot
        gains, residuals, lags = [], [], []
        for motion in truth.scene.motions:
            turned = math.cos(math.radians(motion.phase_deg))
            expected = np.array([turned * self._alpha * truth.displacement(int(step)) for step in self.steps])
            found = along(frames, motion, truth.rest, expected)
            sine = fit_sine(found, self.steps, shot.rate_hz, motion.hz)
            gains.append(sine.amplitude / (self._alpha * motion.px))
            residuals.append(sine.residual)
            lags.append(_turn(motion.phase_deg - math.degrees(sine.phase) - delay_degrees))
        return float(np.mean(gains)), float(np.mean(residuals)), float(np.mean(lags))


def _turn(degrees: float) -> float:
    """Return the same angle between −180° and 180°."""
    return (degrees + 180.0) % 360.0 - 180.0
