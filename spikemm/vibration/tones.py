"""Sines in a series of samples: exact frequencies, amplitudes and phases of several at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tone", "fit_tones"]

_ROUNDS = 12
_DRIFT_ORDER = 2
_SETTLED = 1e-6

Floats = NDArray[np.floating]


class Tone(NamedTuple):
    """amplitude · sin(2π · hz · t + phase), t counted from the first sample.

    Attributes
    ----------
    hz, amplitude : float
    phase : float
        Radians.
    """

    hz: float
    amplitude: float
    phase: float


def fit_tones(values: Floats, fps: float, hz: list[float], taper: Floats) -> tuple[list[Tone], Floats]:
    """Fit sines and a slow drift by non-linear least squares.

    Parameters
    ----------
    values : numpy.ndarray
        (n,) samples.
    fps : float
        Samples per second.
    hz : list of float
        First guesses, each within about half a cycle per record of the truth; none gives the drift alone.
    taper : numpy.ndarray
        (n,) weights that fade in and out, so that a drift's rest and strong noise far away do not leak into the fit.

    Returns
    -------
    tones : list of Tone
        One for each guess, in their order.
    left : numpy.ndarray
        (n,) what they and the drift, a parabola, leave.

    Notes
    -----
    Gauss–Newton over all frequencies jointly, amplitudes and drift solved for exactly (variable projection), so two
    tones that the spectrum's main lobe does not part are parted by the fit. With an even taper it attains the
    Cramér–Rao bound of white noise.
    """
    t = (np.arange(len(values)) - 0.5 * (len(values) - 1)) / fps
    drift = np.polynomial.legendre.legvander(2.0 * t / max(t[-1] - t[0], 1e-12), _DRIFT_ORDER)
    found, resolution = np.array(hz, np.float64), fps / len(values)
    for _ in range(_ROUNDS if hz else 0):
        waves, turned = _waves(found, t)
        _, weighed = _solve(np.hstack((drift, waves)), values, taper)
        cosine, sine = np.split(weighed[_DRIFT_ORDER + 1 :], 2)
        slopes = turned * np.hstack((cosine, sine))
        slopes = slopes[:, : len(found)] + slopes[:, len(found) :]
        _, all_weights = _solve(np.hstack((drift, waves, slopes)), values, taper)
        change = np.clip(all_weights[-len(found) :], -0.25 * resolution, 0.25 * resolution)
        found = np.clip(found + change, 0.5 * resolution, 0.5 * fps - 0.5 * resolution)
        if float(np.abs(change).max()) < _SETTLED * resolution:
            break
    waves, _ = _waves(found, t)
    left, weighed = _solve(np.hstack((drift, waves)), values, taper)
    cosine, sine = np.split(weighed[_DRIFT_ORDER + 1 :], 2)
    return [_tone(f, c, s, float(t[0])) for f, c, s in zip(found, cosine, sine, strict=True)], left


def _waves(hz: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Cosines and sines (n, 2 · tones), and their derivatives by the frequency."""
    angle = 2.0 * np.pi * np.outer(t, hz)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = 2.0 * np.pi * t[:, None]
    return np.hstack((cosine, sine)), np.hstack((-turn * sine, turn * cosine))


def _solve(columns: Floats, values: Floats, taper: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares by scaled normal equations: what is left, and the coefficients."""
    weighted = columns * taper[:, None]
    scale = np.sqrt((weighted * columns).sum(axis=0)) + 1e-300
    normal = (weighted / scale).T @ (columns / scale)
    right = (weighted / scale).T @ values
    solved = np.linalg.lstsq(normal, right, rcond=1e-10)[0] / scale
    return values - columns @ solved, solved


def _tone(hz: float, cosine: float, sine: float, start: float) -> Tone:
    """Tone of cos and sin parts around the middle of the record, its phase counted from the first sample."""
    phase = np.arctan2(cosine, sine) + 2.0 * np.pi * hz * start
    return Tone(float(hz), float(np.hypot(cosine, sine)), float(np.angle(np.exp(1j * phase))))
