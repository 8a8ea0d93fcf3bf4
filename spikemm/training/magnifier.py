"""Train a magnifier on pairs of frames whose magnified motion is known."""

import math
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from spikemm.magnification.learned.base import MotionNetwork
from spikemm.magnification.learned.shift import ShiftNetwork
from spikemm.training.magnified_scenes import MagnifiedScenes
from spikemm.training.magnifier_options import MagnifierTrainingOptions
from spikemm.training.motion_loss import motion_loss, picture_loss
from spikemm.training.motion_pairs import MotionPairs, draw_pairs
from spikemm.training.resumable import Resumable

__all__ = ["MagnifierTraining"]

_HELD_OUT_SEED = 2**31
"""Seeds of the pairs that are trained on lie below this; those above are for judging."""

_HELD_OUT_BATCHES = 8
_LARGEST_GRADIENT = 1.0


class MagnifierTraining(Resumable):
    """A training that can go on from any iteration.

    Pairs depend on the seed and the iteration's number alone. So the same seed gives the same weights (on one CPU
    thread), and a training continued from its state gives those of one that was never interrupted.

    Parameters
    ----------
    options : MagnifierTrainingOptions
    seed : int
    device : str
        Torch device.

    Attributes
    ----------
    network : MotionNetwork
    iterations, iteration : int
        How many there are, and how many are done.
    seconds : float
        Time that they took.
    """

    network: MotionNetwork

    def __init__(self, options: MagnifierTrainingOptions, *, seed: int, device: str = "cpu") -> None:
        self._options, self._seed, self._device = options, seed, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = options.make_network()
        self.network = network.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=options.first_rate)
        self.iterations, self.iteration, self.seconds = options.iterations, 0, 0.0

    def step(self, part: float) -> float:
        """Do one iteration and return its loss; the learning rate falls along half a cosine as `part` grows to 1."""
        for group in self._optimizer.param_groups:
            group["lr"] = 0.5 * self._options.first_rate * (1.0 + math.cos(math.pi * part))
        self._optimizer.zero_grad()
        loss = self._loss(self._pairs(self._seed, self.iteration))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self.iteration += 1
        return float(loss.detach())

    def held_out_loss(self) -> float:
        """Return the loss on pairs of textures that are not trained on: the same every time."""
        with torch.no_grad():
            losses = [self._loss(pairs) for pairs in self._held_out]
        return float(torch.stack(losses).mean())

    def figures(self) -> dict[str, float]:
        """Return gains and PSNRs on rendered scenes, units in the names."""
        return self._scenes.figures(self.network)

    @property
    def _identity(self) -> dict[str, Any]:
        return {**msgspec.to_builtins(self._options), "seed": self._seed}

    @cached_property
    def _scenes(self) -> MagnifiedScenes:
        return MagnifiedScenes(self._device)

    @cached_property
    def _held_out(self) -> list[MotionPairs]:
        return [self._pairs(_HELD_OUT_SEED + self._seed, number) for number in range(_HELD_OUT_BATCHES)]

    def _pairs(self, seed: int, iteration: int) -> MotionPairs:
        options = self._options
        rng = np.random.default_rng((seed, iteration))
        return draw_pairs(rng, options.ranges, count=options.batch, seed=seed, iteration=iteration).to(self._device)

    def _loss(self, pairs: MotionPairs) -> torch.Tensor:
        parts = []
        if isinstance(self.network, ShiftNetwork):
            parts.append(motion_loss(self.network, pairs))
        if self._options.paints:
            parts.append(picture_loss(self.network, pairs, self._options.agreement))
        return torch.stack(parts).sum()
