"""From a scene's key frames to spikes: looked up where nothing disturbs the scene, computed where something does."""

import numpy as np
from numpy.typing import NDArray

from spikemm.simulator.kernels import FULL, fire_from_rows, fire_from_sums
from spikemm.simulator.keyframes import KeyFrames
from spikemm.simulator.layout import BLOCK, Layout
from spikemm.simulator.scene import Scene
from spikemm.simulator.sensor import Disturbances, Sensor
from spikemm.simulator.slow import SlowLight

__all__ = ["ComputedLight", "LookedUpLight"]

_LEVELS = 129
_DITHERS = 8
_SEGMENT_SECONDS = 0.005


class _Pixels:
    """What both kinds share: the sensor's own pixels, and the displacement at every step."""

    def __init__(self, scene: Scene, sensor: Sensor, disturbances: Disturbances, rate_hz: float, seed: int) -> None:
        self._scene = scene
        self._disturbances = disturbances
        self._rate_hz = rate_hz
        self._seed = seed
        self._count = scene.height * scene.width
        rng = np.random.default_rng((seed, 0xC0))
        self._first_charge = rng.random(self._count, dtype=np.float32)
        self._gains = sensor.gains(self._count, rng)
        self._dark = sensor.dark(self._count, rng)
        self._keys = KeyFrames(scene, disturbances)
        self._layout = Layout(self._keys.moving)

    def _factors(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._scene.factors(steps.astype(np.float64) + 0.5, self._rate_hz)

    def _blocks(self, frame: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks: NDArray[np.float32] = self._layout.to_blocks(frame[None]).ravel()
        return blocks


class LookedUpLight(_Pixels):
    """Light from a table: a block that moves has a row for each of 129 displacements, any other a few dithered rows.

    The rounding to 1/32768 differs from row to row, so over time it averages out even in the dark.
    """

    def __init__(self, scene: Scene, sensor: Sensor, disturbances: Disturbances, rate_hz: float, seed: int) -> None:
        super().__init__(scene, sensor, disturbances, rate_hz, seed)
        moving = np.arange(self._layout.blocks) < self._layout.moving_blocks
        self._column = moving.astype(np.uint64)
        heights = np.where(moving, _LEVELS, _DITHERS)
        self._first = (np.cumsum(heights) - heights).astype(np.uint64)
        self._rows = np.empty((int(heights.sum()), BLOCK), np.uint16)
        self._fill(moving)
        charge = self._blocks(self._first_charge) * np.float32(FULL)
        self._charge = np.minimum(charge, FULL - 1).astype(np.uint16)

    def fire(self, step: int, count: int) -> NDArray[np.uint8]:
        """Return (count, ⌈H·W/8⌉) packed spikes from `step` on, which must follow the last call's."""
        out = np.empty((self._layout.blocks, count, 64), np.uint8)
        steps = np.arange(step, step + count)
        level = np.rint(0.5 * (self._factors(steps) + 1.0) * (_LEVELS - 1))
        index = np.stack([steps % _DITHERS, level], axis=1).astype(np.uint64)
        fire_from_rows(self._charge, self._rows.ravel(), self._first, self._column, index, out.reshape(-1))
        return self._layout.to_picture(out)

    def _fill(self, moving: NDArray[np.bool_]) -> None:
        piece, weights = self._keys.weights(np.linspace(-1.0, 1.0, _LEVELS), np.zeros(_LEVELS))
        for level in range(_LEVELS):
            light = weights[level].astype(np.float32) @ self._keys.frames[piece[level]]
            blocks = self._fixed_point(light, 0.6180339887 * level % 1.0)
            self._rows[self._first[moving] + np.uint64(level)] = blocks[moving]
        rest = self._keys.frames[0, 0]
        for row in range(_DITHERS):
            blocks = self._fixed_point(rest, (5 * row % _DITHERS + 0.5) / _DITHERS)
            self._rows[self._first[~moving] + np.uint64(row)] = blocks[~moving]

    def _fixed_point(self, light: NDArray[np.float32], dither: float) -> NDArray[np.uint16]:
        exact = np.clip(light * self._gains + self._dark, 0.0, 1.0) * np.float32(FULL)
        blocks: NDArray[np.uint16] = self._layout.to_blocks(
            np.floor(exact + np.float32(dither)).astype(np.uint16)[None]
        )[0]
        return np.minimum(blocks, FULL)


class ComputedLight(_Pixels):
    """Light as a weighted sum of key frames, with lamp, shadow, sway and noise applied at every step."""

    def __init__(self, scene: Scene, sensor: Sensor, disturbances: Disturbances, rate_hz: float, seed: int) -> None:
        super().__init__(scene, sensor, disturbances, rate_hz, seed)
        pieces, terms, _ = self._keys.frames.shape
        keys = self._layout.to_blocks(self._keys.frames.reshape(pieces * terms, -1) * self._gains)
        keys = keys.reshape(pieces, terms, -1, BLOCK).transpose(2, 0, 1, 3)
        self._sets = np.ascontiguousarray(keys).ravel()
        self._first = np.arange(keys.shape[0], dtype=np.uint64) * np.uint64(pieces)
        self._charge = self._blocks(self._first_charge)
        self._dark_blocks = self._blocks(self._dark)
        self._spread = self._noise(sensor.temporal_noise)
        self._slow = SlowLight(scene, disturbances, self._gains, self._layout, seed)
        self._segment_steps = max(1, round(_SEGMENT_SECONDS * rate_hz))

    def fire(self, step: int, count: int) -> NDArray[np.uint8]:
        """Return (count, ⌈H·W/8⌉) packed spikes from `step` on, which must follow the last call's."""
        parts, stop = [], step + count
        while step < stop:
            segment_stop = (step // self._segment_steps + 1) * self._segment_steps
            parts.append(self._fire_within_segment(np.arange(step, min(stop, segment_stop))))
            step = min(stop, segment_stop)
        return np.concatenate(parts)

    def _fire_within_segment(self, steps: NDArray[np.int64]) -> NDArray[np.uint8]:
        seconds = (steps.astype(np.float64) + 0.5) / self._rate_hz
        shakes = self._disturbances.shake(seconds)
        piece, weights = self._keys.weights(self._factors(steps), shakes)
        lit = (weights * self._disturbances.lamp(seconds)[:, None]).astype(np.float32)
        segment = int(steps[0]) // self._segment_steps
        slow = self._slow.between(segment, self._segment_steps / self._rate_hz)
        drift = ((steps + 0.5) / self._segment_steps - segment).astype(np.float32)
        out = np.empty((self._layout.blocks, steps.size, 64), np.uint8)
        fire_from_sums(
            self._charge, self._sets, self._first, piece.astype(np.uint64), lit, slow, drift, self._dark_blocks,
            self._spread, self._salt(steps), out.reshape(-1),
        )  # fmt: skip
        return self._layout.to_picture(out)

    def _noise(self, temporal_noise: float) -> NDArray[np.float32]:
        if temporal_noise == 0.0:
            return np.empty(0, np.float32)
        rest = self._scene.frame().ravel() * self._gains
        return self._blocks(np.float32(temporal_noise) * np.sqrt(rest))

    def _salt(self, steps: NDArray[np.int64]) -> NDArray[np.uint32]:
        # Two rounds of the 64-bit finaliser of splitmix64: neighbouring steps and seeds share nothing.
        mixed = steps.astype(np.uint64) + np.uint64((self._seed * 0x9E3779B97F4A7C15) % 2**64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed >> np.uint64(32)).astype(np.uint32)
