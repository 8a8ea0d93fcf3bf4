"""What every magnifier is, and the part that all of them share: options, restarts, the batch loop."""

from abc import ABC, abstractmethod
from math import isfinite
from typing import ClassVar, Protocol

import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, ShapeError
from spikemm.magnification.claim import Claim
from spikemm.magnification.delay import PhaseDelay, phase_delay
from spikemm.magnification.dominant import DominantFrequency
from spikemm.magnification.options import MagnifierOptions
from spikemm.magnification.regions import soft_regions
from spikemm.magnification.stabiliser import Stabiliser
from spikemm.magnification.temporal import BandPass, Difference, SlowMeanRemoved, TemporalFilter, check_band
from spikemm.response import require_response
from spikemm.strobe import Strobe

__all__ = ["FrameMagnifier", "Magnifier"]

SLOW_SECONDS = 1.0
"""Time constant of the reference in static mode, in seconds of sensor time."""

_MOVED = 0.1
"""Part of its width by which a band may move, as a strobe follows its vibration, before its filter restarts."""


class Magnifier(Protocol):
    """A causal stage that magnifies small motions, one frame out for one in, with O(1) memory."""

    alpha: float
    """Total factor; may be set while running."""

    band_hz: tuple[float, float] | None
    """Limits in Hz of sensor time; may be set while running in band mode, which restarts the filter."""

    strobe: Strobe | None
    """Through which the frames show the scene; may be set while running, and restarts the filter where it must."""

    @property
    def shown_band_hz(self) -> tuple[float, float] | None:
        """Where in the frames the band appears: the band itself, but behind a strobe."""

    @property
    def phase_delay(self) -> PhaseDelay:
        """The filter's known delay."""

    def push(self, batch: FrameBatch) -> FrameBatch:
        """Magnify the frames; `raw` of the result are the frames that went in. A gap restarts filters and reference."""

    def reset(self) -> None:
        """Forget everything before."""


class FrameMagnifier(ABC):
    """A magnifier that works frame by frame; a method adds `_magnify` and `_restart`.

    Parameters
    ----------
    options : MagnifierOptions
        What it is built from.

    Raises
    ------
    OptionError
        If `alpha` is negative or not finite; if the band is not 0 < low < high < half the frame rate, or a strobe does
        not show it; if the front end keeps less than 0.3 of the band's centre even in full light; if an axis or weights
        are given to a method that has no use for them.
    """

    claim: ClassVar[Claim]
    """Where the method's gain is right."""

    directional: ClassVar[bool] = False
    """Whether the method knows the direction of motion, and can magnify along one axis alone."""

    learned: ClassVar[bool] = False
    """Whether it has networks."""

    def __init__(self, options: MagnifierOptions) -> None:
        if options.axis is not None and not self.directional:
            raise OptionError(
                f"axis {options.axis}: this method does not know where motion goes; take warp, riesz, phase, "
                "compact or mdlmm"
            )
        if options.weights is not None and not self.learned:
            raise OptionError(f"weights {options.weights}: this method has no networks; leave them out")
        self._options = o = options
        self._mask = soft_regions(o.regions, o.height, o.width, o.device) if o.regions else None
        self._stabiliser = Stabiliser(o.steady, o.height, o.width, o.device) if o.steady else None
        self._last_step: int | None = None
        self._begun = False
        self.alpha = options.alpha
        self._strobe: Strobe | None = None
        self._shown_band: tuple[float, float] | None = None
        self._set_band(options.band_hz, options.strobe)

    @property
    def alpha(self) -> float:
        """Total factor: displacement in the output over true displacement of the scene."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        if not (isfinite(value) and value >= 0.0):
            raise OptionError(f"alpha {value:g} is not a magnification: take 0 (freeze) or more")
        self._alpha = float(value)

    @property
    def band_hz(self) -> tuple[float, float] | None:
        """Limits of the band in Hz of sensor time, None outside band mode."""
        return self._band_hz

    @band_hz.setter
    def band_hz(self, value: tuple[float, float] | None) -> None:
        if (value is None) != (self._band_hz is None):
            raise OptionError(f"band {value} in mode {self._options.mode}: the mode stays as it was built")
        self._set_band(value, self._strobe)
        self.reset()

    @property
    def strobe(self) -> Strobe | None:
        """Through which the frames show the scene."""
        return self._strobe

    @strobe.setter
    def strobe(self, value: Strobe | None) -> None:
        before, band = self._strobe, self._shown_band
        self._set_band(self._band_hz, value)
        as_slow = before is not None and value is not None and before.apparent_hz == value.apparent_hz
        if not as_slow or _has_moved(band, self._shown_band):
            self.reset()
        else:
            self._shown_band = band

    @property
    def shown_band_hz(self) -> tuple[float, float] | None:
        """Where in the frames the band appears."""
        return self._shown_band

    def _set_band(self, value: tuple[float, float] | None, strobe: Strobe | None) -> None:
        o, shown = self._options, value
        if value is not None:
            frame_rate_hz = o.rate_hz / o.hop
            shown = check_band(strobe.shown_band(value, frame_rate_hz) if strobe else value, frame_rate_hz)
            flash_hz = strobe.flash_hz if strobe else 0.0
            require_response(o.front, 1.0, (shown[0] * shown[1]) ** 0.5 + flash_hz, o.rate_hz)
        self._band_hz = None if value is None else (float(value[0]), float(value[1]))
        self._shown_band, self._strobe = shown, strobe

    def _make_filter(self) -> TemporalFilter:
        if self._shown_band is not None:
            return BandPass(*self._shown_band)
        if self._options.mode == "dynamic":
            return Difference()
        return SlowMeanRemoved(self._strobe.slow_seconds(SLOW_SECONDS) if self._strobe else SLOW_SECONDS)

    def _make_dominant(self) -> DominantFrequency | None:
        """Return what follows the frequency that dominates as the frames show it; None outside band mode."""
        band = self._shown_band
        return None if band is None else DominantFrequency(band, (band[0] * band[1]) ** 0.5)

    def _response_hz(self, dominant: DominantFrequency | None = None) -> float:
        """Frequency of the scene at which the front end's response is divided out.

        It is the one that dominates or else the band's geometric centre; without a band a strobe's frequency, and 0,
        which stands for no correction, where there is none.
        """
        if self._shown_band is None:
            return self._strobe.frequency_hz if self._strobe else 0.0
        shown = (self._shown_band[0] * self._shown_band[1]) ** 0.5 if dominant is None else dominant.hz
        return shown + (self._strobe.flash_hz if self._strobe else 0.0)

    @property
    def phase_delay(self) -> PhaseDelay:
        """The filter's known delay at the band's centre; none outside band mode."""
        o = self._options
        return phase_delay(self._shown_band, o.hop / o.rate_hz, o.rate_hz)

    def push(self, batch: FrameBatch) -> FrameBatch:
        """Magnify the frames of a batch, the result being the same however the stream is cut into batches.

        Raises
        ------
        ShapeError
            If the frames are not of the size stated at the start.
        OptionError
            If the very first frame is so dark that the front end keeps less than 0.3 of the band's centre: a setting
            that makes no sense. A scene that gets dark later, behind a gap too, is magnified as far as can be.
        """
        o = self._options
        if batch.pixels.shape[1:] != (o.height, o.width):
            raise ShapeError(f"frames are {tuple(batch.pixels.shape[1:])}, expected {(o.height, o.width)}")
        if batch.gap:
            self.reset()
        frames = torch.nan_to_num(batch.pixels, nan=0.0, posinf=0.0, neginf=0.0)
        out = [self._next(frame, int(step)) for frame, step in zip(frames, batch.steps, strict=True)]
        return FrameBatch(torch.stack(out) if out else frames, batch.steps, batch.gap, batch.pixels)

    def _next(self, frame: torch.Tensor, step: int) -> torch.Tensor:
        if self._last_step is not None and step <= self._last_step:
            self.reset()
        if self._last_step is None:
            if not self._begun:
                self._require_light(frame)
                self._begun = True
            seconds = self._start(frame)
        else:
            seconds = self._seconds_of(step - self._last_step)
            self._seconds += seconds
            frame = frame if self._stabiliser is None else self._stabiliser.push(frame, seconds)
        self._last_step = step
        magnified = self._magnify(frame, seconds)
        return magnified if self._mask is None else torch.lerp(frame, magnified, self._mask)

    def _seconds_of(self, steps: int) -> float:
        rate_hz = self._options.rate_hz
        return steps / rate_hz if self._strobe is None else self._strobe.seconds(steps, rate_hz)

    def _start(self, frame: torch.Tensor) -> float:
        self._filter, self._seconds = self._make_filter(), 0.0
        if self._stabiliser is not None:
            self._stabiliser.reset()
            self._stabiliser.push(frame, 0.0)
        self._restart(frame)
        return 0.0

    def _require_light(self, frame: torch.Tensor) -> None:
        """Refuse a scene whose light, weighted by itself since dark parts show little, is too low for the band."""
        o = self._options
        light = float((frame * frame).mean() / frame.mean().clamp(min=1e-6))
        if self._band_hz is not None and light > 1.0 / (2 * o.front.window):
            require_response(o.front, min(light, 1.0), self._response_hz(), o.rate_hz)

    def _fade(self) -> float:
        """Rise from 0 to 1 over the filter's settling time: what it gives before is its own onset."""
        settling = self._filter.settling_seconds
        return 1.0 if settling == 0.0 else min(1.0, self._seconds / settling) ** 2

    def reset(self) -> None:
        """Forget everything before: the next frame is a first one."""
        self._last_step = None

    @abstractmethod
    def _restart(self, frame: torch.Tensor) -> None:
        """Begin anew with `frame` as the first one."""

    @abstractmethod
    def _magnify(self, frame: torch.Tensor, seconds: float) -> torch.Tensor:
        """Return the (H, W) frame magnified; `seconds` of sensor time since the last one, 0 for the first."""


def _has_moved(before: tuple[float, float] | None, now: tuple[float, float] | None) -> bool:
    """Tell whether a band is another one, by more than a filter can leave unnoticed."""
    if before is None or now is None:
        return before is not now
    return max(abs(a - b) for a, b in zip(before, now, strict=True)) > _MOVED * (before[1] - before[0])
