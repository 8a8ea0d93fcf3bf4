"""Frames of a camera that shakes, put back to where it stood."""

import math

import torch
from torch.nn.functional import avg_pool2d

from spikemm.magnification.options import Region
from spikemm.magnification.sampling import SplineSampler

__all__ = ["Stabiliser"]

_AROUND = 8
"""Pixels around the region that are sampled as well, as far as the frame has them."""

_FOLLOWED_SECONDS = 1.0
_RELEARNT_FRAMES = 16
_ROUNDS = 8
_ENOUGH_PX = 1e-3

_FLAT = 0.02
"""Directions that show less than this part of the strongest one's contrast are left alone: along a straight edge."""


class Stabiliser:
    """Measure the shift of a region that stands still in the scene, and move the whole frame back by it.

    Parameters
    ----------
    region : Region
        x, y, width, height, px; textured in both directions, or only one of them is steadied.
    height, width : int
        Size of the frames.
    device : str
        Torch device of the frames.

    Notes
    -----
    Gauss–Newton on the region against its mean over about the last second, with gain and offset of the light fitted
    along (Lucas and Kanade, 1981); begun at the last frame's shift, so it follows some 2 px from frame to frame. A
    shift alone: a camera that turns is not put right.
    """

    def __init__(self, region: Region, height: int, width: int, device: str) -> None:
        x, y, w, h = region
        top, left = max(0, y - _AROUND), max(0, x - _AROUND)
        bottom, right = min(height, y + h + _AROUND), min(width, x + w + _AROUND)
        self._near = slice(top, bottom), slice(left, right)
        self._inside = slice(y - top, y - top + h), slice(x - left, x - left + w)
        self._region_sampler = SplineSampler(bottom - top, right - left, device)
        self._frame_sampler = SplineSampler(height, width, device)
        self._rest = torch.zeros((2, 1, 1), device=device)
        self._y = torch.arange(height, device=device)[:, None]
        self._x = torch.arange(width, device=device)
        self.reset()

    def reset(self) -> None:
        """Take the next frame for one of a camera at rest."""
        self.shift = self._rest
        self._reference: torch.Tensor | None = None
        self._shown: torch.Tensor | None = None
        self._frames = 0

    def push(self, frame: torch.Tensor, seconds: float) -> torch.Tensor:
        """Return the (H, W) frame moved back; `seconds` since the last one."""
        near = _smooth(frame[self._near])
        if self._reference is None:
            self._reference = near[self._inside].clone()
        if self._frames % _RELEARNT_FRAMES == 0:
            self._inverse = _inverse(self._reference)
        self._frames += 1
        found = self._follow(near)
        self._reference = torch.lerp(found, self._reference, math.exp(-seconds / _FOLLOWED_SECONDS))
        back = self._frame_sampler.warp(frame, -self.shift.expand(2, *frame.shape)) if bool(self.shift.any()) else frame
        # What the camera does not see at the moment is shown as it was seen last: mirrored, it would seem to move.
        self._shown = back if self._shown is None else torch.where(self._seen(), back, self._shown)
        return self._shown

    def _seen(self) -> torch.Tensor:
        """Tell which pixels (H, W), moved back, come from inside the frame."""
        x, y = self._x + self.shift[0], self._y + self.shift[1]
        return (x >= 0) & (x <= len(self._x) - 1) & (y >= 0) & (y <= len(self._y) - 1)

    def _follow(self, near: torch.Tensor) -> torch.Tensor:
        """Refine the shift; return the region as it looks moved back."""
        assert self._reference is not None
        for _ in range(_ROUNDS):
            found = self._region_sampler.warp(near, -self.shift.expand(2, *near.shape))[self._inside]
            step = (self._inverse @ (found - self._reference).flatten()).view(2, 1, 1)
            self.shift = self.shift - step.clamp(-1.0, 1.0)
            if float(step.abs().max()) < _ENOUGH_PX:
                break
        return found


def _smooth(picture: torch.Tensor) -> torch.Tensor:
    return avg_pool2d(picture[None, None], 3, 1, 1, count_include_pad=False)[0, 0]


def _inverse(reference: torch.Tensor) -> torch.Tensor:
    """Return (2, n) what takes a small change of the region's pixels to the shift that it shows."""
    down, right = torch.gradient(reference.double())
    level = reference.double() - reference.double().mean()
    light = torch.stack((level.flatten(), torch.ones_like(level).flatten()), dim=1)
    slopes = torch.stack((right.flatten(), down.flatten()), dim=1)
    # What a change of the light could explain as well is no shift.
    slopes = slopes - light @ (torch.linalg.pinv(light) @ slopes)
    inverse: torch.Tensor = torch.linalg.pinv(slopes, rtol=_FLAT)
    return inverse.float()
