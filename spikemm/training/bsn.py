"""Train a blind-spot network on streams alone: what is known of a pixel is taught to its neighbours."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from spikemm.training.held_out import HeldOutScenes
from spikemm.training.options import BSNOptions
from spikemm.training.resumable import Resumable
from spikemm.training.samples import Batch, draw_batch
from spikemm.training.streams import Source, Stream, StreamPool, simulate_stream

__all__ = ["BSNTraining"]

_STREAM, _HELD_OUT_STREAM, _SAMPLE, _HELD_OUT_SAMPLE = range(4)
"""What a random generator is for: what is drawn depends on the seed, this, and a number, and on nothing before."""

_HELD_OUT_STREAMS = 4
_HELD_OUT_BATCHES = 8
_LARGEST_GRADIENT = 1.0


class BSNTraining(Resumable):
    """A training that can go on from any iteration.

    Streams and samples depend on the seed and the iteration's number alone. So the same seed gives the same weights (on
    one CPU thread), and a training continued from its state gives those of one that was never interrupted.

    Parameters
    ----------
    options : BSNOptions
    seed : int
    sources : sequence of tuple of Source
        Of each recording the part to train on and the part to judge by, see `Source.split`.
    device : str
        Torch device.
    network : torch.nn.Module, optional
        One to go on training; else a new one.

    Attributes
    ----------
    network : torch.nn.Module
    iterations, iteration : int
        How many there are, and how many are done.
    seconds : float
        Time that they took.

    Raises
    ------
    OptionError
        If a source is too short for the windows.
    """

    def __init__(
        self,
        options: BSNOptions,
        *,
        seed: int,
        sources: Sequence[tuple[Source, Source]] = (),
        device: str = "cpu",
        network: nn.Module | None = None,
    ) -> None:
        for source in (part for parts in sources for part in parts):
            source.check(options)
        self._options, self._seed, self._device = options, seed, device
        self._sources, self._held_out = [trained for trained, _ in sources], [kept for _, kept in sources]
        self.network = (network or _drawn_network(options, seed)).to(device).train()
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=options.first_rate)
        self.iterations, self.iteration, self.seconds = options.iterations, 0, 0.0
        self._pool = StreamPool(
            lambda number: self._stream(_STREAM, number, self._sources), options.streams, options.refresh
        )

    def step(self, part: float) -> float:
        """Do one iteration and return its loss; the learning rate falls along half a cosine as `part` grows to 1."""
        for group in self._optimizer.param_groups:
            group["lr"] = 0.5 * self._options.first_rate * (1.0 + math.cos(math.pi * part))
        streams = self._pool.at(self.iteration)
        batch = draw_batch(self._random(_SAMPLE, self.iteration), streams, self._options).to(self._device)
        self._optimizer.zero_grad()
        loss = batch.loss(self._guess(batch))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()
        self.iteration += 1
        return float(loss.detach())

    def held_out_loss(self) -> float:
        """Return the loss on what is held out: the same samples every time."""
        with torch.no_grad():
            losses = [batch.loss(self._guess(batch)) for batch in self._held_out_batches]
        return float(torch.stack(losses).mean())

    def figures(self) -> dict[str, float]:
        """Return PSNRs on scenes with truth, dB by name."""
        return self._scenes.figures(self.network, self._device)

    @property
    def _identity(self) -> dict[str, Any]:
        sources = [source.identity for source in self._sources]
        return {**msgspec.to_builtins(self._options), "seed": self._seed, "recordings": sources}

    @cached_property
    def _scenes(self) -> HeldOutScenes:
        return HeldOutScenes(self._options)

    @cached_property
    def _held_out_batches(self) -> list[Batch]:
        streams = [self._stream(_HELD_OUT_STREAM, number, self._held_out) for number in range(_HELD_OUT_STREAMS)]
        return [
            draw_batch(self._random(_HELD_OUT_SAMPLE, number), streams, self._options).to(self._device)
            for number in range(_HELD_OUT_BATCHES)
        ]

    def _guess(self, batch: Batch) -> torch.Tensor:
        guess: torch.Tensor = self.network(batch.inputs.contiguous(memory_format=torch.channels_last))
        return guess

    def _stream(self, purpose: int, number: int, sources: Sequence[Source]) -> Stream:
        rng = self._random(purpose, number)
        if sources and rng.random() >= self._options.simulated:
            return sources[int(rng.integers(len(sources)))].cut(rng, self._options)
        return simulate_stream(rng, self._options)

    def _random(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, purpose, number))


def _drawn_network(options: BSNOptions, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return options.make_network()
