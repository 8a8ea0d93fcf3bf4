"""The vibrations in a displacement, and the least amplitude that could be told from its noise."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import tukey

from spikemm.exceptions import OptionError, ShapeError
from spikemm.response import KEPT
from spikemm.vibration.noise import NoiseFloor
from spikemm.vibration.tones import Tone, fit_tones

__all__ = ["FEWEST_CYCLES", "TAPER", "Analysis", "AxisAnalysis", "Credible", "Peak", "analyse", "searched_band"]

FEWEST_CYCLES = 4.0
"""Slower than so many cycles in a record is a drift, not a vibration."""

_MOST_TONES = 16
TAPER = 0.25
"""Part of a record that fades in and out (Tukey's window)."""

_NOTHING_PX = 1e-12
_FINER = 4
_FEWEST_SAMPLES = 16
_SAME_CYCLES = 2.0
_NEAR_CYCLES, _NEAR_PART = 10.0, 0.05
"""Nearer than the first to a stronger tone, in cycles per record, is that tone; nearer than the second must have so
much of its amplitude: no machine's tone is so pure that less could be told from its own unsteadiness."""

_CROSSTALK = 0.02
"""Part of a motion that may show across it, since its direction is known to about a degree only."""

Floats = NDArray[np.floating]

Credible = Callable[[int, float, float], bool]
"""Whether a vibration along axis 0 or 1, at a frequency (Hz), of an amplitude (px, as sampled) may be one."""


@dataclass(frozen=True, slots=True)
class Peak:
    """One vibration.

    Attributes
    ----------
    hz : float
        True Hz.
    px : float
        Amplitude, half of peak to peak, corrected for what the frames' window keeps.
    snr_db : float
        Amplitude over its own standard error, 20·log10.
    phase_deg : float
        Of the sine, at time 0.
    """

    hz: float
    px: float
    snr_db: float
    phase_deg: float


@dataclass(frozen=True, slots=True)
class AxisAnalysis:
    """Vibration along one axis.

    Attributes
    ----------
    rms_px, peak_to_peak_px : float
        Of the vibration: all peaks together, without the noise around them; 0 where there is none.
    noise_floor_px : float
        The least amplitude that this record can show, at the middle (in octaves) of the band: noise alone passes it
        once in 10,000 records. No peak is below it; where the noise is higher a peak must pass that as well. Infinite
        where nothing shows: there is no contrast along this axis.
    noise_density_px_per_sqrt_hz : float
        One-sided amplitude density of the noise at the same frequencies.
    peaks : tuple of Peak
        Strongest first.
    spectrum, frequencies_hz : numpy.ndarray
        (m,) float64 amplitude in px, and where.
    waveform : numpy.ndarray
        (n,) float64 px: the displacement within the band, noise included, corrected for what the window keeps at each
        frequency.
    """

    rms_px: float
    peak_to_peak_px: float
    noise_floor_px: float
    noise_density_px_per_sqrt_hz: float
    peaks: tuple[Peak, ...]
    spectrum: Floats
    frequencies_hz: Floats
    waveform: Floats


@dataclass(frozen=True, slots=True)
class Analysis:
    """Vibration along both axes.

    Attributes
    ----------
    x, y : AxisAnalysis
        To the right, and down.
    fps : float
        Samples per second.
    band_hz : tuple of float
        What was searched.
    """

    x: AxisAnalysis
    y: AxisAnalysis
    fps: float
    band_hz: tuple[float, float]


def analyse(
    px: NDArray[np.floating],
    fps: float,
    *,
    kept: Callable[[float], float] | None = None,
    band_hz: tuple[float, float] | None = None,
    start_s: float = 0.0,
    credible: Credible | None = None,
) -> Analysis:
    """Find the vibrations in a displacement.

    Parameters
    ----------
    px : numpy.ndarray
        (n, 2) displacement along x and y, px, at even times; 16 samples or more.
    fps : float
        Samples per second.
    kept : callable, optional
        Part of an amplitude that the samples keep at a frequency (Hz), as `window_response` states it; all of it by
        default. Where less than 0.3 is kept nothing is searched.
    band_hz : tuple of float, optional
        Where to search. Default: from 4 cycles a record to just below half of `fps`.
    start_s : float
        Time of the first sample; phases are those at time 0.
    credible : Credible, optional
        What else is known of a bin that stands above the noise. Default: nothing.

    Raises
    ------
    ShapeError
        Another shape, or fewer than 16 samples.
    OptionError
        A band that is empty or beyond what this record can show, or `fps` not above 0.

    Notes
    -----
    The strongest bin of a tapered, zero-padded spectrum that stands above its noise begins a tone, all tones are fitted
    together, and what they leave is searched again: so a side lobe is never a tone, and the noise is that of the
    record without its tones. The noise at a bin is the median around it, which neither a tone nor a slope moves.
    """
    px = np.asarray(px, np.float64)
    if px.ndim != 2 or px.shape[1] != 2 or len(px) < _FEWEST_SAMPLES:
        raise ShapeError(f"displacement of shape {px.shape}: give ({_FEWEST_SAMPLES} or more, 2)")
    if not (isfinite(fps) and fps > 0.0):
        raise OptionError(f"{fps} samples per second: it must be a finite number above 0")
    keeps = np.vectorize(kept or (lambda hz: 1.0), otypes=[float])
    frequencies = np.fft.rfftfreq(len(px), 1.0 / fps)
    response = keeps(frequencies)
    band = searched_band(frequencies, response, fps, band_hz)
    sides = [_Axis(px[:, i], fps, response, band, partial(credible or _any, i)) for i in range(2)]
    analyses = [side.result(other.strongest, keeps, start_s) for side, other in zip(sides, sides[::-1], strict=True)]
    return Analysis(analyses[0], analyses[1], fps, band)


def searched_band(
    frequencies: Floats, response: Floats, fps: float, asked: tuple[float, float] | None
) -> tuple[float, float]:
    """Return what is searched: asked for, neither drift nor erased by the window, nor at the end of the spectrum.

    Parameters
    ----------
    frequencies, response : numpy.ndarray
        Bins of the record's spectrum in Hz, and what the samples keep of an amplitude there.
    fps : float
        Samples per second.
    asked : tuple of float or None
        None: all that there is.

    Raises
    ------
    OptionError
        Nothing is left.
    """
    resolution = fps / (2 * (len(frequencies) - 1))
    lowest = FEWEST_CYCLES * resolution
    erased = np.flatnonzero(response < KEPT)
    highest = min(0.5 * fps - 2.0 * resolution, frequencies[erased[0]] if erased.size else np.inf)
    low, high = asked or (lowest, highest)
    if not 0.0 <= low < high:
        raise OptionError(f"band {low:g} to {high:g} Hz: it must begin at 0 or above, and end above its beginning")
    if max(low, lowest) >= min(high, highest):
        raise OptionError(
            f"band {low:g} to {high:g} Hz: this record shows {lowest:g} to {highest:g} Hz; a longer one shows slower, "
            "a shorter window faster vibrations"
        )
    return max(low, lowest), min(high, highest)


def _any(axis: int, hz: float, px: float) -> bool:
    return True


class _Axis:
    """Search along one axis."""

    def __init__(
        self,
        values: Floats,
        fps: float,
        response: Floats,
        band: tuple[float, float],
        credible: Callable[[float, float], bool],
    ) -> None:
        self._band, self._credible = band, credible
        self._frequencies = np.fft.rfftfreq(len(values), 1.0 / fps)
        self._response = np.maximum(response, KEPT)
        self._taper = tukey(len(values), TAPER)
        self._resolution = fps / len(values)
        self._rejected: list[float] = []
        self._tones, left = fit_tones(values, fps, [], self._taper)
        self._detrended = left
        self._hidden = float(left.std()) < _NOTHING_PX
        while not self._hidden:
            self._noise = NoiseFloor(self._spectrum(left, 1), self._taper, fps)
            candidate = self._candidate(left) if len(self._tones) < _MOST_TONES else None
            if candidate is None:
                break
            self._tones, left = fit_tones(values, fps, [*(tone.hz for tone in self._tones), candidate], self._taper)
        self._left = left

    @property
    def strongest(self) -> list[Tone]:
        """The tones, for the other axis to compare its own with."""
        return self._tones

    def _spectrum(self, left: Floats, finer: int) -> Floats:
        """Power of the tapered samples."""
        return np.asarray(np.abs(np.fft.rfft(left * self._taper, finer * len(left))) ** 2)

    def _candidate(self, left: Floats) -> float | None:
        """Frequency of the most significant bin that may begin a tone."""
        power = self._spectrum(left, _FINER)
        hz = np.arange(len(power)) * (self._resolution / _FINER)
        amplitude = 2.0 * np.sqrt(power) / self._taper.sum()
        allowed = (hz >= self._band[0]) & (hz <= self._band[1])
        for tone in self._tones:
            away = np.abs(hz - tone.hz) / self._resolution
            allowed &= away > _SAME_CYCLES
            allowed &= (away > _NEAR_CYCLES) | (amplitude > _NEAR_PART * tone.amplitude)
        for rejected in self._rejected:
            allowed &= np.abs(hz - rejected) > self._resolution
        ratio = np.where(allowed, power / self._noise.at(hz), 0.0)
        while ratio[index := int(np.argmax(ratio))] > self._noise.threshold:
            around = self._noise.threshold * self._noise.around(hz[index])
            if power[index] > around and self._credible(float(hz[index]), float(amplitude[index])):
                return float(hz[index])
            self._rejected.append(float(hz[index]))
            ratio[np.abs(hz - hz[index]) <= self._resolution] = 0.0
        return None

    def result(self, others: list[Tone], keeps: Callable[[Floats], Floats], start_s: float) -> AxisAnalysis:
        """State what was found, but for what may be the other axis' motion."""
        if self._hidden:
            nothing = np.zeros_like(self._frequencies)
            return AxisAnalysis(0.0, 0.0, inf, inf, (), nothing, self._frequencies, np.zeros_like(self._taper))
        searched = (self._frequencies >= self._band[0]) & (self._frequencies <= self._band[1])
        hz = self._frequencies[searched]
        if not hz.size:
            hz = np.array([np.mean(self._band)])
        middle = np.geomspace(hz[0], hz[-1], 65)
        density = float(np.median(self._noise.density(middle) / np.maximum(keeps(middle), KEPT)))
        floor = float(np.median(self._noise.amplitude(middle) / np.maximum(keeps(middle), KEPT)))
        peaks = [self._peak(tone, keeps, start_s) for tone in self._tones if not self._crosstalk(tone, others)]
        peaks = [p for p in peaks if p.px > floor and self._band[0] <= p.hz <= self._band[1]]
        within = self._within()
        amplitudes = 2.0 * np.sqrt(self._spectrum(self._detrended, 1)) / self._taper.sum() / self._response
        return AxisAnalysis(
            rms_px=float(np.sqrt(0.5 * sum(p.px**2 for p in peaks))),
            peak_to_peak_px=float(np.ptp(self._together(peaks, start_s))),
            noise_floor_px=floor,
            noise_density_px_per_sqrt_hz=density,
            peaks=tuple(sorted(peaks, key=lambda p: -p.px)),
            spectrum=amplitudes,
            frequencies_hz=self._frequencies,
            waveform=within,
        )

    def _peak(self, tone: Tone, keeps: Callable[[Floats], Floats], start_s: float) -> Peak:
        hz = np.array([tone.hz])
        error = float(self._noise.error(hz)[0])
        phase = np.degrees(tone.phase) - 360.0 * tone.hz * start_s
        return Peak(
            tone.hz,
            tone.amplitude / max(float(keeps(hz)[0]), KEPT),
            20.0 * float(np.log10(tone.amplitude / max(error, 1e-12))),
            float((phase + 180.0) % 360.0 - 180.0),
        )

    def _crosstalk(self, tone: Tone, others: list[Tone]) -> bool:
        return any(
            abs(tone.hz - other.hz) < 0.5 * self._resolution and tone.amplitude < _CROSSTALK * other.amplitude
            for other in others
        )

    def _together(self, peaks: list[Peak], start_s: float) -> Floats:
        """Return the sum of the peaks, at the times of the record."""
        angle = 2.0 * np.pi * (start_s + np.arange(len(self._left)) / (self._resolution * len(self._left)))
        return sum((p.px * np.sin(p.hz * angle + np.radians(p.phase_deg)) for p in peaks), np.zeros_like(angle))

    def _within(self) -> Floats:
        """Return the displacement within the band, corrected for the window.

        Tones are put in as what was fitted: a filter would ring at the record's ends, where they break off.
        """
        transform = np.fft.rfft(self._left) / self._response
        transform[(self._frequencies < self._band[0]) | (self._frequencies > self._band[1])] = 0.0
        within = np.fft.irfft(transform, len(self._left))
        angle = 2.0 * np.pi * np.arange(len(self._left)) / (self._resolution * len(self._left))
        for hz, amplitude, phase in self._tones:
            kept = np.interp(hz, self._frequencies, self._response)
            within += amplitude / kept * np.sin(hz * angle + phase)
        return np.asarray(within)
