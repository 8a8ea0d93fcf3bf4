"""The newest displacements of one region, and what the frames keep of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.maps import MapSpec
from spikemm.response import KEPT, effective_length, highest_frequency
from spikemm.vibration.displacement import DisplacementTracker
from spikemm.vibration.record import RollingRecord

__all__ = ["RegionRecord", "region_length", "response_of"]

_DARK = 1e-12
_SETTLED_FRAMES = 64
"""Frames, at least, whose mean tells how long the front end averages: one frame's noise would make dark pixels seem
darker."""


def region_length(picture: torch.Tensor, front: MapSpec) -> float:
    """Return the steps that the front end averages where a region moves visibly: weighted by the gradient's square.

    Parameters
    ----------
    picture : torch.Tensor
        (h, w) mean light of the region, in spikes per step.
    front : MapSpec
        The front end's map.
    """
    down, right = torch.gradient(picture)
    weight = down.square() + right.square() + _DARK
    return float((weight * effective_length(front, picture)).sum() / weight.sum())


def response_of(front: MapSpec, length_steps: Any, rate_hz: float) -> Callable[[Any], Any]:
    """Return what the front end keeps of an amplitude as a function of the frequency in Hz, a number or an array.

    It is `response_map` without tensors: an analysis asks it thousands of times.
    """

    def kept(hz: Any) -> Any:
        part = np.sinc(length_steps * hz / rate_hz)
        return part * np.abs(part) if front.name == "isi" else part

    return kept


class RegionRecord:
    """Follow one region through evenly sampled frames and keep its last displacements.

    A gap starts the record anew, and so does a region that begins or ceases to show, or whose reference has settled.
    While it does not show, the record is one of no movement at all, for which an analysis states an infinite noise
    floor. Memory is that of the record.

    Parameters
    ----------
    roi : tuple of int
        x, y, width, height of the region, px.
    length : int
        Frames of a full record.
    hop : int
        Steps from frame to frame.
    rate_hz : float
        Steps per second.
    front : MapSpec
        The front end's map.
    device : str
        Torch device of the frames.

    Attributes
    ----------
    roi : tuple of int
        The region.
    """

    def __init__(
        self,
        roi: tuple[int, int, int, int],
        *,
        length: int,
        hop: int,
        rate_hz: float,
        front: MapSpec,
        device: str = "cpu",
    ) -> None:
        self.roi = roi
        self._hop, self._rate_hz, self._front = hop, rate_hz, front
        self._tracker = DisplacementTracker([roi], device=device)
        self._record = RollingRecord(length, (2,))
        self._newest = 0
        self._hidden = self._settled = False
        self._light: torch.Tensor | None = None
        self._frames = 0.0

    def reset(self) -> None:
        """Forget the frames before."""
        self._tracker.reset()
        self._record.reset()
        self._light, self._frames = None, 0

    def push(self, batch: FrameBatch) -> None:
        """Take the next frames.

        Raises
        ------
        OptionError
            The region is too small or not inside the frames.
        """
        if batch.gap:
            self.reset()
        found = self._tracker.push(batch)
        hidden, settled = bool(found.hidden[0]), bool(found.settled[0])
        begins = hidden != self._hidden or (settled and not self._settled and not hidden)
        self._hidden, self._settled = hidden, settled
        if begins:
            self._record.reset()
            self._light, self._frames = None, 0
        self._gather(batch.pixels)
        self._record.push(np.zeros((len(found.px), 2)) if self._hidden else found.px[:, 0])
        self._newest = int(found.steps[-1])

    def _gather(self, frames: torch.Tensor) -> None:
        """Add to the mean light, which forgets what is older than a record or two: the front end averages by it."""
        x, y, width, height = self.roi
        light = frames[:, y : y + height, x : x + width].nan_to_num(0.0, 0.0, 0.0).sum(0)
        known = 0.5 if self._frames >= max(self.length, _SETTLED_FRAMES) else 1.0
        self._light = light if self._light is None else known * self._light + light
        self._frames = known * self._frames + len(frames)

    @property
    def _length_steps(self) -> float:
        if self._hidden:
            return 0.0  # darkness seems to be averaged for long, and would put any band out of reach
        assert self._light is not None, "no frames yet"
        return region_length(self._light / self._frames, self._front)

    @property
    def hidden(self) -> bool:
        """Whether the region shows nothing to measure by."""
        return self._hidden

    @property
    def full(self) -> bool:
        """Whether the record has its full length."""
        return self._record.full

    @property
    def length(self) -> int:
        """Frames of a full record."""
        return self._record.length

    @property
    def count(self) -> int:
        """Frames in the record."""
        return self._record.count

    @property
    def first_step(self) -> int:
        """Step of the oldest sample."""
        return self._newest - (self._record.count - 1) * self._hop

    @property
    def px(self) -> NDArray[np.float64]:
        """(n, 2) displacement along x and y, oldest first."""
        return self._record.samples().astype(np.float64)

    @property
    def kept(self) -> Callable[[Any], Any]:
        """Part of an amplitude that the frames keep at a frequency in Hz."""
        return response_of(self._front, self._length_steps, self._rate_hz)

    @property
    def highest_hz(self) -> float:
        """Highest frequency that the frames show of this region: half their rate, or what their window keeps."""
        least = KEPT**0.5 if self._front.name == "isi" else KEPT
        nyquist, length = 0.5 * self._rate_hz / self._hop, self._length_steps
        return min(nyquist, highest_frequency(length, self._rate_hz, least)) if length else nyquist
