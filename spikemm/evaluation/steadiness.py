"""The paper's figures of merit on optical flow: flow consistency and motion smoothness."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.spread import Spread
from spikemm.exceptions import OptionError, ShapeError
from spikemm.flow import Bytes, Field, FlowEstimator, to_bytes

__all__ = ["FlowFigures", "FlowMeter"]


@dataclass(frozen=True, slots=True)
class FlowFigures:
    """What the flow of a sequence amounts to, all in px per frame; lower is steadier, and a video at rest has 0.

    (13)–(16) speak of one vector a frame. ``consistency`` and ``smoothness`` take the mean length over the picture as
    its norm, so noise that is the same in every frame hardly shows; ``pixel_consistency`` and ``pixel_smoothness``
    take the standard deviation over time at every pixel and then the mean over the picture, and see it.

    Attributes
    ----------
    estimator : str
        What told the flow.
    fields : int
        Flow fields F_i, one less than frames.
    mean_change : float
        μ of (13), the mean of ‖F_{i+1} − F_i‖.
    consistency : float
        Flow consistency σ of (14), its standard deviation over time.
    mean_speed : float
        μ_S of (15), the mean of ‖F_i‖.
    smoothness : float
        Motion smoothness σ_S of (16), its standard deviation over time.
    pixel_consistency, pixel_smoothness : float
        (14) and (16) pixel by pixel.
    """

    estimator: str
    fields: int
    mean_change: float
    consistency: float
    mean_speed: float
    smoothness: float
    pixel_consistency: float
    pixel_smoothness: float


class FlowMeter:
    """Measure flow consistency and motion smoothness of a sequence, frame by frame, in constant memory.

    Frames become 8-bit pictures first, as flow estimators want them. The scale is fixed for the whole sequence: were
    each frame stretched by itself, a change of brightness would look like motion.

    Parameters
    ----------
    estimator : FlowEstimator
    white : float
        Light in spikes per step that becomes 255.

    Raises
    ------
    OptionError
        If `white` is not above 0.
    """

    def __init__(self, estimator: FlowEstimator, white: float) -> None:
        if not white > 0.0:
            raise OptionError(f"white is {white}: it must be above 0, for instance the brightest light of the scene")
        self._estimator = estimator
        self._white = white
        self._last_picture: Bytes | None = None
        self._last_field: Field | None = None
        self._speeds, self._changes, self._pixel_speeds, self._pixel_changes = (Spread() for _ in range(4))

    def push(self, frame: NDArray[np.floating]) -> Field | None:
        """Take the next frame (H, W) in spikes per step; return the flow to it, or None for the first.

        Raises
        ------
        ShapeError
            If the frame has another size than the one before.
        """
        picture, last = to_bytes(frame, self._white), self._last_picture
        self._last_picture = picture
        if last is None:
            return None
        if last.shape != picture.shape:
            raise ShapeError(f"a frame of {picture.shape} follows one of {last.shape}: all must have the same size")
        field = self._estimator.between(last, picture)
        self._take(field)
        return field

    def figures(self) -> FlowFigures:
        """Return the figures of all frames so far; of fewer than three they are 0."""
        return FlowFigures(
            self._estimator.name,
            self._speeds.count,
            float(self._changes.mean),
            float(self._changes.deviation),
            float(self._speeds.mean),
            float(self._speeds.deviation),
            float(self._pixel_changes.deviation.mean()),
            float(self._pixel_speeds.deviation.mean()),
        )

    def _take(self, field: Field) -> None:
        _tell(np.hypot(field[..., 0], field[..., 1]), self._speeds, self._pixel_speeds)
        if self._last_field is not None:
            change = field - self._last_field
            _tell(np.hypot(change[..., 0], change[..., 1]), self._changes, self._pixel_changes)
        self._last_field = field


def _tell(lengths: NDArray[np.float32], over_picture: Spread, by_pixel: Spread) -> None:
    over_picture.push(float(lengths.mean(dtype=np.float64)))
    by_pixel.push(lengths)
