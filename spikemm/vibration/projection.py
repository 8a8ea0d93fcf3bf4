"""Displacement from single spikes: every raw step projected on the derivatives of the region's mean picture.

An integrate-and-fire pixel is a first-order sigma-delta modulator. With charge φ at the start it has fired ⌊φ + C(k)⌋
times after step k, where C is the light summed up; averaged over φ, which differs from pixel to pixel, that is C(k)
itself. So a spike train is the light without any window, delay or dependence on the pixel's period, plus (1 − z⁻¹) e
with e uniform over one spike: noise whose amplitude goes with the frequency, 2·sin(πf/rate)/√12 a step and pixel.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal.windows import tukey

from spikemm.calibration import Calibration
from spikemm.exceptions import RecordingError
from spikemm.recording import Recording
from spikemm.vibration.consensus import Singles, Spectra
from spikemm.vibration.noise import NoiseFloor
from spikemm.vibration.pixel_spectra import PixelSpectra
from spikemm.vibration.region_bits import RegionBits
from spikemm.vibration.spectrum import TAPER
from spikemm.vibration.template import FURTHEST_PX, MARGIN_PX, Roi, Template, check_roi, pattern_spread

__all__ = ["GROUPS", "Projection", "project"]

GROUPS = 256
"""Parts of the region, of equal weight and spread all over it, that are projected apart from one another."""

_CHUNK_STEPS = 2048
_FEWEST_STEPS = 64
_ROUNDS = 4
"""Times that displacement, blur and the picture's curvature are found from one another."""

_TOGETHER, _MOST_OF_ALL, _DOUBT = 8.0, 0.5, 1.5
"""Least agreement of the parts of a region on a vibration, also as part of what it is where all move (a region may hold
one edge and nothing else), and how many times what was taken off it must be."""

_FAR = 0.9
_CLEAR, _LAMP_HZ = 30.0, 1000.0

Floats = NDArray[np.floating]


class Projection:
    """Displacement of a region at every step, with what is needed to judge it.

    Attributes
    ----------
    px : numpy.ndarray
        (n, 2) x and y at the middle of each step, around the mean position; its noise rises with the frequency.
    far : bool
        Whether the region moves further than this method can follow, about 2 px either way.
    """

    def __init__(
        self,
        template: Template,
        sums: NDArray[np.float32],
        part: NDArray[np.int64],
        rate_hz: float,
        dark: Floats,
        pixels: PixelSpectra,
    ) -> None:
        projections = sums.sum(axis=1, dtype=np.float64) - dark
        lamp = _lamp(template.linear(projections)[:, 2], rate_hz)
        spectra = Spectra(_shown(template, sums, lamp))
        smooth = np.zeros((len(sums), 2))
        for _ in range(_ROUNDS):
            template.sharpen(smooth)
            linear, excess = template.linear(projections), template.excess(smooth)
            lamp = _lamp(linear[:, 2] / (1.0 + excess[:, 2]), rate_hz)
            shown = linear[:, :2] / lamp
            smooth = np.clip(spectra.clear(shown - excess[:, :2]), -FURTHEST_PX, FURTHEST_PX)
        self._spectra = Spectra(_shown(template, sums, lamp))
        shares = template.shares(part, sums.shape[1])
        each = template.shares(np.arange(pixels.pixels), pixels.pixels)
        singles = Singles(pixels, _first_order(template).T, each, lamp)
        self.px = (self._spectra.agreed(shown, shares, smooth, singles) - excess[:, :2]) @ template.clear
        taper = tukey(len(sums), TAPER)
        taken = excess[:, :2] + (lamp - 1.0) * shown
        self._taken = 2.0 * np.abs(np.fft.rfft(taken * taper[:, None], axis=0)) / taper.sum()
        heard = 1.0 / np.maximum((np.einsum("pii->pi", shares) ** 2).sum(axis=0), 1e-30)
        self._together = np.minimum(_TOGETHER, _MOST_OF_ALL * heard)
        self._rate_hz = rate_hz
        self.far = bool(np.abs(smooth).max() > _FAR * FURTHEST_PX)

    def credible(self, axis: int, hz: float, px: float) -> bool:
        """Tell whether a bin that stands above the noise is a vibration.

        It is none if the parts of the region do not agree on it, nor if it is so small beside what was taken off at
        its frequency that it may be the rest of that.
        """
        at = round(hz * len(self.px) / self._rate_hz)
        near = self._taken[max(at - 1, 0) : at + 2, axis]
        return bool(self._spectra.agreement[at, axis] > self._together[axis] and px > _DOUBT * float(near.max()))


def project(
    recording: Recording,
    roi: Roi,
    *,
    start: int = 0,
    stop: int | None = None,
    calibration: Calibration | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Projection:
    """Measure the displacement of a region at every step of a recording.

    Parameters
    ----------
    recording : Recording
        Read twice, and a third time where a vibration is not far above the noise.
    roi : Roi
        8×8 px or more.
    start, stop : int
        Steps [start, stop), all by default.
    calibration : Calibration, optional
        The sensor's fixed pattern. Without it the pattern's power is told from the picture, and its influence on the
        amplitude subtracted.
    on_progress : callable, optional
        Called with the steps done and the steps in all, the first two readings counted.

    Raises
    ------
    OptionError
        The region is too small or not inside the picture.
    RecordingError
        Fewer than 64 steps.
    """
    check_roi(roi, recording.height, recording.width)
    stop = recording.steps if stop is None else stop
    if stop - start < _FEWEST_STEPS:
        raise RecordingError(
            f"{recording.path}: {max(stop - start, 0)} steps to measure in, {_FEWEST_STEPS} are the least: "
            "take a longer part of the recording"
        )
    report = on_progress or (lambda done, total: None)
    light, inner = _mean_light(recording, roi, start, stop, lambda done: report(done, 2 * (stop - start)))
    template, gain, dark = _template(light, inner, stop - start, calibration, roi)
    weights = template.tests / gain
    bits = RegionBits(roi, recording.height, recording.width)
    groups = min(GROUPS, bits.bytes)
    group = _deal(bits.byte, template.tests, bits.bytes, groups)
    sums = []
    for at, part in _read(recording, start, stop):
        sums.append(bits.weigh(part, weights, group, groups))
        report(at + len(part) - start + stop - start, 2 * (stop - start))
    pixels = PixelSpectra(bits, weights, lambda: (part for _, part in _read(recording, start, stop)))
    return Projection(template, np.concatenate(sums), group[bits.byte], recording.rate_hz, weights @ dark, pixels)


def _read(recording: Recording, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for at in range(start, stop, _CHUNK_STEPS):
        yield at, recording.packed(at, min(at + _CHUNK_STEPS, stop))


def _mean_light(
    recording: Recording, roi: Roi, start: int, stop: int, report: Callable[[int], None]
) -> tuple[Floats, Roi]:
    """Mean picture of the region and its surroundings, and where in it the region is."""
    x, y, wide, high = roi
    left, top = max(0, x - MARGIN_PX), max(0, y - MARGIN_PX)
    right, bottom = min(recording.width, x + wide + MARGIN_PX), min(recording.height, y + high + MARGIN_PX)
    bits = RegionBits((left, top, right - left, bottom - top), recording.height, recording.width)
    counts = np.zeros((bottom - top, right - left), np.int64)
    for at, part in _read(recording, start, stop):
        counts += bits.count(part)
        report(at + len(part) - start)
    return counts / (stop - start), (x - left, y - top, wide, high)


def _template(
    light: Floats, inner: Roi, steps: int, calibration: Calibration | None, roi: Roi
) -> tuple[Template, Floats, Floats]:
    """Template of the region, and gain and dark light (pixels,) of its pixels."""
    noise = 1.0 / (np.sqrt(6.0) * steps)
    pixels = roi[2] * roi[3]
    if calibration is None:
        return Template(light, inner, pattern=pattern_spread(light), noise=noise), np.ones(pixels), np.zeros(pixels)
    top, left = roi[1] - inner[1], roi[0] - inner[0]
    here = np.s_[top : top + light.shape[0], left : left + light.shape[1]]
    whole = np.zeros_like(calibration.gain)
    whole[here] = light
    corrected = calibration.apply("rate", whole)[here]
    error = float(np.median(calibration.error[here]))
    template = Template(corrected, inner, pattern=error, noise=noise, usable=calibration.good[here])
    window = np.s_[roi[1] : roi[1] + roi[3], roi[0] : roi[0] + roi[2]]
    gain, dark = (part[window].ravel().astype(np.float64) for part in (calibration.gain, calibration.dark))
    return template, gain, dark


def _deal(byte: NDArray[np.int64], tests: Floats, count: int, groups: int) -> NDArray[np.int64]:
    """Deal bytes out to groups like cards, strongest first and back and forth, so that all groups weigh alike."""
    strength = np.bincount(byte, (tests[:2] ** 2).sum(axis=0), minlength=count)
    order = np.argsort(-strength, kind="stable")
    turn = np.arange(count)
    group = np.empty(count, np.int64)
    group[order] = np.where(turn // groups % 2, groups - 1 - turn % groups, turn % groups)
    return group


def _shown(template: Template, sums: NDArray[np.float32], lamp: Floats) -> NDArray[np.float32]:
    """Return what each group shows of the displacement, to first order: (n, groups, 2)."""
    return np.asarray(sums @ _first_order(template).astype(np.float32) / lamp[:, None].astype(np.float32))


def _first_order(template: Template) -> Floats:
    """Return what the projections show of the displacement, to first order: (4, 2)."""
    return template.linear(np.eye(4))[:, :2]


def _lamp(gain: Floats, rate_hz: float) -> Floats:
    """Gain of the light (n, 1): its mean, and what stands clear of the noise in its spectrum.

    Only lamps' frequencies: above, a few pixels' lines look like a flicker, and would be multiplied into the motion.
    """
    spectrum = np.fft.rfft(gain)
    power = np.abs(spectrum) ** 2
    hz = np.arange(len(spectrum)) * (rate_hz / len(gain))
    noise = NoiseFloor(power, np.ones(len(gain)), rate_hz).at(hz)
    spectrum[1:][((power <= _CLEAR * noise) | (hz > _LAMP_HZ))[1:]] = 0.0
    return np.asarray(np.fft.irfft(spectrum, len(gain)))[:, None]
