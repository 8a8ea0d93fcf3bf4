"""What a method makes move in a scene that stands still."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.magnification.clip import Clip
from spikemm.evaluation.magnification.movement import furthest, moved_by
from spikemm.evaluation.magnification.shot import Shot
from spikemm.metrics import fit_sine

__all__ = ["StillFigures", "still_figures"]


@dataclass(frozen=True, slots=True)
class StillFigures:
    """False motion; None where nothing was measured.

    Attributes
    ----------
    shot : Shot
        Of a scene at rest.
    method : str
    alpha : float
    false_px, false_raw_px : float or None
        How far the method moves the regions that could move, the furthest of all frames: against the unmagnified frame
        of the same instant; and how far that stands from rest, by its noise.
    flicker_px : float or None
        Amplitude of what the method adds at the flicker's frequency, where the light flickers.
    note : str
        Why nothing was measured.
    """

    shot: Shot
    method: str
    alpha: float
    false_px: float | None = None
    false_raw_px: float | None = None
    flicker_px: float | None = None
    note: str = ""


def still_figures(clip: Clip, method: str, alpha: float, frames: np.ndarray) -> StillFigures:
    """Return the false motion in magnified frames (n, H, W) of a scene at rest."""
    regions, rest = [motion.region for motion in clip.truth.scene.motions], clip.truth.rest
    pixels = clip.judged.pixels.cpu().numpy()
    moved = [moved_by(frames, pixels, region) for region in regions]
    false = max(float(np.hypot(*one.T).max()) for one in moved)
    by_flicker = _at_flicker(clip, moved) if clip.shot.flicker else None
    return StillFigures(clip.shot, method, alpha, false, furthest(pixels, regions, rest), by_flicker)


def _at_flicker(clip: Clip, moved: list[NDArray[np.float64]]) -> float:
    """Amplitude at the flicker's frequency, in the region that has most of it."""
    steps, shot = clip.judged.steps, clip.shot
    return max(
        math.hypot(*(fit_sine(axis, steps, shot.rate_hz, shot.flicker_hz).amplitude for axis in one.T)) for one in moved
    )
