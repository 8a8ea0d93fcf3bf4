"""What the nodes that read a camera's own bytes share: options for the sensor, and bytes turned into spikes."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from nodes.messages import Spikes
from spikemm.calibration import Calibration
from spikemm.layouts import BitLayout
from spikemm.packing import flip_rows

__all__ = ["CameraOptions", "CameraSteps"]


class CameraOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options that say what a camera's bytes mean."""

    height: Annotated[int, Meta(ge=1, le=16384, description="Rows; 250 by default, 1000 in layout wide.")] | None = None
    width: Annotated[int, Meta(ge=1, le=16384, description="Columns; 400 by default, 1000 in layout wide.")] | None = (
        None
    )
    rate_hz: Annotated[float, Meta(gt=0, le=1e6, description="Steps per second.")] = 20_000.0
    flip: Annotated[bool, Meta(description="Rows come bottom-up, as from a camera.")] = True
    layout: Annotated[
        Literal["plain", "head", "wide"], Meta(description="How a step lies in bytes, as in `Recording`.")
    ] = "plain"
    calibration: Annotated[str, Meta(max_length=1000, description="The sensor's, a .npz; empty: none.")] = ""


class CameraSteps:
    """Turns a camera's bytes into `spikes` messages.

    Whole bytes are moved where a row is a whole number of bytes (0.1 ms for 1 MB). Rows of another width are unpacked
    and packed again if they have to be flipped, which carries about 150 MB/s on one core.

    Parameters
    ----------
    options : CameraOptions
        What the bytes mean.
    source : str
        Where they come from, for messages.

    Attributes
    ----------
    step_bytes : int
        Bytes of a step as the camera sends it.

    Raises
    ------
    RecordingError
        The size does not fit the layout.
    CalibrationError
        The calibration cannot be used.
    """

    def __init__(self, options: CameraOptions, source: str) -> None:
        side = (1000, 1000) if options.layout == "wide" else (250, 400)
        self.height, self.width = options.height or side[0], options.width or side[1]
        self._layout = BitLayout(source, options.layout, self.height, self.width)
        self.step_bytes = self._layout.step_bytes
        self._flip, self._rate_hz = options.flip, options.rate_hz
        if options.calibration:
            Calibration.load(options.calibration, self.height, self.width)
        self._calibration = str(Path(options.calibration).resolve()) if options.calibration else ""

    def packed(self, raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return steps upright, (n, ⌈H·W/8⌉) uint8, from (n, `step_bytes`); `raw` itself where that is the same."""
        pixels = self._layout.pixels(raw)
        return flip_rows(pixels, self.height, self.width) if self._flip else pixels

    def spikes(self, packed: NDArray[np.uint8], step: int, *, gap: int = 0, wall_s: float) -> Spikes:
        """Make the message of upright steps that arrived at `wall_s`."""
        return Spikes(
            step=step,
            count=len(packed),
            gap=gap,
            rate_hz=self._rate_hz,
            source_time=wall_s,
            packed=packed,
            height=self.height,
            width=self.width,
            calibration=self._calibration,
        )
