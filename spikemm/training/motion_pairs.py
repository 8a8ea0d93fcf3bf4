"""Pairs of frames of a small motion, with the picture of the motion magnified, to train magnifiers on."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.simulator.random_brush import Shape, draw_shape
from spikemm.simulator.texture import over
from spikemm.training.torus_texture import TorusTexture, draw_texture

__all__ = ["MotionPairs", "PairRanges", "draw_pairs", "interval_frame"]

_WINDOWS = (8, 16, 32, 64, 256, 512)
_SCENES_PER_TEXTURE = 10
_BRIGHTEST = 0.95
_WHITE = 0.6
"""What the brightest percent of a frame is scaled to, as `LearnedMagnifier` does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRanges:
    """What is drawn: every range evenly on a logarithmic scale.

    Attributes
    ----------
    side : int
        Height and width of a frame, px.
    alpha : tuple of float
        Total factor.
    input_px : tuple of float
        Length of the largest motion in a frame.
    output_px : float
        Most that its magnified motion may be; limits the factor.
    scenes : int
        How many scenes are in use at a time; every iteration a new one takes the place of the oldest.
    textures : int
        How many textures they are made of; every tenth scene a new one takes the place of the oldest.
    """

    side: int = 96
    alpha: tuple[float, float] = (1.0, 100.0)
    input_px: tuple[float, float] = (0.02, 2.0)
    output_px: float = 30.0
    scenes: int = 256
    textures: int = 256


@dataclass(frozen=True)
class MotionPairs:
    """A batch of pairs; frames are scaled to −1 (no light) … 0.6 (their brightest percent).

    Attributes
    ----------
    before, after : torch.Tensor
        (n, 1, H, W) float32: two noisy frames.
    truth : torch.Tensor
        (n, 1, H, W): what `after` is without noise where the motion since `before` is `alpha` times as large.
    still : torch.Tensor
        (n, 1, H, W): `after` without noise.
    alpha : torch.Tensor
        (n, 1, 1, 1).
    motion : torch.Tensor
        (n, 2, H, W): what moved to the right and down from `before` to `after`, px, at its place in `after`.
    relit : torch.Tensor
        (n, 2, 1, 1): gain and offset of another lighting, for what should not depend on it.
    """

    before: torch.Tensor
    after: torch.Tensor
    truth: torch.Tensor
    still: torch.Tensor
    alpha: torch.Tensor
    motion: torch.Tensor
    relit: torch.Tensor

    def to(self, device: str) -> "MotionPairs":
        """Return the same pairs on a device."""
        return MotionPairs(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True, eq=False)
class _Layer:
    """A texture of a shape, or without an end where it has none, that moves by (right, down) px."""

    texture: TorusTexture
    shape: Shape | None
    light: float
    contrast: float
    start: tuple[float, float]
    right: float
    down: float

    def picture(self, side: int, part: float) -> NDArray[np.float64]:
        """Return the light of the surface, `part` of its motion done."""
        x, y = self.start[0] + part * self.right, self.start[1] + part * self.down
        grain = self.texture.at(x, y, side).astype(np.float64)
        lit: NDArray[np.float64] = self.light * np.maximum(1.0 + self.contrast * grain, 0.1)
        return lit

    def cover(self, side: int, part: float) -> NDArray[np.float64] | float:
        """Return how much of each pixel the surface covers then."""
        if self.shape is None:
            return 1.0
        y, x = np.mgrid[0.5:side, 0.5:side]
        return self.shape.covered(x - part * self.right, y - part * self.down)


@dataclass(frozen=True, eq=False)
class _Scene:
    """Light (3, H, W) before and after a motion (2, H, W), and where the motion is `alpha` times as large."""

    light: NDArray[np.float32]
    alpha: float
    motion: NDArray[np.float32]


def draw_pairs(rng: np.random.Generator, ranges: PairRanges, *, count: int, seed: int, iteration: int) -> MotionPairs:
    """Draw `count` pairs of the scenes in use at an iteration; they depend on the arguments alone.

    A scene that is drawn again is turned, lit and noisy in another way.
    """
    numbers = iteration + rng.integers(ranges.scenes, size=count)
    samples = [_seen(rng, _turned(_scene(ranges, seed, int(k)), int(rng.integers(8)))) for k in numbers]
    return MotionPairs(*(torch.from_numpy(np.stack(parts).astype(np.float32)) for parts in zip(*samples, strict=True)))


def interval_frame(
    rng: np.random.Generator, light: NDArray[np.float32], window: int, noise: float
) -> NDArray[np.float32]:
    """Return what the ``interval`` front end shows of steady light (spikes per step): it is quantised by whole steps.

    `noise` is the standard deviation of what comes on top, relative to a light of 1, with the root of the light.
    """
    if noise > 0.0:
        light = light + np.float32(noise) * np.sqrt(light) * rng.standard_normal(light.shape, np.float32)
    light = np.clip(light, 1e-3, 1.0)
    phase = rng.random(light.shape, np.float32)
    before = np.ceil(-phase / light)
    spikes = np.floor(light * window + phase) + 1.0
    frame: NDArray[np.float32] = spikes / (np.ceil((spikes - phase) / light) - before)
    return frame


def _seen(rng: np.random.Generator, scene: _Scene) -> tuple[NDArray[np.float32], ...]:
    """Look at a scene with a sensor; the parts are those of `MotionPairs`."""
    before, after, truth = scene.light
    exposure = _between(rng, 0.15, 1.0)
    lamp = exposure * (1.0 + (0.02 * rng.standard_normal() if rng.random() < 0.5 else 0.0))
    window = int(rng.choice(_WINDOWS))
    noise = 0.01 * float(rng.random()) if rng.random() < 0.3 else 0.0
    # A corrected sensor keeps a little of its pattern, in the same places of both frames.
    pattern = 1.0 + 0.004 * rng.random() * rng.standard_normal(before.shape, np.float32)
    lights = exposure * before * pattern, lamp * after * pattern
    seen = [interval_frame(rng, light, window, noise) for light in lights]
    scale = (1.0 + _WHITE) / float(np.quantile(seen[1][::2, ::2], 0.99))
    frames = [(scale * light - 1.0)[None] for light in (*seen, lamp * truth, lamp * after)]
    relit = np.array([rng.uniform(0.7, 1.3), rng.uniform(-0.15, 0.15)])[:, None, None]
    return *frames, np.full((1, 1, 1), scene.alpha), scene.motion, relit


def _turned(scene: _Scene, symmetry: int) -> _Scene:
    """Mirror a scene to the right, down, and about its diagonal, by the bits of `symmetry`."""
    light, motion = scene.light, scene.motion
    for axis in range(2):
        if symmetry >> axis & 1:
            light, motion = np.flip(light, 2 - axis), np.flip(motion, 2 - axis).copy()
            motion[axis] *= -1.0
    if symmetry & 4:
        light, motion = light.transpose(0, 2, 1), motion[::-1].transpose(0, 2, 1)
    return _Scene(light, scene.alpha, motion)


@lru_cache(maxsize=1024)
def _scene(ranges: PairRanges, seed: int, number: int) -> _Scene:
    rng = np.random.default_rng((seed, 0x5C, number))
    px = _between(rng, *ranges.input_px)
    alpha = min(_between(rng, *ranges.alpha), ranges.output_px / px)
    layers = _draw_layers(rng, ranges, seed, number // _SCENES_PER_TEXTURE, px)
    light = np.stack([_paint(layers, ranges.side, part) for part in (0.0, 1.0, alpha)])
    return _Scene(light.astype(np.float32), alpha, _motion(layers, ranges.side))


def _draw_layers(rng: np.random.Generator, ranges: PairRanges, seed: int, first: int, px: float) -> list[_Layer]:
    """Draw a background, which stands still in two of three, and up to three shapes; `px` is the largest motion."""
    shapes = int(rng.integers(4))
    together, main = rng.random() < 0.4, rng.uniform(0.0, math.tau)
    layers = []
    for number in range(shapes + 1):
        ground = number == 0
        moves = rng.random() < (0.4 if ground and shapes else 0.85)
        length = px if together or number == shapes else _between(rng, 0.1 * px, px)
        angle = main if together else rng.uniform(0.0, math.tau)
        length = length if moves else 0.0
        texture = draw_texture(seed, first + int(rng.integers(ranges.textures)))
        layers.append(
            _Layer(
                texture,
                None if ground else _draw_shape(rng, ranges.side),
                light=_between(rng, 0.1, 0.7),
                contrast=_between(rng, 0.03, 0.4),
                start=(float(rng.uniform(0.0, 1024.0)), float(rng.uniform(0.0, 1024.0))),
                right=length * math.cos(angle),
                down=length * math.sin(angle),
            )
        )
    return layers


def _draw_shape(rng: np.random.Generator, side: int) -> Shape:
    """Draw the larger of two shapes: most are small."""
    return max((draw_shape(rng, side, side) for _ in range(2)), key=lambda shape: shape.radius)


def _paint(layers: list[_Layer], side: int, part: float) -> NDArray[np.float64]:
    light = layers[0].picture(side, part)
    for layer in layers[1:]:
        light = over(light, layer.picture(side, part), np.asarray(layer.cover(side, part)))
    return np.minimum(light, _BRIGHTEST)


def _motion(layers: list[_Layer], side: int) -> NDArray[np.float32]:
    """Return (2, H, W) what moves at each place of the second frame."""
    motion = np.zeros((2, side, side), np.float32)
    for layer in layers:
        covered = layer.cover(side, 1.0)
        for axis, length in enumerate((layer.right, layer.down)):
            motion[axis] += (length - motion[axis]) * covered
    return motion


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
