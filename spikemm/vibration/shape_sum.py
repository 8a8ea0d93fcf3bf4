"""The part of a stream of pictures that repeats at a frequency, gathered in a handful of pictures."""

from collections.abc import Sequence
from math import tau

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.response import KEPT, response_map

__all__ = ["HARMONICS", "Cycle", "ShapeSum", "separable_harmonics"]

HARMONICS = 3
"""Of the light of a pixel over a cycle: an edge that swings by its own blur has little beyond the third."""

_APART_CYCLES = 2.0
"""Cycles in the record by which frequencies must differ to be told apart."""


_SOLVABLE = 1e3


class Cycle:
    """One cycle of a vibration: a mean picture, and cosine and sine pictures of each harmonic.

    Parameters
    ----------
    pictures : torch.Tensor
        (2k + 1, H, W): mean, cosine and sine of the first harmonic, and so on.
    """

    def __init__(self, pictures: torch.Tensor) -> None:
        self._pictures = pictures

    @property
    def still(self) -> torch.Tensor:
        """(H, W) mean picture."""
        return self._pictures[0]

    def at(self, phase: float) -> torch.Tensor:
        """Return the (H, W) picture at a phase in radians."""
        weights = _waves(np.array([phase]), len(self._pictures) // 2)[0]
        return torch.einsum("k,khw->hw", torch.from_numpy(weights).to(self._pictures), self._pictures)

    def phase_after(self, earlier: "Cycle") -> float:
        """Phase in radians by which this cycle runs behind an earlier one, by the first harmonic."""
        (cosine, sine), (cosine_before, sine_before) = self._pictures[1:3], earlier._pictures[1:3]
        along = float((cosine * cosine_before + sine * sine_before).sum())
        across = float((sine * cosine_before - cosine * sine_before).sum())
        return float(np.arctan2(across, along))


class ShapeSum:
    """Sum up frames by their phase in the cycle; memory is a picture for the mean and two a harmonic.

    Frames need not hit the same phases again and again, as bins would want: with the phase of every frame known, least
    squares gives the harmonics, also of a vibration faster than half the frame rate. What the front end's window keeps
    of each harmonic is divided out pixel by pixel.

    Parameters
    ----------
    frequency_hz : float
        The vibration's.
    harmonics : sequence of int
        Which can be told apart, see `separable_harmonics`.
    rate_hz : float
        Steps per second.
    """

    def __init__(self, frequency_hz: float, harmonics: Sequence[int], rate_hz: float) -> None:
        self._hz, self._rate_hz = frequency_hz, rate_hz
        self._harmonics = tuple(harmonics)
        columns = [0, *(2 * h - 1 + part for h in self._harmonics for part in (0, 1))]
        self._columns = columns
        self._normal = np.zeros((len(columns), len(columns)))
        self._sums: torch.Tensor | None = None

    @property
    def solvable(self) -> bool:
        """Whether there are frames enough."""
        return bool(np.linalg.cond(self._normal) < _SOLVABLE)

    def push(self, frames: torch.Tensor, steps: NDArray[np.int64]) -> None:
        """Add (n, H, W) frames with their steps."""
        # Whole cycles off first: a product of frequency and step loses digits after days.
        cycles = np.fmod(self._hz * steps / self._rate_hz, 1.0)
        waves = _waves(tau * cycles, max(self._harmonics))[:, self._columns]
        self._normal += waves.T @ waves
        added = torch.from_numpy(waves.T).to(frames) @ frames.reshape(len(frames), -1)
        added = added.reshape(-1, *frames.shape[1:])
        self._sums = added if self._sums is None else self._sums.add_(added)

    def cycle(self, front: MapSpec) -> Cycle:
        """Return the mean cycle of the frames so far, as instants would show it."""
        assert self._sums is not None, "no frames yet"
        inverse = torch.from_numpy(np.linalg.inv(self._normal)).to(self._sums)
        solved = torch.einsum("jk,khw->jhw", inverse, self._sums)
        pictures = solved.new_zeros(2 * max(self._harmonics) + 1, *solved.shape[1:])
        pictures[self._columns] = solved
        light = solved[0].clamp(min=0.0)
        for h in self._harmonics:
            kept = response_map(front, light, h * self._hz, self._rate_hz)
            typical = float(response_map(front, light.mean(), h * self._hz, self._rate_hz))
            pictures[2 * h - 1 : 2 * h + 1] *= 1.0 / kept.clamp(min=KEPT) if typical >= KEPT else 0.0
        return Cycle(pictures)


def _waves(phases: NDArray[np.float64], harmonics: int) -> NDArray[np.float64]:
    """1, cos φ, sin φ, cos 2φ, … for each phase: (n, 2k + 1)."""
    columns = [np.ones_like(phases)]
    for h in range(1, harmonics + 1):
        columns += [np.cos(h * phases), np.sin(h * phases)]
    return np.stack(columns, axis=1)


def separable_harmonics(frequency_hz: float, fps: float, seconds: float) -> tuple[int, ...]:
    """Harmonics that frames can tell apart, of the first three.

    Parameters
    ----------
    frequency_hz, fps : float
        Of the vibration, and of the frames.
    seconds : float
        Length of the record.

    Raises
    ------
    OptionError
        If frames catch the vibration always at the same one or two phases.
    """
    apart = _APART_CYCLES / seconds
    taken = [0.0, 0.5 * fps]
    found = []
    for h in range(1, HARMONICS + 1):
        folded = abs((h * frequency_hz + 0.5 * fps) % fps - 0.5 * fps)
        if min(abs(folded - other) for other in taken) >= apart:
            taken.append(folded)
            found.append(h)
        elif h == 1:
            raise OptionError(
                f"{fps:g} frames a second catch {frequency_hz:g} Hz always at the same phases: take another hop, or a "
                f"record longer than {seconds:g} s"
            )
    return tuple(found)
