"""Light that changes slowly: the shadow that wanders and the twig that sways, linear over short segments of time."""

import math

import numpy as np
from numpy.typing import NDArray

from spikemm.simulator.layout import Layout
from spikemm.simulator.scene import Scene
from spikemm.simulator.sensor import Disturbances

__all__ = ["SlowLight"]

_SWAY_GRID_PX = 0.125


class SlowLight:
    """What the sway adds to the light and what the shade leaves of it, at the ends of equal segments of time.

    Parameters
    ----------
    scene, disturbances :
        Where and how much.
    gains : ndarray
        (H·W,) float32, the pixels' gains; they apply to what the sway adds, too.
    layout : Layout
        How the kernels want the maps.
    seed : int
        Of the gusts.
    """

    def __init__(
        self, scene: Scene, disturbances: Disturbances, gains: NDArray[np.float32], layout: Layout, seed: int
    ) -> None:
        self._scene = scene
        self._disturbances = disturbances
        self._gains = gains
        self._layout = layout
        self._seed = seed
        self._on = disturbances.air_px > 0.0 or disturbances.shadow_depth > 0.0
        self._segment = -1
        self._maps = np.empty((0, 0), np.float32)
        self._end = np.empty((0, 0), np.float32)
        self._added: dict[int, NDArray[np.float32]] = {}
        self._prepare_sway()

    def between(self, segment: int, seconds: float) -> NDArray[np.float32]:
        """Return the maps of a segment.

        Parameters
        ----------
        segment : int
            Its number; segments follow one another from time 0.
        seconds : float
            Length of a segment.

        Returns
        -------
        ndarray
            (4, blocks · 512) float32: light added at the start, its change until the end, shade at the start, its
            change; (0, 0) where neither is on.
        """
        if self._on and segment != self._segment:
            follows = segment == self._segment + 1 and self._end.size > 0
            start = self._end if follows else self._at(segment * seconds)
            self._end = self._at((segment + 1) * seconds)
            change = self._end - start
            self._maps = np.stack([start[0], change[0], start[1], change[1]])
            self._segment = segment
        return self._maps

    def _at(self, seconds: float) -> NDArray[np.float32]:
        added = np.zeros_like(self._gains)
        if self._disturbances.air_px > 0.0:
            added[self._twig] = self._sway(self._disturbances.sway(seconds, self._seed))
        shade = self._disturbances.shade(self._scene.height, self._scene.width, seconds)
        maps: NDArray[np.float32] = self._layout.to_blocks(np.stack([added, shade.ravel()])).reshape(2, -1)
        return maps

    def _prepare_sway(self) -> None:
        y, x = (axis.ravel() for axis in np.mgrid[0.0 : self._scene.height, 0.0 : self._scene.width])
        self._twig = self._scene.sways(x, y, 4.0 * self._disturbances.air_px)
        self._x, self._y = x[self._twig], y[self._twig]

    def _sway(self, px: float) -> NDArray[np.float32]:
        low = math.floor(px / _SWAY_GRID_PX)
        part = np.float32(px / _SWAY_GRID_PX - low)
        return self._grid(low) * (1 - part) + self._grid(low + 1) * part

    def _grid(self, number: int) -> NDArray[np.float32]:
        # Painted when first needed: gusts reach the ends of the range seldom.
        if number not in self._added:
            rest = self._scene.light(self._x, self._y, 0.0)
            swayed = self._scene.light(self._x, self._y, 0.0, sway_px=number * _SWAY_GRID_PX)
            self._added[number] = (swayed - rest) * self._gains[self._twig]
        return self._added[number]
