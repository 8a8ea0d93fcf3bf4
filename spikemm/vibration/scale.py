"""From px to µm and mm/s."""

from dataclasses import dataclass
from math import isfinite, tau

from spikemm.exceptions import OptionError

__all__ = ["Scale", "make_scale"]

_WAYS = (("um_per_px",), ("known_mm", "drawn_px"), ("focal_mm", "range_mm", "pitch_um"))


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a pixel in the plane of the object; made by `make_scale`.

    Attributes
    ----------
    um_per_px : float
        µm of the object per px of the sensor.
    """

    um_per_px: float

    def um(self, px: float) -> float:
        """Displacement in µm."""
        return px * self.um_per_px

    def mm_s(self, px: float, hz: float) -> float:
        """Amplitude of the velocity, mm/s, of a sine with an amplitude in px and a frequency in Hz."""
        return tau * hz * self.um(px) * 1e-3


def make_scale(
    *,
    um_per_px: float | None = None,
    known_mm: float | None = None,
    drawn_px: float | None = None,
    focal_mm: float | None = None,
    range_mm: float | None = None,
    pitch_um: float | None = None,
) -> Scale:
    """Make a scale in exactly one of three ways.

    Parameters
    ----------
    um_per_px : float, optional
        The scale itself.
    known_mm, drawn_px : float, optional
        A known distance on the object, and how long it is in the picture.
    focal_mm, range_mm, pitch_um : float, optional
        Focal length of the lens, distance from the lens to the object, and distance of the sensor's pixels.

    Raises
    ------
    OptionError
        If not exactly one way is given in full, a number is not above 0, or the object is within the focal length.

    Notes
    -----
    A thin lens in focus shows an object at distance r enlarged by f / (r − f), so a pixel is pitch·(r − f)/f
    wide there.
    """
    given = {
        "um_per_px": um_per_px,
        "known_mm": known_mm,
        "drawn_px": drawn_px,
        "focal_mm": focal_mm,
        "range_mm": range_mm,
        "pitch_um": pitch_um,
    }
    values = {name: value for name, value in given.items() if value is not None}
    if tuple(values) not in _WAYS:
        raise OptionError(
            f"a scale of {', '.join(values) or 'nothing'}: give um_per_px, or known_mm and drawn_px, or focal_mm, "
            "range_mm and pitch_um, and nothing of the other two"
        )
    for name, value in values.items():
        if not (isfinite(value) and value > 0.0):
            raise OptionError(f"{name} is {value:g}: it must be a finite number above 0")
    return Scale(_um_per_px(values))


def _um_per_px(values: dict[str, float]) -> float:
    if "um_per_px" in values:
        return values["um_per_px"]
    if "known_mm" in values:
        return 1e3 * values["known_mm"] / values["drawn_px"]
    focal, distance = values["focal_mm"], values["range_mm"]
    if distance <= focal:
        raise OptionError(
            f"range_mm {distance:g} is not beyond focal_mm {focal:g}: give the distance from the lens to the object"
        )
    return values["pitch_um"] * (distance - focal) / focal
