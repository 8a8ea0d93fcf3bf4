"""How severe the vibration of a machine's housing is, after ISO 20816-3."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.response import KEPT

__all__ = ["USUAL_BAND_HZ", "Machine", "Severity", "Velocity", "severity_of", "velocity_rms", "zone_of"]

Zone = Literal["A", "B", "C", "D"]

USUAL_BAND_HZ = (10.0, 1000.0)
"""Frequencies that count for machines of 600 rpm and more."""

_SLOW_BAND_HZ, _SLOW_RPM = (2.0, 1000.0), 600.0

_LIMITS_MM_S = {
    (1, "rigid"): (2.3, 4.5, 7.1),
    (1, "flexible"): (3.5, 7.1, 11.0),
    (2, "rigid"): (1.4, 2.8, 4.5),
    (2, "flexible"): (2.3, 4.5, 7.1),
}
_LEAST_BINS = 4
_SEGMENT_BINS = 32
_FLOOR = 3.0

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the standard asks of a machine.

    Attributes
    ----------
    group : {1, 2}
        1: large machines, above 300 kW or with a shaft height of 315 mm or more; 2: medium ones, 15 kW to 300 kW.
    support : {'rigid', 'flexible'}
        Foundation, in the direction that is measured.
    rpm : float or None
        Speed; below 600 rpm frequencies count from 2 Hz on, else from 10 Hz.

    Raises
    ------
    OptionError
        If the standard has no such machine.
    """

    group: int
    support: str
    rpm: float | None = None

    def __post_init__(self) -> None:
        if (self.group, self.support) not in _LIMITS_MM_S:
            raise OptionError(
                f"ISO 20816-3 has no machines of group {self.group} on a {self.support} support: take group 1 or 2, "
                "rigid or flexible"
            )
        if self.rpm is not None and not self.rpm > 0.0:
            raise OptionError(f"rpm is {self.rpm:g}: give the machine's speed, above 0, or leave it out")

    @property
    def band_hz(self) -> tuple[float, float]:
        """Frequencies that count."""
        return _SLOW_BAND_HZ if self.rpm is not None and self.rpm < _SLOW_RPM else USUAL_BAND_HZ

    @property
    def limits_mm_s(self) -> tuple[float, float, float]:
        """Upper limits of the zones A, B and C."""
        return _LIMITS_MM_S[self.group, self.support]


class Velocity(NamedTuple):
    """Root mean square of a velocity over a band.

    Attributes
    ----------
    mm_s : float
        The noise's share is taken off; 0 below the floor.
    floor_mm_s : float
        The least that can be told from the record's noise, at 3σ.
    band_hz : tuple of float
        What was summed: the band asked for as far as the frames show it.
    """

    mm_s: float
    floor_mm_s: float
    band_hz: tuple[float, float]


class Severity(NamedTuple):
    """A zone, or None, and in one line why."""

    zone: Zone | None
    text: str


def zone_of(mm_s: float, machine: Machine) -> Zone:
    """Zone of a velocity: A newly commissioned, B long-term operation, C short-term operation, D damage."""
    zones: tuple[Zone, ...] = ("A", "B", "C", "D")
    return zones[int(np.searchsorted(machine.limits_mm_s, mm_s, side="left"))]


def velocity_rms(
    px: Floats, fps: float, um_per_px: float, *, kept: Callable[[Floats], Floats], band_hz: tuple[float, float]
) -> Velocity:
    """Root mean square of the velocity in a displacement record.

    Parameters
    ----------
    px : numpy.ndarray
        (n,) displacement, evenly sampled.
    fps : float
        Samples per second.
    um_per_px : float
        The scale.
    kept : callable
        Part of an amplitude that the frames keep at frequencies in Hz.
    band_hz : tuple of float
        Limits; frequencies of which less than 0.3 is kept are left out, and the result says so.

    Raises
    ------
    OptionError
        If the record is too short for the band.

    Notes
    -----
    In the frequency domain: a line is taken off, and the power of a Hann-windowed spectrum times (2πf)² is summed, so
    drift below the band is never integrated. The noise's power, by the median of every 32 bins, is subtracted; its
    scatter, 1.5 times that of independent bins because a Hann window overlaps them, gives the floor.
    """
    hz, power = _power(np.asarray(px, np.float64), fps)
    part = np.asarray(kept(hz), np.float64)
    reached = hz[(part >= KEPT) & (2.0 * hz < fps)]
    high = min(band_hz[1], float(reached.max(initial=0.0)))
    inside = (hz >= band_hz[0]) & (hz <= high) & (part >= KEPT)
    if inside.sum() < _LEAST_BINS or len(px) < 3.0 * fps / band_hz[0]:
        raise OptionError(
            f"a record of {len(px) / fps:.3g} s at {fps:g} frames a second is too short for {band_hz[0]:g} to "
            f"{high:g} Hz: take {3.0 / band_hz[0]:.3g} s or more"
        )
    to_velocity = (2.0 * np.pi * hz[inside] * um_per_px * 1e-3 / part[inside]) ** 2
    noise = _noise(power)[inside] * to_velocity
    scatter = float(np.sqrt(1.5 * (noise**2).sum()))
    signal = float((power[inside] * to_velocity).sum() - noise.sum())
    floor = float(np.sqrt(_FLOOR * scatter))
    found = float(np.sqrt(signal)) if signal > _FLOOR * scatter else 0.0
    return Velocity(found, floor, (band_hz[0], high))


def _power(px: NDArray[np.float64], fps: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (Hz), and the mean square that each bin holds (px²); their sum is that of the record."""
    count = len(px)
    ramp = np.arange(count) - 0.5 * (count - 1)
    level = px - px.mean()
    level = level - ramp * (ramp @ level) / (ramp @ ramp)
    window = np.hanning(count + 1)[:-1]
    spectrum = np.abs(np.fft.rfft(level * window)) ** 2
    power = 2.0 * spectrum / (count * (window**2).sum())
    return np.asarray(np.fft.rfftfreq(count, 1.0 / fps)), np.asarray(power)


def _noise(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of the noise in each bin: the median of its surroundings, which lines leave as it is.

    A bin of noise is exponentially distributed, with a mean of its median over ln 2.
    """
    edges = np.arange(0, max(len(power) - _SEGMENT_BINS // 2, 1), _SEGMENT_BINS)
    parts = np.split(power, edges[1:])
    levels = [np.median(part) / np.log(2.0) for part in parts]
    centres = [edge + 0.5 * (len(part) - 1) for edge, part in zip(edges, parts, strict=True)]
    return np.asarray(np.interp(np.arange(len(power)), centres, levels))


def severity_of(velocities: list[Velocity], machine: Machine | None, *, scaled: bool, housing: bool) -> Severity:
    """Classify a housing point by the larger of its velocities.

    Parameters
    ----------
    velocities : list of Velocity
        Along x and y; empty without a scale, and where nothing shows.
    machine : Machine or None
        None: not asked for.
    scaled, housing : bool
        Whether a scale is given, and whether the region is a point of the housing, for which alone the zones are made.
    """
    for there, reason in (
        (machine is not None, "no machine is given: state its group and support"),
        (scaled, "no scale is given: state how large a pixel is on the machine"),
        (housing, "the region is not marked as a point of the housing, for which alone the zones are made"),
        (velocities, "the region shows nothing to measure by: it has no contrast"),
    ):
        if not there:
            return Severity(None, f"no zone: {reason}")
    assert machine is not None, "looked at above"
    # What is hidden below a floor counts where it may be of a worse zone.
    least = [max(velocity.mm_s, velocity.floor_mm_s) for velocity in velocities]
    worst = velocities[max(range(len(least)), key=lambda i: (zone_of(least[i], machine), velocities[i].mm_s, least[i]))]
    low, high = worst.band_hz
    band = f"{low:g} to {high:.0f} Hz"
    if high < machine.band_hz[1]:
        band += f", not up to {machine.band_hz[1]:g} Hz, which takes more frames a second"
    if worst.mm_s > 0.0:
        zone = zone_of(worst.mm_s, machine)
        return Severity(zone, f"zone {zone}: {worst.mm_s:.2g} mm/s over {band}")
    if zone_of(worst.floor_mm_s, machine) == "A":
        return Severity("A", f"zone A: less than the floor of {worst.floor_mm_s:.2g} mm/s over {band}")
    return Severity(None, f"no zone: less than the floor of {worst.floor_mm_s:.2g} mm/s over {band}, above zone A")
