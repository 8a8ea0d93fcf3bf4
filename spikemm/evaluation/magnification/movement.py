"""How far regions of magnified frames have moved."""

import math

import numpy as np
from numpy.typing import NDArray

from spikemm.metrics import displacement
from spikemm.simulator import Motion

__all__ = ["along", "furthest", "moved_by"]

_MARGIN_PX = 8

Frames = NDArray[np.float32]
Region = tuple[int, int, int, int]


def along(frames: Frames, motion: Motion, rest: Frames, expected_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacement of a moving region along its direction.

    Parameters
    ----------
    frames : numpy.ndarray
        (n, H, W).
    motion : Motion
        Region and direction.
    rest : numpy.ndarray
        (H, W), the scene undisplaced.
    expected_px : numpy.ndarray
        (n,) displacements that the frames should show. Frames are looked at in their order, away from rest: a
        search that begins at the last displacement never has far to go, however fast the motion.

    Returns
    -------
    numpy.ndarray
        (n,) px.
    """
    found = np.zeros(len(frames))
    order = np.argsort(expected_px)
    ahead, behind = order[expected_px[order] >= 0.0], order[expected_px[order] < 0.0][::-1]
    reach = math.ceil(float(np.abs(expected_px).max()))
    angle = math.radians(motion.angle_deg)
    for part in (ahead, behind):
        if len(part):
            moved = _displaced(frames[part], motion.region, rest, reach)
            found[part] = moved @ (math.cos(angle), math.sin(angle))
    return found


def furthest(frames: Frames, regions: list[Region], rest: Frames) -> float | None:
    """Return the largest displacement of any of the regions in any of the frames, px; None without a region."""
    if not regions:
        return None
    return max(float(np.hypot(*_displaced(frames, region, rest, 0).T).max()) for region in regions)


def moved_by(frames: Frames, raw: Frames, region: Region) -> NDArray[np.float64]:
    """Return (n, 2) px: how far a region of each frame stands from where it stands in the unmagnified frame."""
    pairs = zip(frames, raw, strict=True)
    return np.concatenate([_displaced(frame[None], region, before, 0) for frame, before in pairs])


def _displaced(frames: Frames, region: Region, rest: Frames, reach: int) -> NDArray[np.float64]:
    """Displacement (n, 2) of a region; only its surroundings are looked at, to save time."""
    x, y, width, height = region
    margin = _MARGIN_PX + reach
    left, top = max(0, x - margin), max(0, y - margin)
    near = np.s_[top : y + height + margin, left : x + width + margin]
    return displacement(frames[:, *near], (x - left, y - top, width, height), rest[near])
