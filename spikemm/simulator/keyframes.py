"""A vibrating scene as a few key frames whose weighted sum is the picture at any displacement.

The pictures are smooth on the scale of a pixel, so between displacements that are half a pixel apart a cubic through
four Chebyshev nodes is exact to a few parts in 10⁵. Painting, 0.3 s a frame, becomes four multiply-adds a pixel.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spikemm.simulator.scene import Scene
from spikemm.simulator.sensor import Disturbances

__all__ = ["KeyFrames"]

_PIECE_PX = 0.5
_NODES = np.cos(math.pi * (np.arange(4) + 0.5) / 4.0)


class KeyFrames:
    """The key frames of one scene, disturbed by nothing but the desk's shake.

    The range of the motion is cut into pieces of at most half a pixel; each piece has four nodes, times four for the
    shake where there is one.

    Attributes
    ----------
    frames : ndarray
        (pieces, K, H·W) float32.
    moving : ndarray
        (H·W,) bool, the pixels whose light depends on the motion or the shake.
    """

    def __init__(self, scene: Scene, disturbances: Disturbances) -> None:
        self._scene = scene
        self._disturbances = disturbances
        self._motion_nodes = _NODES
        self._shake_nodes = _NODES if disturbances.desk_px > 0.0 else np.zeros(1)
        self._pieces = max(1, math.ceil(2.0 * scene.px / _PIECE_PX))
        self._y, self._x = (axis.ravel() for axis in np.mgrid[0.0 : scene.height, 0.0 : scene.width])
        rest = self._paint(slice(None), 0.0, 0.0)
        self.moving = np.zeros(rest.size, bool)
        for factor, shake in ((-1.0, -1.0), (0.37, 0.41), (1.0, 1.0)):
            self.moving |= self._paint(slice(None), factor, shake) != rest
        self.frames = self._paint_all(rest)

    def weights(
        self, factors: NDArray[np.float64], shakes: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the piece (n,) and the weights (n, K) of its key frames.

        Parameters
        ----------
        factors, shakes : ndarray
            (n,) displacements of the motion and of the desk, as fractions of their amplitudes.
        """
        along = 0.5 * (factors + 1.0) * self._pieces
        piece = np.clip(along.astype(np.int64), 0, self._pieces - 1)
        motion = _lagrange(2.0 * (along - piece) - 1.0, self._motion_nodes)
        shake = _lagrange(shakes, self._shake_nodes)
        return piece, (motion[:, :, None] * shake[:, None, :]).reshape(factors.size, -1)

    def _paint_all(self, rest: NDArray[np.float32]) -> NDArray[np.float32]:
        terms = self._motion_nodes.size * self._shake_nodes.size
        frames = np.tile(rest, (self._pieces, terms, 1))
        for piece in range(self._pieces):
            factors = (2.0 * piece + 1.0 + self._motion_nodes) / self._pieces - 1.0
            pairs = [(factor, shake) for factor in factors for shake in self._shake_nodes]
            for term, (factor, shake) in enumerate(pairs):
                frames[piece, term, self.moving] = self._paint(self.moving, factor, shake)
        return frames

    def _paint(self, which: slice | NDArray[np.bool_], factor: float, shake: float) -> NDArray[np.float32]:
        shake_px = self._disturbances.shake_px(shake)
        return self._scene.light(self._x[which], self._y[which], factor, shake_px=shake_px)


def _lagrange(at: NDArray[np.float64], nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    columns = [
        np.prod([(at - other) / (node - other) for other in nodes if other != node], axis=0) * np.ones_like(at)
        for node in nodes
    ]
    return np.stack(columns, axis=1)
