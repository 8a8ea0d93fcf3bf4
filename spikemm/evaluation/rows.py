"""The rows of a comparison: which front ends, how they are made, and what is told of each."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.steadiness import FlowFigures
from spikemm.front import FrontSpec
from spikemm.reconstruction import FrontEnd

__all__ = ["TRUTH", "Maker", "RowFigures", "RowPictures", "RowResult"]

TRUTH = "truth"
"""Name of the row that holds the true pictures themselves."""


Maker = Callable[[FrontSpec], FrontEnd]
"""Makes a front end of its name and window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFigures:
    """What was measured on the frames of one row; None where it was not asked for or cannot be told.

    Attributes
    ----------
    row : str
        The front end, or ``truth``.
    frames : int
    psnr_db, psnr_moving_db : float or None
        Mean over the frames against truth, 8 px of border off, and in the regions that move; the peak is the brightest
        light of the truth for both.
    ssim, ssim_moving : float or None
        The same of structural similarity, over some of the frames.
    kept : float or None
        Amplitude of the motion in the frames over the true one.
    response : float or None
        The part of it that the front end's window lets through.
    kept_corrected : float or None
        ``kept`` over ``response``; None where the response is below 0.3 and the correction would amplify noise.
    flow : FlowFigures or None
    flicker : float or None
        Standard deviation of the frames' mean light over its mean; of the truth's own, if known, what is added to it.
    noise : float or None
        Of a recording's static region: median over its pixels of standard deviation over mean in time.
    milliseconds : float or None
        Encoding its maps and making a frame.
    note : str
        Why figures are missing, or what else the reader must know.
    """

    row: str
    frames: int = 0
    psnr_db: float | None = None
    psnr_moving_db: float | None = None
    ssim: float | None = None
    ssim_moving: float | None = None
    kept: float | None = None
    response: float | None = None
    kept_corrected: float | None = None
    flow: FlowFigures | None = None
    flicker: float | None = None
    noise: float | None = None
    milliseconds: float | None = None
    note: str = ""


@dataclass(slots=True)
class RowPictures:
    """Pictures of one row, for the eye.

    Attributes
    ----------
    frame : numpy.ndarray or None
        (H, W) spikes per step, one frame.
    flow : numpy.ndarray or None
        (H, W, 2) px, the flow to that frame from the one before.
    lines : list of numpy.ndarray
        The same line of consecutive frames, side by side an x–t slice.
    """

    frame: NDArray[np.float32] | None = None
    flow: NDArray[np.float32] | None = None
    lines: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def over_time(self) -> NDArray[np.float32]:
        """The x–t slice (points, frames), position downwards and time to the right."""
        return np.stack(self.lines, axis=1) if self.lines else np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row: its figures and its pictures."""

    figures: RowFigures
    pictures: RowPictures
