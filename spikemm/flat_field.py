"""A calibration from two recordings: one in darkness, one of even light."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import DEAD, HOT, SATURATED, Calibration
from spikemm.exceptions import CalibrationError
from spikemm.recording import Recording
from spikemm.tally import Tally, tally_halves

__all__ = ["from_dark_and_flat"]

_DEAD_PART = 0.1
"""A pixel with less than this part of the usual signal in even light is dead."""

_HOT_SPREADS, _HOT_PART = 10.0, 0.05
"""A pixel is hot whose dark offset is so many robust standard deviations above the usual one, and so much of the flat's
light: less than that is an offset like any other, and is subtracted."""

_FULL = 0.99
"""A pixel that fires on all but one step in a hundred, or more often, is saturated."""

_MOST_FAULTS = 0.05
_LEAST_EXACT = 0.01
_LEAST_SPIKES = 20
_SIGMA_PER_MEDIAN = 1.4826


def from_dark_and_flat(
    dark: Recording, flat: Recording, on_progress: Callable[[int, int], None] | None = None
) -> Calibration:
    """Measure the gain and the dark offset of every pixel.

    Both recordings are read once, in constant memory. The light of a pixel is its number of inter-spike intervals over
    the time from its first spike to its last. The gain is what the flat shows above the dark, 1 on average; if the
    lens darkens the corners, this corrects that as well.

    Parameters
    ----------
    dark : Recording
        Covered lens. A dark of N steps tells the offset to about 1/N spikes per step.
    flat : Recording
        Even light without texture, out of focus, about as bright as the scenes to come and nowhere saturated.
    on_progress : callable, optional
        Called with the steps read and the steps in all.

    Raises
    ------
    CalibrationError
        The sizes differ; the flat is no brighter than the dark, saturated, or too dark or short for gains exact to 1 %;
        or more than 5 % of the pixels have a fault.

    Notes
    -----
    Dead pixels (less than a tenth of the median signal in the flat), hot ones (10 robust standard deviations above the
    median dark offset, and above a twentieth of the flat's light) and saturated ones (a spike on 99 % of the steps of
    the flat, or more) get gain 1, offset 0 and their fault; `Calibration` shows their neighbours in their place. The
    standard error of the gains is half of what the halves of the recordings differ by (robustly, over all good pixels),
    so it holds whatever noise there is.
    """
    _check_sizes(dark, flat)
    total = dark.steps + flat.steps
    report = on_progress or (lambda done, total: None)
    darks = tally_halves(dark, lambda done: report(done, total))
    flats = tally_halves(flat, lambda done: report(dark.steps + done, total))
    in_dark, in_flat = (first.joined(second) for first, second in (darks, flats))
    offset = in_dark.light
    signal = in_flat.light - offset
    _check_light(in_dark, in_flat, dark, flat)
    fault = _faults(in_flat, offset, signal)
    good = fault == 0
    level = float(signal[good].mean())
    error = _error(darks, flats, good) * np.where(good, level / np.maximum(signal, 1e-6 * level), 1.0)
    _check_error(float(np.median(error[good])), flat)
    return Calibration(
        gain=np.where(good, signal / level, 1.0).astype(np.float32),
        dark=np.where(good, offset, 0.0).astype(np.float32),
        fault=fault,
        error=np.where(good, error, 0.0).astype(np.float32),
    )


def _check_sizes(dark: Recording, flat: Recording) -> None:
    if (dark.height, dark.width) != (flat.height, flat.width):
        raise CalibrationError(
            f"{dark.path} has {dark.height}×{dark.width} pixels and {flat.path} {flat.height}×{flat.width}: "
            "record both with one camera at one size, or state their size"
        )
    for recording in (dark, flat):
        if recording.steps < 2:
            raise CalibrationError(f"{recording.path} has {recording.steps} steps: record a second")


def _check_light(in_dark: Tally, in_flat: Tally, dark: Recording, flat: Recording) -> None:
    low, high = float(np.median(in_dark.light)), float(np.median(in_flat.light))
    if high <= low:
        raise CalibrationError(
            f"{dark.path} ({low:.2g} spikes per step) is as bright as {flat.path} ({high:.2g}): "
            "the dark comes first, then the flat"
        )
    full = float((in_flat.light >= _FULL).mean())
    if full > _MOST_FAULTS:
        raise CalibrationError(
            f"{flat.path}: {full:.0%} of the pixels are saturated, {_MOST_FAULTS:.0%} may: "
            "record the flat with less light"
        )
    needed = 1.0 / (_LEAST_EXACT * (high - low))
    if dark.steps < needed:
        raise CalibrationError(
            f"{dark.path}: {dark.steps} steps tell the dark offset to {1 / dark.steps:.1g} spikes per step only: "
            f"record {needed:.0f} steps or more"
        )
    if np.median(in_flat.count) < _LEAST_SPIKES:
        raise CalibrationError(
            f"{flat.path}: a pixel fires {np.median(in_flat.count):g} times, {_LEAST_SPIKES} are the least: "
            "record the flat with more light, or longer"
        )


def _faults(in_flat: Tally, offset: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.uint8]:
    usual, light = float(np.median(offset)), float(np.median(signal))
    spread = _SIGMA_PER_MEDIAN * float(np.median(np.abs(offset - usual)))
    fault = np.zeros(signal.shape, np.uint8)
    fault[signal < _DEAD_PART * light] = DEAD
    fault[in_flat.light >= _FULL] = SATURATED
    fault[(offset > usual + _HOT_SPREADS * spread) & (offset > _HOT_PART * light)] = HOT
    if (part := float((fault != 0).mean())) > _MOST_FAULTS:
        raise CalibrationError(
            f"{part:.0%} of the pixels are dead, hot or saturated, {_MOST_FAULTS:.0%} may be: light the flat evenly, "
            "cover the lens for the dark, and check height and width"
        )
    return fault


def _error(darks: tuple[Tally, Tally], flats: tuple[Tally, Tally], good: NDArray[np.bool_]) -> float:
    """Take the standard error of the good pixels' gains: half of what the halves differ by but for the lamp's drift."""
    signals = [flat.light - dark.light for dark, flat in zip(darks, flats, strict=True)]
    first, second = (signal[good] / signal[good].mean() for signal in signals)
    resolved = 1.0 / ((darks[0].steps + darks[1].steps) * np.sqrt(12.0) * np.mean([s[good].mean() for s in signals]))
    return float(np.hypot(_SIGMA_PER_MEDIAN * np.median(np.abs(first - second)) / 2.0, resolved))


def _check_error(error: float, flat: Recording) -> None:
    if error > _LEAST_EXACT:
        longer = flat.seconds * (error / _LEAST_EXACT) ** 2
        raise CalibrationError(
            f"{flat.path}: gains are known to ±{error:.1%} only, {_LEAST_EXACT:.0%} is the limit: "
            f"record {longer:.1g} s or more, with more light, and a dark as long"
        )
