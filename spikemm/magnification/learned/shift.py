"""Learned magnifiers whose networks state a displacement, and so know the direction of motion."""

from abc import abstractmethod
from typing import ClassVar

import torch

from spikemm.magnification.learned.base import Encoded, LearnedMagnifier, MotionNetwork
from spikemm.magnification.options import Axis, MagnifierOptions

__all__ = ["ShiftMagnifier", "ShiftNetwork"]


class ShiftNetwork(MotionNetwork):
    """A network that moves content by what is added to its displacement.

    Attributes
    ----------
    axis : {'x', 'y'} or None
        The one component that is magnified; None for both.
    """

    axis: Axis | None = None

    @abstractmethod
    def displacement(self, encoded: Encoded, change: torch.Tensor) -> torch.Tensor:
        """Return (n, 2, h, w) how far content moved to the right and down, px, where it is now."""

    def shift(self, encoded: Encoded, change: torch.Tensor, alpha: float | torch.Tensor) -> torch.Tensor:
        """Return (n, 2, h, w) how much further it is to move, px."""
        shift = (alpha - 1.0) * self.displacement(encoded, change)
        if self.axis is None:
            return shift
        along = torch.tensor([self.axis == "x", self.axis == "y"], device=shift.device)
        return torch.where(along[:, None, None], shift, 0.0)


class ShiftMagnifier(LearnedMagnifier):
    """A magnifier by such a network."""

    directional: ClassVar[bool] = True
    network_class: ClassVar[type[ShiftNetwork]]

    def __init__(self, options: MagnifierOptions) -> None:
        super().__init__(options)
        assert isinstance(self._network, ShiftNetwork)
        self._network.axis = options.axis
