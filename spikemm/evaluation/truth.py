"""The true pictures of a simulated scene, and what a front end can keep of its motion."""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.maps import MapSpec
from spikemm.response import response_map
from spikemm.simulator import Disturbances, Motion, Scene
from spikemm.simulator.keyframes import KeyFrames

__all__ = ["SceneTruth", "even_hop"]

_MANY_PHASES = 1000


class SceneTruth:
    """What a sensor without fault or noise would see of a scene, at any step.

    Pictures come from the simulator's key frames, exact to a few parts in 10⁵; painting each would take 0.3 s.

    Parameters
    ----------
    scene : Scene
    light : float
        Factor on the scene's light.
    rate_hz : float
        Steps per second.

    Attributes
    ----------
    scene : Scene
    rate_hz : float
    rest : numpy.ndarray
        (H, W) float32, the scene undisplaced, spikes per step.
    peak : float
        The brightest light of any of its pictures.
    """

    def __init__(self, scene: Scene, light: float, rate_hz: float) -> None:
        self.scene, self.rate_hz = scene, rate_hz
        self._keys = _key_frames(replace(scene, hz=0.0, motions=()))
        self._light = np.float32(light)
        self.rest = self._displaced(0.0)
        self.peak = max(float(self._displaced(factor).max()) for factor in (-1.0, -0.5, 0.0, 0.5, 1.0))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height of the smallest box around all moving regions."""
        places = np.array([motion.region for motion in self.scene.motions])
        x, y = (int(least) for least in places[:, :2].min(axis=0))
        right, bottom = (int(most) for most in (places[:, :2] + places[:, 2:]).max(axis=0))
        return x, y, right - x, bottom - y

    def at(self, step: float) -> NDArray[np.float32]:
        """Return the picture (H, W) at a step, spikes per step."""
        return self._displaced(self.scene.factor(step, self.rate_hz))

    def response(self, front: MapSpec, motion: Motion) -> float:
        """Return which part of a motion's amplitude `front` keeps.

        The response depends on the light of each pixel; pixels count by the square of their gradient along the motion,
        as they do in a displacement fitted to the region.
        """
        angle = math.radians(motion.angle_deg)
        down, right = np.gradient(self.rest, axis=0), np.gradient(self.rest, axis=1)
        x, y, width, height = motion.region
        region = np.s_[y : y + height, x : x + width]
        weight = np.asarray(math.cos(angle) * right + math.sin(angle) * down)[region] ** 2
        kept = response_map(front, torch.from_numpy(self.rest[region]), motion.hz, self.rate_hz).numpy()
        return float((weight * kept).sum() / weight.sum())

    def _displaced(self, factor: float) -> NDArray[np.float32]:
        piece, weights = self._keys.weights(np.array([factor]), np.zeros(1))
        picture = weights[0].astype(np.float32) @ self._keys.frames[piece[0]] * self._light
        return np.asarray(picture.reshape(self.scene.height, self.scene.width))


@lru_cache(maxsize=8)
def _key_frames(scene: Scene) -> KeyFrames:
    # A sweep asks for the same pictures again and again: frequency and light do not change them.
    return KeyFrames(scene, Disturbances())


def even_hop(hz: float, rate_hz: float, frames_per_period: float) -> int:
    """Return the steps between frames so that about `frames_per_period` of them show a period of `hz`.

    Of the nearest numbers of steps the one that meets the most phases of the motion: 50 steps see 40 Hz at 20 kHz at
    ten phases only, 49 steps at all 500.
    """
    wanted = rate_hz / (hz * frames_per_period)
    near = [hop for hop in range(round(wanted) - 1, round(wanted) + 2) if hop >= 1] or [1]

    def phases(hop: int) -> int:
        turns = np.arange(_MANY_PHASES) * (hop * hz / rate_hz) % 1.0
        return len(np.unique(np.round(turns, 6) % 1.0))

    return max(near, key=lambda hop: (phases(hop) >= 4 * frames_per_period, -abs(hop - wanted)))
