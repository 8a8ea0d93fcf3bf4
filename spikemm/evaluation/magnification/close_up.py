"""A part of a simulated scene: as sharp as the whole in few pixels, and sooner painted than the whole made smaller."""

from dataclasses import dataclass, replace

import numpy as np

from spikemm.simulator import Scene
from spikemm.simulator.scene import Paint
from spikemm.simulator.texture import Plane

__all__ = ["around", "close_up", "enlarged"]

Region = tuple[int, int, int, int]

_OFF_BORDER_PX = 4
_SMALLEST_PX = 8


@dataclass(frozen=True)
class _Shifted:
    """What paints a scene, its origin moved to the right and down."""

    paint: Paint
    left: float
    top: float

    def __call__(self, x: Plane, y: Plane, move_px: float, sway_px: float) -> Plane:
        return self.paint(x + self.left, y + self.top, move_px, sway_px)


def around(scene: Scene, height: int, width: int) -> Region:
    """Return x, y, width, height of the part of a scene around all that moves.

    Where that does not fit into `height` × `width` px it is the part around the first motion; a scene that is smaller
    is shown whole.
    """
    height, width = min(height, scene.height), min(width, scene.width)
    places = np.array([motion.region for motion in scene.motions])
    least, most = places[:, :2].min(axis=0), (places[:, :2] + places[:, 2:]).max(axis=0)
    if np.any(most - least > (width, height)):
        least, most = places[0, :2], places[0, :2] + places[0, 2:]
    x = int(np.clip(round((least[0] + most[0] - width) / 2), 0, scene.width - width))
    y = int(np.clip(round((least[1] + most[1] - height) / 2), 0, scene.height - height))
    return x, y, width, height


def close_up(scene: Scene, part: Region) -> Scene:
    """Return a part of a scene.

    Parameters
    ----------
    scene : Scene
        Painted one unit of its canvas a pixel, as `spikemm.simulator.make_scene` does at its usual size.
    part : tuple of int
        x, y, width, height.

    Returns
    -------
    Scene
        Its motions are what is seen of the regions, 4 px off the border, if that is 8×8 px or more.
    """
    left, top, width, height = part
    seen = [(motion, _seen(motion.region, part)) for motion in scene.motions]
    return replace(
        scene,
        height=height,
        width=width,
        canvas=(float(width), float(height)),
        motions=tuple(replace(motion, region=region) for motion, region in seen if min(region[2:]) >= _SMALLEST_PX),
        paint=_Shifted(scene.paint, left, top),
    )


def enlarged(scene: Scene, scale: int) -> Scene:
    """Return the same view on `scale` times as many pixels each way; amplitude and regions in those pixels."""
    motions = [replace(one, px=one.px * scale, region=_times(one.region, scale)) for one in scene.motions]
    height, width = scene.height * scale, scene.width * scale
    return replace(scene, height=height, width=width, px=scene.px * scale, motions=tuple(motions))


def _seen(region: Region, part: Region) -> Region:
    """Return what of a region lies in a part, 4 px off its border, in the part's coordinates."""
    x, y, width, height = region
    left, top, wide, high = part
    first = max(x - left, _OFF_BORDER_PX), max(y - top, _OFF_BORDER_PX)
    last = min(x - left + width, wide - _OFF_BORDER_PX), min(y - top + height, high - _OFF_BORDER_PX)
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def _times(region: Region, scale: int) -> Region:
    x, y, width, height = region
    return x * scale, y * scale, width * scale, height * scale
