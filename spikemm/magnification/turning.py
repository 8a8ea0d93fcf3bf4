"""What magnifiers by local phase share: how far a band may be turned, and which motion is more than noise."""

from abc import abstractmethod
from collections.abc import Callable
from math import sqrt
from typing import ClassVar

import torch

from spikemm.magnification.base import FrameMagnifier
from spikemm.magnification.claim import Claim
from spikemm.magnification.temporal import BandPass

__all__ = ["PhaseMagnifier", "presence", "significance"]

LIMIT, LOST = 2.0, 3.2
"""Phase in rad by which a band may be turned: it is there up to the first, and faded out at the second."""

FAINT, CLEAR = 2.2, 3.2
"""A motion's power in units of what noise alone gives: nothing moves below the first, all above the second."""

MEMORY_FRAMES, ENOUGH_FRAMES = 64, 16
"""Frames over which a motion's power is averaged; before the second, it must stand out further."""

RELIT_FRAMES = 32
"""Frames after which the response is computed anew from the light."""


def presence(turn: torch.Tensor) -> torch.Tensor:
    """How much, 0 to 1, is left of what is turned by these phases, in rad, 0 or more."""
    return _rise((LOST - turn) / (LOST - LIMIT))


def significance(power: torch.Tensor) -> torch.Tensor:
    """How far, 0 to 1, to believe motions of these powers, in units of what noise alone gives."""
    return _rise((power - FAINT) / (CLEAR - FAINT))


def _rise(x: torch.Tensor) -> torch.Tensor:
    x = x.clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


class PhaseMagnifier(FrameMagnifier):
    """A magnifier that turns the local phases of bands; a method adds its bands and `_respond`."""

    claim: ClassVar[Claim] = Claim(gain=0.2, input_px=(0.02, 1.0), output_px=5.0, wavelength_px=6.0)

    directional: ClassVar[bool] = True

    _power: torch.Tensor
    """Power of the motion at every place, averaged; a method makes it when it restarts."""

    def _restart(self, frame: torch.Tensor) -> None:
        self._dominant = self._make_dominant()
        self._frames = 0

    def _next_light(self, frame: torch.Tensor) -> None:
        """Count a frame; at every 32nd, learn the response anew."""
        if self._frames % RELIT_FRAMES == 0:
            self._respond(frame)
        self._frames += 1

    @abstractmethod
    def _respond(self, frame: torch.Tensor) -> None:
        """Learn what the front end keeps of the dominating frequency, at every place of every band."""

    def _average(self, power: torch.Tensor, seconds: float) -> None:
        """Take the power of this frame's motion into the average."""
        if seconds > 0.0:
            self._power = torch.lerp(self._power, power, 1.0 / min(self._frames, MEMORY_FRAMES))

    def _by_chance(self, chance: float, seconds: float) -> float:
        """Average power that noise alone gives behind the filter, where `chance` is its power before it."""
        return chance * self._noise_passed(seconds) * sqrt(max(1.0, ENOUGH_FRAMES / self._frames))

    def _noise_passed(self, seconds: float) -> float:
        """Variance of the filter's output for values of variance 1, independent from frame to frame."""
        if not isinstance(self._filter, BandPass):
            return 2.0
        # An order 2 Butterworth passes as much noise as an ideal band 1.11 times as wide.
        return min(1.0, 1.11 * 2.0 * seconds * (self._filter.high_hz - self._filter.low_hz)) + 1e-12

    def _tuned(
        self, frame: torch.Tensor, moved: torch.Tensor, weight: Callable[[], torch.Tensor], seconds: float
    ) -> torch.Tensor:
        """Follow the frequency that dominates, and undo there what the filter does to amplitude and phase.

        Parameters
        ----------
        moved : torch.Tensor
            (c, n) filtered motion.
        weight : callable
            Returns the (n,) say of every place.
        """
        if self._dominant is None or not isinstance(self._filter, BandPass) or not self._filter.passes(seconds):
            return moved
        undone = self._dominant.undo(moved, self._filter.response(self._dominant.hz, seconds), seconds)
        if self._dominant.step(moved, weight() * float(self._fade() == 1.0), seconds):
            self._respond(frame)
        return undone
