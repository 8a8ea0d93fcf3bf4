"""Motion magnification, frame by frame and causal.

``alpha`` means one thing everywhere: displacement in the output over true displacement of the scene. 0 freezes, 1
leaves the motion as it is in the scene, 10 makes it ten times as large. Modes:

static
    The displacement from a reference, the mean position of about the last second of sensor time, comes out alpha
    times as large. Drift slower than that is followed and not magnified. No frequency is known, so no response is
    divided out: a vibration of which the front end shows the part H comes out alpha·H times as large.
dynamic
    The output at a frame stands alpha·(d − d₋) from where the frame before stood, d and d₋ being the displacements
    of the two: motion between frames is magnified, and what stands still looks as it is. 0 shows the place of one
    frame before.
band
    The displacement inside a band of frequencies comes out alpha times as large, all other motion as it is. The
    front end's response is divided out: by ``warp`` at the frequency that dominates the motion, by ``linear`` at
    the band's centre, so that there a vibration elsewhere in the band is off by the ratio of the responses.

Behind a strobe the frames show a vibration in slow motion, and ``band_hz`` stays in Hz of the scene:
`Strobe.shown_band` tells what of it can be seen and filtered. The slow mean of static mode is then no shorter than two
cycles as they appear, and in static and dynamic mode the front end's response is divided out too, at the strobe's
frequency, as far as the frames show 0.3 of it.

Formula (12) of Zhang et al., *SpikeMM*, writes the factor as 1 + α; here it is the whole factor.
"""

from pathlib import Path

from spikemm.exceptions import OptionError
from spikemm.magnification.base import FrameMagnifier, Magnifier
from spikemm.magnification.delay import PhaseDelay, phase_delay
from spikemm.magnification.learned.compact import CompactMagnifier
from spikemm.magnification.learned.mdlmm import MdlmmMagnifier
from spikemm.magnification.learned.oh2018 import Oh2018Magnifier
from spikemm.magnification.linear import LinearMagnifier
from spikemm.magnification.options import Axis, MagnifierOptions, Mode, Region
from spikemm.magnification.riesz import RieszMagnifier
from spikemm.magnification.steerable import SteerableMagnifier
from spikemm.magnification.warp import WarpMagnifier
from spikemm.maps import MapSpec
from spikemm.strobe import Strobe

__all__ = [
    "MAGNIFIERS",
    "Axis",
    "Magnifier",
    "MagnifierOptions",
    "Mode",
    "PhaseDelay",
    "Region",
    "make_magnifier",
    "phase_delay",
]

MAGNIFIERS: dict[str, type[FrameMagnifier]] = {
    "warp": WarpMagnifier,
    "riesz": RieszMagnifier,
    "phase": SteerableMagnifier,
    "linear": LinearMagnifier,
    "compact": CompactMagnifier,
    "mdlmm": MdlmmMagnifier,
    "oh2018": Oh2018Magnifier,
}
"""The methods by name."""


def make_magnifier(
    method: str,
    *,
    alpha: float,
    mode: Mode,
    band_hz: tuple[float, float] | None = None,
    rate_hz: float,
    hop: int,
    front: MapSpec,
    height: int,
    width: int,
    device: str = "cpu",
    axis: Axis | None = None,
    regions: tuple[Region, ...] = (),
    steady: Region | None = None,
    weights: Path | None = None,
    strobe: Strobe | None = None,
) -> Magnifier:
    """Build a magnifier; `MagnifierOptions` says what the options mean.

    Raises
    ------
    OptionError
        If there is no such method, or an option is out of its range or contradicts another.
    """
    if method not in MAGNIFIERS:
        raise OptionError(f"magnification method {method!r} is unknown; take one of {', '.join(MAGNIFIERS)}")
    options = MagnifierOptions(
        alpha=alpha,
        mode=mode,
        band_hz=band_hz,
        rate_hz=rate_hz,
        hop=hop,
        front=front,
        height=height,
        width=width,
        device=device,
        axis=axis,
        regions=regions,
        steady=steady,
        weights=weights,
        strobe=strobe,
    )
    return MAGNIFIERS[method](options)
