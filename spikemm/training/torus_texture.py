"""Textures without end or seam, moved by any fraction of a pixel without error."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["TorusTexture", "draw_texture"]

SIDE_PX = 128
"""Period of the textures in both directions."""

_OVERSAMPLED = 2
_SMALLEST_PX, _LARGEST_PX = 2.0, 40.0
_COVERED = 2.5
"""How often the leaves cover the torus."""

_LENS_PX = 0.7
"""Standard deviation of the blur of leaves by lens and pixel."""


@dataclass(frozen=True, eq=False)
class TorusTexture:
    """A periodic, band-limited texture of mean 0 and standard deviation 1.

    Attributes
    ----------
    spectrum : ndarray
        (128, 65) complex64, its real Fourier transform.
    """

    spectrum: NDArray[np.complex64]

    def at(self, right: float, down: float, side: int) -> NDArray[np.float32]:
        """Return a (side, side) float32 crop of the texture moved to the right and down by any distance (px)."""
        turns = np.outer(np.exp(-1j * down * _frequencies()[0]), np.exp(-1j * right * _frequencies()[1]))
        moved = fft.irfft2(self.spectrum * turns.astype(np.complex64), (SIDE_PX, SIDE_PX))
        picture: NDArray[np.float32] = np.tile(moved, (-(-side // SIDE_PX),) * 2)[:side, :side]
        return picture


@lru_cache(maxsize=512)
def draw_texture(seed: int, number: int) -> TorusTexture:
    """Draw texture `number` of a seed: half of them dead leaves, half noise with a spectrum like that of nature.

    Notes
    -----
    Dead leaves: Lee, Mumford and Huang, "Occlusion models for natural images" (2001), with radii of density r⁻³.
    """
    rng = np.random.default_rng((seed, 0x7E, number))
    spectrum = _leaves(rng) if number % 2 else _noise(rng)
    spectrum[0, 0] = 0.0
    # What stands at half the sampling rate cannot be moved by a fraction of a pixel.
    spectrum[SIDE_PX // 2] = spectrum[:, -1] = 0.0
    spread = float(np.std(fft.irfft2(spectrum)))
    return TorusTexture((spectrum / max(spread, 1e-9)).astype(np.complex64))


@lru_cache(maxsize=1)
def _frequencies() -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Radians per px of the rows and columns of a spectrum."""
    return 2.0 * np.pi * np.fft.fftfreq(SIDE_PX), 2.0 * np.pi * np.fft.rfftfreq(SIDE_PX)


def _radius() -> NDArray[np.float64]:
    down, right = _frequencies()
    radius: NDArray[np.float64] = np.hypot(down[:, None], right[None, :])
    return radius


def _noise(rng: np.random.Generator) -> NDArray[np.complex128]:
    radius, fall = _radius(), rng.uniform(0.0, 2.0)
    finest = np.exp(rng.uniform(np.log(0.8), np.log(4.0)))
    white = fft.rfft2(rng.standard_normal((SIDE_PX, SIDE_PX)))
    stretched = _stretched(rng)
    noise: NDArray[np.complex128] = white * (radius + 0.05) ** -fall * np.exp(-0.5 * (finest * stretched) ** 2)
    return noise


def _stretched(rng: np.random.Generator) -> NDArray[np.float64]:
    """Radial frequency of a grain that is up to three times as long as wide, in a random direction."""
    down, right = _frequencies()
    turn, longer = rng.uniform(0.0, np.pi), 1.0 + 2.0 * rng.random() ** 2
    along = np.cos(turn) * right[None, :] + np.sin(turn) * down[:, None]
    across = np.cos(turn) * down[:, None] - np.sin(turn) * right[None, :]
    stretched: NDArray[np.float64] = np.hypot(longer * along, across)
    return stretched


def _leaves(rng: np.random.Generator) -> NDArray[np.complex128]:
    side = _OVERSAMPLED * SIDE_PX
    picture = np.full((side, side), rng.random())
    smallest = np.exp(rng.uniform(np.log(_SMALLEST_PX), np.log(0.4 * _LARGEST_PX)))
    covered = 0.0
    while covered < _COVERED * side * side:
        share = rng.random()
        radius = _OVERSAMPLED * ((1.0 - share) / smallest**2 + share / _LARGEST_PX**2) ** -0.5
        covered += _lay_leaf(rng, picture, radius)
    spectrum = fft.rfft2(picture)
    half = SIDE_PX // 2
    kept = np.concatenate((spectrum[:half, : half + 1], spectrum[-half:, : half + 1]))
    return kept * np.exp(-0.5 * (_LENS_PX * _radius()) ** 2)


def _lay_leaf(rng: np.random.Generator, picture: NDArray[np.float64], radius: float) -> float:
    """Lay an ellipse or a rectangle over the picture, in place; return its area."""
    side, reach = len(picture), min(int(radius) + 1, len(picture) // 2)
    offset = np.arange(-reach, reach)
    middle, turn, slim = rng.integers(side, size=2), rng.uniform(0.0, np.pi), rng.uniform(0.3, 1.0)
    along = np.cos(turn) * offset + np.sin(turn) * offset[:, None]
    across = (np.cos(turn) * offset[:, None] - np.sin(turn) * offset) / slim
    inside = along**2 + across**2 < radius**2
    if rng.random() < 0.5:
        inside = np.maximum(np.abs(along), np.abs(across)) < 0.7 * radius
    rows, columns = ((offset + place) % side for place in middle)
    area = np.ix_(rows, columns)
    picture[area] = np.where(inside, rng.random(), picture[area])
    return float(inside.sum())
