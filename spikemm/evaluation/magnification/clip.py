"""A shot as frames: simulated, encoded, reconstructed, once for all methods."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.encoding import Encoder
from spikemm.evaluation.magnification.shot import Shot
from spikemm.evaluation.magnification.truth import MagnifiedTruth
from spikemm.evaluation.rows import Maker
from spikemm.simulator import Simulator

__all__ = ["Clip", "film"]

_FRAMES_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """The frames of a shot, before magnification.

    Attributes
    ----------
    shot : Shot
    pixels : torch.Tensor
        (n, H, W) float32 in spikes per step; the first `shot.settling` are there to settle.
    steps : numpy.ndarray
        (n,) int64, the centre of each frame's window.
    truth : MagnifiedTruth
    """

    shot: Shot
    pixels: torch.Tensor
    steps: NDArray[np.int64]
    truth: MagnifiedTruth

    @property
    def settling(self) -> FrameBatch:
        """The frames before those that are judged."""
        count = self.shot.settling
        return FrameBatch(self.pixels[:count], self.steps[:count])

    @property
    def judged(self) -> FrameBatch:
        """The frames that are judged."""
        count = self.shot.settling
        return FrameBatch(self.pixels[count:], self.steps[count:])


def film(shot: Shot, make: Maker) -> Clip:
    """Simulate a shot and make its frames; the same shot gives the same spikes to every front end.

    Parameters
    ----------
    shot : Shot
    make : callable
        Makes a front end of a FrontSpec.
    """
    view, hop = shot.view, shot.hop
    camera = Simulator(view, shot.sensor, shot.room, rate_hz=shot.rate_hz, seed=shot.seed)
    maps = list(shot.front.maps)
    encoder, stage = Encoder(view.height, view.width, maps, hop), make(shot.front)
    reached = max(spec.before for spec in maps)
    wanted = shot.settling + shot.frames
    pixels: list[torch.Tensor] = []
    steps: list[int] = []
    while len(steps) < wanted:
        start = camera.step
        windows = encoder.push(camera.steps(_FRAMES_AT_A_TIME * hop), start)
        # The first windows lack what they reach for; nobody is judged by them.
        batch = stage.push([window for window in windows if window.step >= reached])
        if batch is not None:
            pixels += list(batch.pixels)
            steps += batch.steps.tolist()
    truth = MagnifiedTruth(view, shot.rate_hz, shot.room)
    return Clip(shot, torch.stack(pixels[:wanted]), np.array(steps[:wanted], np.int64), truth)
