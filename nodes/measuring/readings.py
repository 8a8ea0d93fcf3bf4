"""Readings of `measure`: what was found, as values and arrays of a message."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nodes.messages import Reading

if TYPE_CHECKING:
    from spikemm.vibration.block_peaks import BlockPeaks
    from spikemm.vibration.region_record import RegionRecord
    from spikemm.vibration.scale import Scale
    from spikemm.vibration.severity import Machine, Severity, Velocity
    from spikemm.vibration.spectrum import Analysis, AxisAnalysis, Peak

__all__ = ["Ground", "map_reading", "region_reading", "strongest_peak"]

_PEAKS = 5
_LONGEST_WAVEFORM, _LONGEST_SPECTRUM = 2048, 1024


@dataclass(frozen=True, slots=True)
class Ground:
    """What all regions are measured on.

    Attributes
    ----------
    rate_hz : float
        Steps per second.
    hop : int
        Steps from frame to frame.
    every_steps : int
        Steps from update to update.
    origin : tuple of int
        x and y of the frames' first pixel on the sensor, px.
    scale : Scale or None
    machine : Machine or None
    band_hz : tuple of float or None
        Where peaks count.
    """

    rate_hz: float
    hop: int
    every_steps: int
    origin: tuple[int, int]
    scale: "Scale | None"
    machine: "Machine | None"
    band_hz: tuple[float, float] | None

    @property
    def fps(self) -> float:
        """Frames per second of sensor time."""
        return self.rate_hz / self.hop


def strongest_peak(analysis: "Analysis") -> "Peak | None":
    """Peak of the largest amplitude along either axis."""
    return max((*analysis.x.peaks[:1], *analysis.y.peaks[:1]), key=lambda peak: peak.px, default=None)


def region_reading(
    name: str,
    record: "RegionRecord",
    ground: Ground,
    *,
    housing: bool,
    reference: tuple[str, "RegionRecord"] | None,
) -> tuple[Reading, "Peak | None"]:
    """Analyse a region's record; return its reading and its strongest peak.

    Raises
    ------
    OptionError
        If the band lies beyond what the record can show.
    """
    # Here and not above: these load torch, and the parent reads this module.
    from spikemm.vibration.orbit import component, orbit_of, phase_between
    from spikemm.vibration.spectrum import analyse

    px, scale = record.px, ground.scale
    start_s = record.first_step / ground.rate_hz
    analysis = analyse(px, ground.fps, kept=record.kept, band_hz=ground.band_hz, start_s=start_s)
    peak = strongest_peak(analysis)
    orbit = phase_to = None
    if peak is not None:
        moved = component(px, ground.fps, peak.hz)
        shown = asdict(orbit_of(*(moved / max(float(record.kept(peak.hz)), 1e-3))))
        orbit = {"hz": peak.hz, **shown}
        if reference is not None and reference[1].count == record.count and not reference[1].hidden:
            deg = phase_between(moved, component(reference[1].px, ground.fps, peak.hz))
            phase_to = {"region": reference[0], "hz": peak.hz, "deg": deg}
    seen = [isfinite(axis.noise_floor_px) for axis in (analysis.x, analysis.y)]
    velocities, severity = _severity(record, ground, seen, housing=housing)
    # The larger of two axes; where neither is above its floor, the one with the lower: as the alarms take amplitudes.
    velocity = max(velocities, key=lambda v: (v.mm_s, -v.floor_mm_s), default=None)
    values = {
        "roi": [record.roi[0] + ground.origin[0], record.roi[1] + ground.origin[1], *record.roi[2:]],
        "seconds": record.count / ground.fps,
        "fps": ground.fps,
        "highest_hz": record.highest_hz,
        "method": "frames",
        "x": _axis(analysis.x, scale),
        "y": _axis(analysis.y, scale),
        "orbit": orbit,
        "phase_to": phase_to,
        "um_per_px": None if scale is None else scale.um_per_px,
        "velocity_rms_mm_s": None if velocity is None else velocity.mm_s,
        "velocity_floor_mm_s": None if velocity is None else velocity.floor_mm_s,
        "zone": severity.zone,
        "zone_text": severity.text,
    }
    waveform = np.stack((analysis.x.waveform, analysis.y.waveform), axis=1)[-_LONGEST_WAVEFORM:]
    values["waveform_step"] = [record.first_step + (len(px) - len(waveform)) * ground.hop, ground.hop]
    spectrum, frequencies = _spectrum(analysis)
    arrays = {
        "waveform": np.ascontiguousarray(waveform.T, np.float32),
        "spectrum": spectrum,
        "frequencies_hz": frequencies,
    }
    step = record.first_step + (record.count - 1) * ground.hop
    return Reading(step=step, hop=ground.every_steps, name=name, topic="region", values=values, arrays=arrays), peak


def _axis(axis: "AxisAnalysis", scale: "Scale | None") -> dict[str, Any]:
    seen = isfinite(axis.noise_floor_px)
    return {
        "rms_px": axis.rms_px if seen else None,
        "peak_to_peak_px": axis.peak_to_peak_px if seen else None,
        "noise_floor_px": axis.noise_floor_px,
        "noise_density_px_per_sqrt_hz": axis.noise_density_px_per_sqrt_hz,
        "peaks": [_peak(peak, scale) for peak in axis.peaks[:_PEAKS]],
    }


def _peak(peak: "Peak", scale: "Scale | None") -> dict[str, float]:
    values = {"hz": peak.hz, "px": peak.px, "snr_db": peak.snr_db, "phase_deg": peak.phase_deg}
    if scale is not None:
        values |= {"um": scale.um(peak.px), "mm_s": scale.mm_s(peak.px, peak.hz)}
    return values


def _severity(
    record: "RegionRecord", ground: Ground, seen: list[bool], *, housing: bool
) -> tuple[list["Velocity"], "Severity"]:
    """Velocities along the axes that show anything, where there is a scale, and what they mean."""
    from spikemm.exceptions import OptionError
    from spikemm.vibration.severity import USUAL_BAND_HZ, Severity, severity_of, velocity_rms

    velocities: list[Velocity] = []
    band_hz = USUAL_BAND_HZ if ground.machine is None else ground.machine.band_hz
    if ground.scale is not None:
        try:
            velocities = [
                velocity_rms(axis, ground.fps, ground.scale.um_per_px, kept=record.kept, band_hz=band_hz)
                for axis in record.px.T[seen]
            ]
        except OptionError as error:
            return [], Severity(None, f"no zone: {error}")
    return velocities, severity_of(velocities, ground.machine, scaled=ground.scale is not None, housing=housing)


def _spectrum(analysis: "Analysis") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Spectra (2, m) and their frequencies; of a long record the largest of several neighbouring bins."""
    both = np.stack((analysis.x.spectrum, analysis.y.spectrum))
    together = -(-both.shape[1] // _LONGEST_SPECTRUM)
    whole = both.shape[1] // together * together
    spectrum = both[:, :whole].reshape(2, -1, together).max(-1)
    frequencies = analysis.x.frequencies_hz[:whole].reshape(-1, together).mean(-1)
    return spectrum.astype(np.float32), frequencies.astype(np.float32)


def map_reading(
    peaks: "BlockPeaks", step: int, ground: Ground, *, block_px: int, seconds: float, highest_hz: float
) -> Reading:
    """Pack a map."""
    values: dict[str, Any] = {"block_px": block_px, "seconds": seconds, "fps": ground.fps, "highest_hz": highest_hz}
    values["origin"] = list(ground.origin)
    arrays = {"hz": peaks.hz, "px": peaks.px, "floor_px": peaks.floor_px}
    return Reading(step=step, hop=ground.every_steps, name="map", topic="map", values=values, arrays=arrays)
