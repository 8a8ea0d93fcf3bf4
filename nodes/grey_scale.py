"""From light to grey values: one fixed scale for a whole stream, so that nothing flickers."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

__all__ = ["GreyScale", "White"]

White = (
    Annotated[float, Meta(gt=0, le=10, description="Spikes per step shown as white; null: from the first pictures.")]
    | None
)
"""The option of whoever shows light."""

_PERCENTILE = 99.5
_HEADROOM = 1.1


class GreyScale:
    """Linear map of light to 8 bits: 0 is black, `white` and more is 255.

    Parameters
    ----------
    white : float, optional
        Light in spikes per step that is shown as white. None: 1.1 times the 99.5th percentile of the first frames that
        hold any light, and from then on the same for every frame. Setting it to None measures again.
    """

    def __init__(self, white: float | None = None) -> None:
        self.white = white

    def __call__(self, frames: NDArray[Any]) -> NDArray[np.uint8]:
        """Return grey values.

        Parameters
        ----------
        frames : numpy.ndarray
            (n, H, W) or (H, W) float32, light in spikes per step.

        Returns
        -------
        numpy.ndarray
            uint8 of the same shape.
        """
        if self.white is None:
            self._measure(frames)
        scaled = frames * np.float32(255.0 / self.white if self.white else 0.0)
        np.clip(np.rint(scaled, out=scaled), 0.0, 255.0, out=scaled)
        return scaled.astype(np.uint8)

    def _measure(self, frames: NDArray[Any]) -> None:
        level = _HEADROOM * float(np.percentile(frames, _PERCENTILE)) if frames.size else 0.0
        # A dark start has no level to hold on to: it stays black and the next frames are looked at.
        self.white = level if level > 0 else None
