"""Upsampling by a network that is fitted to each frame: the paper's method, offline."""

from collections.abc import Iterable
from math import isfinite

import torch

from spikemm.exceptions import OptionError
from spikemm.upsampling.base import Upsampler
from spikemm.upsampling.gabor_network import GaborNetwork, grid

__all__ = ["Wire"]

_FEWEST_WARM = 20
_DECAY = 0.1
_CHUNK = 8192
"""Pixels that go through the network at once: what bounds the memory."""


class Wire(Upsampler):
    """The paper's upsampler (11): a network (x, y) → intensity is fitted to each frame, then sampled more densely.

    The network is WIRE as published, see `GaborNetwork`; Adam minimises the mean squared error over all pixels at
    once. The first frame of a sequence starts from random parameters and takes `iterations` steps, their rate falling
    to a tenth; every later one starts from the frame before it, Adam's state included, and takes `warm_iterations`.
    Of all states met, the one with the least error is kept. Light is stretched to [0, 1] by the first frame's range; a
    picture that the network explains nothing of (a cut) starts from random parameters again, and a flat one needs no
    network.

    An offline method. A step costs 36 µs a pixel on one thread: the first 250×400 frame takes 3 h, every later one
    85 s, 6 s of which draw it at ×2; a 64×64 window 8 min and 3 s. On windows of 24 to 64 px of simulated scenes it
    comes 2 to 6 dB nearer to the truth than `Linear` and stays 1 to 3 dB behind `Histospline`; within a sequence it
    adds up to 0.03 px of motion of its own.

    Parameters
    ----------
    scale : float
        Factor from 1 up.
    height, width : int
        Size of the frames that go in.
    device : str
        Torch device of the frames.
    iterations : int
        Steps for the first frame of a sequence.
    rate : float
        Adam's rate for the first frame, at its first step.
    warm_iterations : int
        Steps for every later frame, at least 20: with fewer the picture trails behind its frame in a way that looks
        like motion.
    warm_rate : float
        Adam's rate for the later frames.
    seed : int
        Decides the parameters at random.

    Raises
    ------
    OptionError
        If an option is out of its range.
    """

    def __init__(
        self,
        *,
        scale: float,
        height: int,
        width: int,
        device: str = "cpu",
        iterations: int = 3000,
        rate: float = 1e-3,
        warm_iterations: int = 20,
        warm_rate: float = 1e-4,
        seed: int = 0,
    ) -> None:
        super().__init__(scale=scale, height=height, width=width, device=device)
        if iterations < 1 or warm_iterations < _FEWEST_WARM:
            raise OptionError(
                f"{iterations} iterations and {warm_iterations} for later frames: take 1 and {_FEWEST_WARM} at least"
            )
        if not all(isfinite(r) and r > 0.0 for r in (rate, warm_rate)):
            raise OptionError(f"learning rates {rate:g} and {warm_rate:g}: take finite numbers above 0")
        self._cold_rates = [rate * _DECAY ** (i / iterations) for i in range(iterations)]
        self._warm_rates = [warm_rate] * warm_iterations
        self._seed = seed
        self._places = grid(*self.shape, height=height, width=width, device=device)
        self._sequences: dict[bool, _Sequence] = {}

    def reset(self) -> None:
        """Forget everything before: the next frame starts from random parameters."""
        self._sequences.clear()

    # A caller may have gradients off: whoever runs other networks does.
    @torch.inference_mode(False)
    def _enlarge(self, frames: torch.Tensor, *, twins: bool) -> torch.Tensor:
        large = frames.new_empty((len(frames), *self.shape))
        for i, frame in enumerate(frames):
            large[i] = self._draw(frame, twins)
        return large

    def _draw(self, frame: torch.Tensor, twins: bool) -> torch.Tensor:
        if frame.min() == frame.max():
            return frame[0, 0].expand(self.shape)
        sequence = self._sequences.get(twins)
        if sequence is None or not sequence.explains(frame):
            sequence = self._sequences[twins] = _Sequence(frame, self._seed)
            sequence.fit(frame, self._cold_rates)
        else:
            sequence.fit(frame, self._warm_rates)
        return sequence.sample(self._places).view(self.shape)


class _Sequence:
    """The network of one sequence of frames, carried from each frame to the next together with Adam's state."""

    def __init__(self, first: torch.Tensor, seed: int) -> None:
        self._low, self._range = first.min(), first.max() - first.min()
        height, width = first.shape
        self._places = grid(height, width, height=height, width=width, device=str(first.device))
        self._network = GaborNetwork(seed, str(first.device))
        self._adam = torch.optim.Adam(self._network.parameters())

    def explains(self, frame: torch.Tensor) -> bool:
        """Tell whether the network is nearer to the frame than the frame's mean is."""
        error = self.sample(self._places) - frame.flatten()
        return bool(error.square().mean() < frame.var(correction=0))

    def fit(self, frame: torch.Tensor, rates: Iterable[float]) -> None:
        """Take one step for every rate, over all pixels at once, and keep the best state met."""
        values = (frame.flatten() - self._low) / self._range
        best, kept = float("inf"), self._network.state_dict()
        for rate in (*rates, 0.0):  # the 0 has the state after the last step judged as well
            loss = self._backpropagate(values)
            if loss < best:
                best, kept = loss, {name: p.clone() for name, p in self._network.state_dict().items()}
            self._adam.param_groups[0]["lr"] = rate
            self._adam.step()
        self._network.load_state_dict(kept)

    def _backpropagate(self, values: torch.Tensor) -> float:
        """Compute the mean squared error and its gradient."""
        self._adam.zero_grad()
        total = values.new_zeros(())
        for places, part in zip(torch.split(self._places, _CHUNK), torch.split(values, _CHUNK), strict=True):
            error = (self._network(places) - part).square().sum() / len(values)
            error.backward()
            total += error.detach()
        return float(total)

    @torch.no_grad()
    def sample(self, places: torch.Tensor) -> torch.Tensor:
        """Return the (n,) light at other places."""
        parts = [self._network(part) for part in torch.split(places, _CHUNK)]
        return torch.cat(parts) * self._range + self._low
