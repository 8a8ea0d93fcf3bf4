"""The vibration of a region in a recording."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import Calibration, calibration_of
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.reconstruction import make_front_end
from spikemm.recording import Recording
from spikemm.vibration.projection import Projection, project
from spikemm.vibration.region_record import RegionRecord
from spikemm.vibration.spectrum import Analysis, analyse, searched_band
from spikemm.vibration.template import Roi, check_roi

__all__ = ["LONGEST_S", "Measurement", "check_band", "measure_recording", "part_of"]

LONGEST_S = 4.0
"""Seconds that are measured at once; a machine is rarely as steady for longer."""

_USUAL_S = 2.0
_HIGHEST = 0.3
"""Highest frequency that is searched, as part of the sensor's rate."""

_FRONT, _HOP = FrontSpec("interval", 16), 8
_CHUNK_STEPS = 2048
_FEWEST_STEPS = 16


@dataclass(frozen=True)
class Measurement:
    """How a region vibrates.

    Attributes
    ----------
    roi : Roi
        x, y, width, height, px.
    method : {'projection', 'frames'}
        Displacement from raw steps, or from frames of `front`.
    start_step, steps : int
        The sensor's step with which the measured part begins, and how many steps it has.
    px : numpy.ndarray
        (n, 2) float64 displacement along x and y around its mean.
    analysis : Analysis
        What is in it; phases are those at the sensor's step 0.
    """

    roi: Roi
    method: str
    start_step: int
    steps: int
    px: NDArray[np.float64]
    analysis: Analysis


def measure_recording(
    recording: Recording,
    roi: Roi,
    *,
    front: FrontSpec | None = None,
    calibration: Calibration | None = None,
    band_hz: tuple[float, float] | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """Measure the vibration of a region.

    Raw steps are projected on the region's picture, which shows 20 Hz and 6,000 Hz alike and needs no window. A region
    that moves by more than some 2 px to either side is followed in frames instead.

    Parameters
    ----------
    recording : Recording
        What is read.
    roi : Roi
        8×8 px or more. Where its parts move differently, the amplitude is their mean, weighted by the square of the
        smoothed picture's gradient: what stands still counts as well, as far as it has contrast.
    front : FrontSpec, optional
        Measure in frames of this front end, 2,500 a second at 20 kHz.
    calibration : Calibration, optional
        The sensor's fixed pattern. Default: what the recording states; without any, its power is estimated from the
        picture, and what it would take off the amplitude is given back.
    band_hz : tuple of float, optional
        Where to search. Default: from 4 cycles in the measured time to 0.3 of the sensor's rate, or to what the frames
        show.
    start_s, seconds : float
        Which part of the recording. Default: 2 s from its beginning, or what there is up to a gap.
    on_progress : callable, optional
        Called with the steps done and the steps in all.

    Raises
    ------
    OptionError
        A region or band that the recording cannot show, a start behind its end, or more than 4 s.
    RecordingError
        Too few steps.

    Notes
    -----
    A step counts as the light of its middle, as in the simulator. A sensor that integrates all through a step shows
    sinc(f / rate) of an amplitude: 2.6 % less at an eighth of the rate (2,500 Hz of 20 kHz), 10 % less at a quarter.
    """
    check_roi(roi, recording.height, recording.width)
    calibration = calibration or calibration_of(recording)
    part = part_of(recording, start_s, seconds)
    check_band(recording, part, band_hz)
    first = recording.timeline.step_at(part.start)
    if front is None:
        found = project(
            recording, roi, start=part.start, stop=part.stop, calibration=calibration, on_progress=on_progress
        )
        if not found.far:
            return Measurement(
                roi, "projection", first, len(part), found.px, _projected(recording, first, found, band_hz)
            )
    return _framed(recording, roi, part, front or _FRONT, calibration, band_hz)


def part_of(recording: Recording, start_s: float, seconds: float | None) -> range:
    """Return the stored steps to measure: up to 2 s from `start_s` on, or `seconds`, or up to a gap.

    Raises
    ------
    OptionError
        A start that is not in the recording, or a length that is not above 0 or beyond 4 s.
    """
    if not 0.0 <= start_s < recording.seconds:
        raise OptionError(
            f"start at {start_s:g} s: {recording.path} has {recording.seconds:g} s: begin at 0 s or later, and before "
            "its end"
        )
    if seconds is not None and not 0.0 < seconds <= LONGEST_S:
        raise OptionError(f"{seconds:g} s to measure: take more than 0 and at most {LONGEST_S:g} s at once")
    longest = max(1, round((seconds or _USUAL_S) * recording.rate_hz))
    return next(recording.timeline.pieces(longest, round(start_s * recording.rate_hz)))


def check_band(recording: Recording, part: range, band_hz: tuple[float, float] | None) -> None:
    """Raise OptionError where no part of a recording with as many steps shows a band, however it is measured."""
    hz = np.fft.rfftfreq(max(len(part), _FEWEST_STEPS), 1.0 / recording.rate_hz)
    searched_band(hz, np.ones_like(hz), recording.rate_hz, band_hz)


def _projected(recording: Recording, first: int, found: Projection, band_hz: tuple[float, float] | None) -> Analysis:
    rate_hz = recording.rate_hz
    return analyse(
        found.px,
        rate_hz,
        band_hz=band_hz or (0.0, _HIGHEST * rate_hz),
        start_s=(first + 0.5) / rate_hz,
        credible=found.credible,
    )


def _framed(
    recording: Recording,
    roi: Roi,
    part: range,
    front: FrontSpec,
    calibration: Calibration | None,
    band_hz: tuple[float, float] | None,
) -> Measurement:
    """Measure in frames, whose window the amplitudes are corrected for."""
    front.require_timing()
    rate_hz = recording.rate_hz
    record = RegionRecord(roi, length=len(part) // _HOP + 1, hop=_HOP, rate_hz=rate_hz, front=front.timing)
    encoder = Encoder(recording.height, recording.width, front.maps, _HOP, calibration=calibration)
    front_end = make_front_end(front, device="cpu")
    first = recording.timeline.step_at(part.start)
    for at in range(part.start, part.stop, _CHUNK_STEPS):
        packed = recording.packed(at, min(at + _CHUNK_STEPS, part.stop))
        batch = front_end.push(encoder.push(packed, first + at - part.start))
        if batch is not None:
            record.push(batch)
    analysis = analyse(
        record.px, rate_hz / _HOP, kept=record.kept, band_hz=band_hz, start_s=record.first_step / rate_hz
    )
    return Measurement(roi, "frames", first, len(part), record.px, analysis)
