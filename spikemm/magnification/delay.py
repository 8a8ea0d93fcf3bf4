"""How late a causal band filter makes what it magnifies."""

from dataclasses import dataclass

import numpy as np

from spikemm.magnification.temporal import BandPass

__all__ = ["PhaseDelay", "phase_delay"]


@dataclass(frozen=True, slots=True)
class PhaseDelay:
    """How late the magnified motion is against the motion in the unmagnified frames.

    Attributes
    ----------
    centre_hz : float
        Frequency at which the other figures hold; 0 outside band mode.
    degrees : float
        Phase at the centre.
    steps : float
        The same in sensor steps.
    envelope_steps : float
        Delay of a motion's onset (group delay at the centre) in sensor steps.
    """

    centre_hz: float
    degrees: float
    steps: float
    envelope_steps: float


def phase_delay(band_hz: tuple[float, float] | None, seconds: float, rate_hz: float) -> PhaseDelay:
    """Compute the delay at a band's centre; without a band there is none.

    Parameters
    ----------
    band_hz : tuple of float or None
        Limits in Hz.
    seconds : float
        From frame to frame.
    rate_hz : float
        Steps per second of the sensor.
    """
    if band_hz is None:
        return PhaseDelay(0.0, 0.0, 0.0, 0.0)
    band = BandPass(*band_hz)
    centre = band.centre_hz(seconds)
    width = 1e-3 * (band.high_hz - band.low_hz)
    at, below, above = (band.response(f, seconds) for f in (centre, centre - width, centre + width))
    degrees = float(-np.angle(at, deg=True))
    envelope = float(np.angle(below / above)) / (4.0 * np.pi * width) * rate_hz
    return PhaseDelay(centre, degrees, degrees / 360.0 / centre * rate_hz, envelope)
