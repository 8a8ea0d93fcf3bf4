"""The displacement of regions, frame by frame."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.vibration.template import Roi, Template, check_roi, pattern_spread

__all__ = ["DisplacementTracker", "Displacements"]

_NEAR_PX = 1.0
"""Residual displacements up to this are read off one place; beyond, the region is looked for anew."""

_SEARCH_PX = 7
_CORRECTIONS = 4
_EXPLAINED = 0.05


class Displacements(NamedTuple):
    """Where regions are, against where they were in the first frame.

    Attributes
    ----------
    steps : numpy.ndarray
        (n,) int64 sensor steps.
    px : numpy.ndarray
        (n, regions, 2) float64, x and y; content to the right and down positive.
    """

    steps: NDArray[np.int64]
    px: NDArray[np.float64]


class DisplacementTracker:
    """Measure the displacement of regions in frames that no magnification has touched, one shift a region.

    The first frame is the reference, and so is the first one after a gap, whose displacements go on from the last
    ones. Costs two multiply-adds a pixel and component; a region that has moved by more than a pixel is followed.

    Parameters
    ----------
    rois : sequence of Roi
        x, y, width, height of each region, 8×8 px or more, inside the frames.
    device : str
        Torch device of the frames.

    Raises
    ------
    OptionError
        On the first push: a region is too small or not inside the frames.

    Notes
    -----
    See `Template`: projection on the picture's own derivatives, gain and offset of the light fitted along, inverted
    through the cross-correlation, so that large displacements are as right as small ones. Along a structure without
    contrast (a straight edge) the displacement is 0.
    """

    def __init__(self, rois: Sequence[Roi], *, device: str = "cpu") -> None:
        self._rois = tuple(rois)
        self._device = device
        self.reset()

    def reset(self) -> None:
        """Forget the reference; the next frame is the new one, at displacement 0."""
        self._regions: list[_Region] = []
        self._origin = np.zeros((len(self._rois), 2))
        self._last = np.zeros((len(self._rois), 2))

    def push(self, batch: FrameBatch) -> Displacements:
        """Return the displacements in a batch of frames."""
        if batch.gap:
            self._regions, self._origin = [], self._last
        if not self._regions:
            first = batch.pixels[0].cpu().numpy().astype(np.float64)
            spread = pattern_spread(first)
            self._regions = [_Region(first, roi, spread, self._device) for roi in self._rois]
        found = [region.follow(batch.pixels) for region in self._regions]
        px = np.stack(found, axis=1) if found else np.zeros((len(batch.steps), 0, 2))
        px += self._origin
        self._last = px[-1]
        return Displacements(batch.steps, px)


class _Region:
    """One region: where it was first, what it looks like there, and where it is now."""

    def __init__(self, first: NDArray[np.float64], roi: Roi, spread: float, device: str) -> None:
        check_roi(roi, *first.shape)
        self._roi = roi
        self._template = Template(first, roi, pattern=spread)
        self._tests = torch.from_numpy(self._template.tests).to(device, torch.float32 if device != "cpu" else None)
        x, y, wide, high = roi
        self._level = torch.from_numpy(first[y : y + high, x : x + wide]).to(self._tests)
        self._low = np.array([-x, -y])
        self._high = np.array([first.shape[1] - wide - x, first.shape[0] - high - y])
        self._shift = np.zeros(2, int)

    def follow(self, frames: torch.Tensor) -> NDArray[np.float64]:
        """Return the displacement (n, 2) in (n, H, W) frames."""
        found = self._beside(frames)
        at = 0
        while (beyond := np.flatnonzero(np.abs(found[at:] - self._shift).max(axis=1) > _NEAR_PX)).size:
            at += int(beyond[0])
            self._move(frames[at], found[at])
            found[at:] = self._beside(frames[at:])
            at += 1
        return np.asarray(found @ self._template.visible)

    def _beside(self, frames: torch.Tensor) -> NDArray[np.float64]:
        """Measure at the present whole-pixel shift."""
        light = self._crop(frames, self._shift).reshape(len(frames), -1)
        linear = self._template.linear((light @ self._tests.T).cpu().numpy().astype(np.float64))
        return np.asarray(self._template.straighten(linear) + self._shift)

    def _crop(self, frames: torch.Tensor, shift: NDArray[np.int64]) -> torch.Tensor:
        x, y, wide, high = self._roi
        left, top = x + int(shift[0]), y + int(shift[1])
        return frames[..., top : top + high, left : left + wide].to(self._tests)

    def _move(self, frame: torch.Tensor, found: NDArray[np.float64]) -> None:
        """Put the region where `frame` shows it."""
        self._shift = self._clipped(np.rint(found))
        if self._unexplained(frame) > _EXPLAINED:
            self._shift = self._best(frame)

    def _clipped(self, shift: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.clip(shift, self._low, self._high).astype(int)

    def _best(self, frame: torch.Tensor) -> NDArray[np.int64]:
        """Best whole-pixel shift near the present one, up to the gain of the light."""
        low = np.maximum(self._shift - _SEARCH_PX, self._low)
        high = np.minimum(self._shift + _SEARCH_PX, self._high)
        places = [np.array([dx, dy]) for dy in range(low[1], high[1] + 1) for dx in range(low[0], high[0] + 1)]
        return min(places, key=lambda place: self._difference(frame, place))

    def _unexplained(self, frame: torch.Tensor) -> float:
        return self._difference(frame, self._shift)

    def _difference(self, frame: torch.Tensor, shift: NDArray[np.int64]) -> float:
        return float((self._crop(frame, shift) - self._level).var() / self._level.var().clamp(min=1e-12))
