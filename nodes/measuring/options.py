"""Options of `measure`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine import Live, node_with
from spikemm.exceptions import OptionError
from spikemm.vibration.scale import Scale, make_scale

__all__ = ["ISOOptions", "MapOptions", "MeasureOptions", "RegionOptions", "ScaleOptions"]

_Name = Annotated[str, Meta(min_length=1, max_length=64)]


class RegionOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One region of interest."""

    roi: Annotated[tuple[int, int, int, int], Meta(description="x, y, width, height in px; 8×8 or more.")]
    housing: Annotated[bool, Meta(description="A point of a machine's housing, for which ISO 20816-3 is made.")] = False


class MapOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The map of the whole picture."""

    block_px: Annotated[int, Meta(ge=8, le=256, multiple_of=2, description="Side of a block.")] = 16
    seconds: Annotated[float, Meta(gt=0, le=60, description="Record that a map is made of, s; 64 frames at least.")] = (
        0.5
    )


class ScaleOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How large a pixel is, in exactly one of three ways."""

    um_per_px: Annotated[float, Meta(gt=0, description="µm of the object per px.")] | None = None
    known_mm: Annotated[float, Meta(gt=0, description="A known distance on the object, mm…")] | None = None
    drawn_px: Annotated[float, Meta(gt=0, description="…and its length in the picture, px.")] | None = None
    focal_mm: Annotated[float, Meta(gt=0, description="Focal length of the lens, mm…")] | None = None
    range_mm: Annotated[float, Meta(gt=0, description="…distance from the lens to the object, mm…")] | None = None
    pitch_um: Annotated[float, Meta(gt=0, description="…and distance of the sensor's pixels, µm.")] | None = None

    def made(self) -> Scale:
        """Return the scale; raises OptionError."""
        return make_scale(**msgspec.structs.asdict(self))


class ISOOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The machine, for the zones of ISO 20816-3."""

    group: Annotated[Literal[1, 2], Meta(description="1: above 300 kW or 315 mm shaft height; 2: 15 to 300 kW.")]
    support: Annotated[Literal["rigid", "flexible"], Meta(description="Its foundation.")]
    rpm: (
        Annotated[float, Meta(gt=0, description="Speed; below 600 rpm vibrations count from 2 Hz on, else from 10.")]
        | None
    ) = None


class MeasureOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `measure`."""

    seconds: Annotated[float, Meta(gt=0, le=600, description="Record that a region's figures are made of.")] = 1.0
    every_s: Annotated[float, Meta(gt=0, le=600, description="Sensor time from update to update.")] = 0.25
    regions: Annotated[
        dict[_Name, RegionOptions], Meta(max_length=64, description="Regions by name; none: only the map."), Live
    ] = {}
    map: Annotated[MapOptions | None, Meta(description="Map of the whole picture; null: none."), Live] = msgspec.field(
        default_factory=MapOptions
    )
    scale: Annotated[ScaleOptions | None, Meta(description="Size of a pixel; null: px only.")] = None
    iso: Annotated[ISOOptions | None, Meta(description="The machine; null: no zones.")] = None
    reference: Annotated[str | None, Meta(description="Region that phases are counted from; null: none.")] = None
    band_hz: Annotated[
        tuple[float, float] | None, Meta(description="Only peaks inside count, Hz; null: all."), Live
    ] = None
    steers: Annotated[
        str | None,
        Meta(description="An encode node whose strobe follows the strongest peak; null: none."),
        node_with("strobe_hz"),
    ] = None
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where it is computed.")] = "auto"

    def check(self) -> None:
        """Check what one option says of another.

        Raises
        ------
        OptionError
            If the scale is not given in exactly one way, the reference is no region, or the band is empty.
        """
        if self.scale is not None:
            self.scale.made()
        if self.reference is not None and self.regions and self.reference not in self.regions:
            raise OptionError(f"reference {self.reference!r} is none of the regions {', '.join(self.regions)}")
        if self.band_hz is not None and not 0 <= self.band_hz[0] < self.band_hz[1]:
            raise OptionError(f"band_hz {list(self.band_hz)}: give two limits, 0 ≤ low < high")
