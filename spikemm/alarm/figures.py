"""The one number that a rule looks at in a reading, with the floor below which it means nothing."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikemm.alarm.rules import Rule

__all__ = ["Figure", "figure_of"]

_SIGMAS = 3.0  # a reading's noise floor is the amplitude that stands out by so much
_BANDWIDTH_BINS = 1.102
"""Noise bandwidth of the readings' spectrum, whose taper is Tukey's with 0.25: a sine's power over its bins."""

_Axes = dict[str, Mapping[str, Any]]

_SCATTER = 1.5
"""Of a band's noise power about the expected, in units of independent bins: the expectation scatters as well."""


class Figure(NamedTuple):
    """What a reading says of a rule's quantity.

    Attributes
    ----------
    value : float or None
        In the rule's unit, for ``frequency_shift`` in Hz; 0 where nothing stands above the floor, None where the
        question has no answer: no peak whose frequency could be told, no scale, or no contrast to see a movement by.
    floor : float
        Values below it are noise; for ``frequency_shift`` the uncertainty of the frequency, in Hz.
    missing : str
        Why there is no value; empty if there is one.
    """

    value: float | None
    floor: float
    missing: str = ""

    @property
    def error(self) -> float:
        """Standard error of the value."""
        return self.floor / _SIGMAS


def figure_of(rule: Rule, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Figure:
    """Return what a region's reading says of a rule's quantity.

    Parameters
    ----------
    rule : Rule
        Any but ``signal_lost``, which is about readings that do not come.
    values, arrays : mapping
        The reading's numbers by name, as the wire format's document lists them: per axis ``peaks`` (amplitude in px,
        half of peak-to-peak), ``noise_floor_px`` (3σ), ``noise_density_px_per_sqrt_hz``; ``um_per_px``, ``seconds``,
        ``velocity_rms_mm_s``, ``velocity_floor_mm_s``; ``spectrum`` (2, m) amplitude in px at ``frequencies_hz`` (m,).

    Notes
    -----
    The uncertainty of a frequency is three times the Cramér–Rao bound, √3/π · σ/(a·T) for amplitude a with standard
    error σ over T seconds (Rife and Boorstyn 1974). The noise's power is taken off that of a band; its scatter gives
    the floor. Of a spectrum of more than 1024 bins a reading holds the largest of several, so the RMS of its bands is
    low, by up to a quarter.
    """
    scale = values.get("um_per_px")
    axes = _seeing(rule, values)
    if not axes:
        return Figure(None, 0.0, "nothing to measure by: no contrast")
    if rule.needs_scale and not scale:
        return Figure(None, 0.0, f"{rule.unit} needs a scale, and the reading has none: give measure one, or use px")
    match rule.quantity:
        case "velocity":
            return _velocity(values)
        case "frequency_shift":
            return _frequency(rule, axes, float(values["seconds"]))
        case "band":
            figure = _band(rule, axes, float(values["seconds"]), arrays)
        case _:
            figure = _amplitude(rule, axes)
    per_px = float(scale or 0.0) if rule.unit == "um" else 1.0
    return figure._replace(value=figure.value and figure.value * per_px, floor=figure.floor * per_px)


def _seeing(rule: Rule, values: Mapping[str, Any]) -> _Axes:
    """Return the axes that the rule is about and along which a movement would show."""
    asked = ("x", "y") if rule.axis == "larger" else (rule.axis,)
    return {name: values[name] for name in asked if name in values and math.isfinite(values[name]["noise_floor_px"])}


def _strongest(rule: Rule, axis: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the strongest peak of the rule's band that stands above the floor."""
    low, high = rule.band_hz or (0.0, math.inf)
    inside = (peak for peak in axis.get("peaks", ()) if low <= peak["hz"] <= high)
    best = max(inside, key=lambda peak: float(peak["px"]), default=None)
    return best if best is not None and best["px"] >= axis["noise_floor_px"] else None


def _amplitude(rule: Rule, axes: _Axes) -> Figure:
    found = [(_strongest(rule, axis), float(axis["noise_floor_px"])) for axis in axes.values()]
    return _largest(Figure(float(peak["px"]) if peak else 0.0, floor) for peak, floor in found)


def _frequency(rule: Rule, axes: _Axes, seconds: float) -> Figure:
    found = [(peak, axis) for axis in axes.values() if (peak := _strongest(rule, axis)) is not None]
    if not found:
        return Figure(None, 0.0, "nothing vibrates above the noise floor, so its frequency cannot be told")
    peak, axis = max(found, key=lambda entry: float(entry[0]["px"]))
    bound = math.sqrt(3) / math.pi * axis["noise_floor_px"] / (peak["px"] * seconds)
    return Figure(float(peak["hz"]), bound)


def _band(rule: Rule, axes: _Axes, seconds: float, arrays: Mapping[str, NDArray[Any]]) -> Figure:
    assert rule.band_hz is not None, "a band rule has a band"
    low, high = rule.band_hz
    frequencies, spectrum = arrays.get("frequencies_hz"), arrays.get("spectrum")
    if frequencies is None or spectrum is None or len(frequencies) < 2:
        return Figure(None, 0.0, "the reading has no spectrum")
    if low > frequencies[-1]:
        return Figure(None, 0.0, f"the spectrum ends at {frequencies[-1]:.0f} Hz, below the band: raise fps")
    inside = (frequencies >= low) & (frequencies <= high)
    step_hz = float(frequencies[1] - frequencies[0])
    if not inside.any():
        why = f"band narrower than a bin of {step_hz:.3g} Hz: raise measure.seconds or widen the band"
        return Figure(None, 0.0, why)
    rows = {"x": 0, "y": 1}
    figures = []
    for name, axis in axes.items():
        power = float(np.sum(np.square(spectrum[rows[name], inside], dtype=np.float64))) / 2 / _BANDWIDTH_BINS
        together = max(1, round(step_hz * seconds))
        largest = sum(1 / n for n in range(1, together + 1)) / together  # share of the noise in the largest of its bins
        noise = float(axis["noise_density_px_per_sqrt_hz"]) ** 2 * step_hz * int(inside.sum()) * largest
        least = _SIGMAS * _SCATTER * noise / math.sqrt(int(inside.sum()))
        figures.append(Figure(math.sqrt(max(power - noise, 0.0)), math.sqrt(least)))
    return _largest(figures)


def _velocity(values: Mapping[str, Any]) -> Figure:
    value = values.get("velocity_rms_mm_s")
    if value is None:
        return Figure(None, 0.0, "the reading has no velocity")
    return Figure(float(value), float(values["velocity_floor_mm_s"]))


def _largest(figures: Iterable[Figure]) -> Figure:
    """Return the larger of two axes; where neither stands above its floor, the one with the lower floor."""
    return max(figures, key=lambda figure: (figure.value or 0.0, -figure.floor))
