"""What a magnifier is built from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.strobe import Strobe

__all__ = ["MINIMUM_SIZE", "Axis", "MagnifierOptions", "Mode", "Region"]

Mode = Literal["static", "dynamic", "band"]
Axis = Literal["x", "y"]
Region = tuple[int, int, int, int]
"""x, y, width and height of a rectangle, px."""

MINIMUM_SIZE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MagnifierOptions:
    """Everything that a magnifier is built from.

    Attributes
    ----------
    alpha : float
        Total factor: displacement in the output over true displacement of the scene. 0 freezes, below 1 attenuates.
    mode : {'static', 'dynamic', 'band'}
        Which motion is magnified, see `spikemm.magnification`.
    band_hz : tuple of float or None
        Limits in Hz of sensor time; needed in band mode, and only there.
    rate_hz : float
        Steps per second of the sensor.
    hop : int
        Steps from frame to frame; a stream whose hop is raised keeps its band.
    front : MapSpec
        The front end that made the frames; its response at the band's centre is divided out.
    height, width : int
        Size of the frames, at least 16×16.
    device : str
        Torch device of the frames.
    axis : {'x', 'y'} or None
        The one component of the motion that is magnified, by methods that know its direction; None for both.
    regions : tuple of Region
        Only inside these is motion magnified, fading out over some px at their rims; empty: everywhere.
    steady : Region or None
        A region that stands still in the scene: by its motion the whole frame is moved back first, against a camera
        that shakes. Slower than a second it is followed.
    weights : pathlib.Path or None
        Networks of a learned method; those of the package by default.
    strobe : Strobe or None
        Through which the frames show the scene. A band is then filtered where it appears, see `Strobe.shown_band`.
    """

    alpha: float
    mode: Mode
    band_hz: tuple[float, float] | None
    rate_hz: float
    hop: int
    front: MapSpec
    height: int
    width: int
    device: str
    axis: Axis | None = None
    regions: tuple[Region, ...] = ()
    steady: Region | None = None
    weights: Path | None = None
    strobe: Strobe | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("static", "dynamic", "band"):
            raise OptionError(f"magnification mode {self.mode!r} is unknown; take static, dynamic or band")
        if (self.mode == "band") != (self.band_hz is not None):
            raise OptionError(
                f"mode {self.mode} with band {self.band_hz}: band mode needs a band, the others take none"
            )
        if min(self.height, self.width) < MINIMUM_SIZE:
            raise OptionError(
                f"frames of {self.height}×{self.width} are too small: {MINIMUM_SIZE}×{MINIMUM_SIZE} at least"
            )
        if self.axis not in (None, "x", "y"):
            raise OptionError(f"axis {self.axis!r} is unknown; take x, y or none")
        for region in (*self.regions, *((self.steady,) if self.steady else ())):
            self._check(region)
        if self.steady and min(self.steady[2:]) < MINIMUM_SIZE:
            raise OptionError(f"a steady region of {self.steady[2]}×{self.steady[3]} px is too small: 16×16 at least")

    def _check(self, region: Region) -> None:
        x, y, width, height = region
        if min(x, y) < 0 or min(width, height) < 1 or x + width > self.width or y + height > self.height:
            raise OptionError(
                f"region {list(region)} (x, y, width, height) is not inside frames of {self.width}×{self.height}"
            )
