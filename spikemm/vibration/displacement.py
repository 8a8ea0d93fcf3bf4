"""The displacement of regions, frame by frame."""

from collections import deque
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
_JUDGED_FRAMES = 16
"""Newest frames whose majority tells whether the region still shows: one frame's contrast is noisy."""

_SETTLED_FRAMES = 32
"""First frames whose mean becomes the reference: the noise of a single one would be taken for the picture."""

_NEARLY_ALL = 0.8
_BRIGHTER = 10.0
"""A reference so much darker than what came after is mostly noise."""


class Displacements(NamedTuple):
    """Where regions are, against where they were in the first frame.

    Attributes
    ----------
    steps : numpy.ndarray
        (n,) int64 sensor steps.
    px : numpy.ndarray
        (n, regions, 2) float64, x and y; content to the right and down positive.
    hidden : numpy.ndarray
        (regions,) bool: nothing to measure by; the displacement stays where it was last.
    settled : numpy.ndarray
        (regions,) bool: these displacements, and those to come, are against the mean of many frames. Those before,
        against a single one, may be off by some ten per cent.
    """

    steps: NDArray[np.int64]
    px: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    settled: NDArray[np.bool_]


class DisplacementTracker:
    """Measure the displacement of regions in frames that no magnification has touched, one shift a region.

    The first frame is the reference, and so is the first one after a gap, whose displacements go on from the last
    ones; the mean of 32 frames takes its place, by their displacements made sharp. A region that does not show (dark,
    without contrast but the sensor's own pattern, hidden, with pixels that are no numbers) gets another reference until
    it does. Costs two multiply-adds a pixel and component; a region that has moved by more than a pixel
    is followed.

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
            self._regions, self._origin = [], self._last.copy()
        if not self._regions:
            self._regions = self._seen_in(batch.pixels[0], self._rois)
        px = np.empty((len(batch.steps), len(self._rois), 2))
        for i, region in enumerate(self._regions):
            px[:, i] = region.follow(batch.pixels) + self._origin[i]
        hidden = np.array([not region.shows for region in self._regions], bool)
        settled = np.array([region.settled for region in self._regions], bool)
        px[:, hidden] = self._last[hidden]
        self._last = px[-1].copy()
        self._renew(batch.pixels[-1])
        return Displacements(batch.steps, px, hidden, settled)

    def _renew(self, newest: torch.Tensor) -> None:
        """Take the newest frame for the reference of what does not show."""
        stale = [i for i, region in enumerate(self._regions) if region.stale]
        fresh = self._seen_in(newest, [self._rois[i] for i in stale]) if stale else []
        for i, region in zip(stale, fresh, strict=True):
            region.doubt()
            self._regions[i], self._origin[i] = region, self._last[i]

    def _seen_in(self, frame: torch.Tensor, rois: Sequence[Roi]) -> "list[_Region]":
        first = frame.cpu().numpy().astype(np.float64)
        return [_Region(first, roi, _spread(first), self._device) for roi in rois]


class _Region:
    """One region: where it was first, what it looks like there, and where it is now."""

    def __init__(self, first: NDArray[np.float64], roi: Roi, spread: float, device: str) -> None:
        check_roi(roi, *first.shape)
        self._roi, self._device = roi, device
        x, y, wide, high = roi
        self._low = np.array([-x, -y])
        self._high = np.array([first.shape[1] - wide - x, first.shape[0] - high - y])
        self._shift = np.zeros(2, int)
        self._recent: deque[bool] = deque(maxlen=_JUDGED_FRAMES)
        self._whole = True
        self._sum: torch.Tensor | None = None
        self._moves = np.zeros((0, 2))
        self._young = _SETTLED_FRAMES
        self._refer(first, spread)
        self._visible = self._template.visible
        self._found = not self._blank

    def _refer(self, picture: NDArray[np.float64], spread: float) -> None:
        """Take a picture, with `spread` of a fixed pattern or noise in it, for the reference."""
        finite = np.isfinite(picture)
        picture = np.where(finite, picture, 0.0)
        self._template = Template(picture, self._roi, pattern=spread)
        on_device = torch.float32 if self._device != "cpu" else None
        self._tests = torch.from_numpy(self._template.tests).to(self._device, on_device)
        x, y, wide, high = self._roi
        here = picture[y : y + high, x : x + wide]
        self._level = torch.from_numpy(here).to(self._tests)
        self._own = float(self._template.tests[3] @ here.ravel())
        self._blank = not (finite[y : y + high, x : x + wide].all() and self._template.visible.any())

    def _settle(self, frames: torch.Tensor, found: NDArray[np.float64]) -> None:
        """Take the mean of the first frames, (n, H, W) in which the region was `found`, for the reference."""
        self._young -= len(frames)
        near = self._shown & (np.abs(found).max(axis=1) <= _NEAR_PX)
        if not self._blank and near.any():
            total = frames[torch.from_numpy(near).to(frames.device)].sum(0)
            self._sum = total if self._sum is None else self._sum + total
            self._moves = np.concatenate((self._moves, found[near]))
        if self.settled and self._sum is not None:
            picture = self._sum.cpu().numpy().astype(np.float64) / len(self._moves)
            self._refer(picture, _spread(picture))
            self._template.sharpen(self._moves)
            self._visible = self._template.clear
        if self.settled:
            self._blank = self._blank or self._sum is None or not self._visible.any()
            self._sum = None

    @property
    def shows(self) -> bool:
        """Whether there is something to measure by, and all pixels of the batch were numbers."""
        return self._found and self._whole

    @property
    def settled(self) -> bool:
        """Whether the reference is a mean of many frames."""
        return self._young == 0

    @property
    def stale(self) -> bool:
        """Whether another reference is needed."""
        return self.settled and not self._found

    def doubt(self) -> None:
        """Show nothing until the reference has settled."""
        self._found = False

    def follow(self, frames: torch.Tensor) -> NDArray[np.float64]:
        """Return the displacement (n, 2) in (n, H, W) frames."""
        self._whole = True
        parts = [part for part in (frames[: self._young], frames[self._young :]) if len(part)]
        return np.concatenate([self._follow(part) for part in parts])

    def _follow(self, frames: torch.Tensor) -> NDArray[np.float64]:
        start = self._shift
        found = self._looked_for(frames)
        if not self.settled:
            self._settle(frames, found)
            if self.settled:
                self._shift = start
                found = self._looked_for(frames)
        self._judge()
        return np.asarray(found @ self._visible)

    def _looked_for(self, frames: torch.Tensor) -> NDArray[np.float64]:
        """Return where the region is in each frame, (n, 2)."""
        self._shown = np.zeros(len(frames), bool)
        found = self._beside(frames)
        at = 0
        while (beyond := np.flatnonzero(np.abs(found[at:] - self._shift).max(axis=1) > _NEAR_PX)).size:
            at += int(beyond[0])
            self._move(frames[at], found[at])
            found[at:] = self._beside(frames[at:])
            at += 1
        return found

    def _judge(self) -> None:
        """Go by the majority of a full number of newest frames; after a doubt, once settled, by nearly all."""
        self._recent.extend(self._shown.tolist())
        if len(self._recent) == _JUDGED_FRAMES and (self._found or self.settled):
            least = 0.5 if self._found else _NEARLY_ALL
            self._found = not self._blank and sum(self._recent) > least * len(self._recent)

    def _beside(self, frames: torch.Tensor) -> NDArray[np.float64]:
        """Measure the last of the batch's frames at the present whole-pixel shift."""
        light = self._crop(frames, self._shift).reshape(len(frames), -1)
        projections = (light @ self._tests.T).cpu().numpy().astype(np.float64)
        finite = np.isfinite(projections).all(axis=1)
        self._whole = self._whole and bool(finite.all())
        projections[~finite] = 0.0
        linear = self._template.linear(projections)
        found = self._template.straighten(linear)
        shown = self._template.is_shown(linear, found) & (projections[:, 3] <= _BRIGHTER * self._own)
        self._shown[len(self._shown) - len(frames) :] = finite & shown
        return np.asarray(found + self._shift)

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


def _spread(picture: NDArray[np.float64]) -> float:
    return pattern_spread(np.where(np.isfinite(picture), picture, 0.0))
