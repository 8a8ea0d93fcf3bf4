"""Lagrangian magnification: measure where things moved, filter that in time, and warp the frame by the difference."""

from typing import ClassVar

import torch
from torch.nn.functional import avg_pool2d, interpolate

from spikemm.magnification.base import FrameMagnifier
from spikemm.magnification.claim import Claim
from spikemm.magnification.evidence import Evidence, finer
from spikemm.magnification.motion import CELL, NOISE_AVERAGED, Measurement, MotionEstimator, smooth_cells, spread_cells
from spikemm.magnification.options import MagnifierOptions
from spikemm.magnification.sampling import SplineSampler, sample_field
from spikemm.magnification.temporal import BandPass
from spikemm.response import KEPT, response_map

__all__ = ["WarpMagnifier"]

MEMORY_FRAMES = 32
"""Frames over which noise and significance are averaged."""

FAINT, CLEAR = 2.2, 3.2
"""A motion's power in units of what noise alone gives: nothing moves below the first, all above the second."""

UNSURE = 1e-8
"""Weight of a motion that may be noise: a motion that is sure, up to 64 px away, is believed first. A cell's own noise
would agree with itself."""

ENOUGH_FRAMES = 16
"""Before so many frames have been averaged, a motion must stand out further."""

FAR_PX, TOO_FAR_PX = 0.5, 1.5
"""Mean displacement beyond which a nearer reference is taken: once a vibration has had time for one period, and at
once."""

FURTHEST_PX = 12.0
"""No content is moved further than this: beyond, the picture would fold over."""

INVERSIONS = 6


class WarpMagnifier(FrameMagnifier):
    """Measure displacement by gradients, filter it in time, warp the current frame.

    Parameters
    ----------
    options : MagnifierOptions
        What it is built from.

    Notes
    -----
    Right for motions of 0.05 to 1 px going in and up to 10 px coming out: gain within 3 %, but for a fixed pattern
    of the sensor, which pulls the measured motion of faint textures towards zero (by 8 % on a wooden ruler under a
    pattern of 5 %). Still background 6 px and more beside a moving edge moves by less than 0.05 px, also at
    alpha 50, with the ``interval`` front end. What moves too far to be followed, a few px from frame to frame, is
    left as it is.

    With δ the filtered displacement of the scene and H what the front end shows of it, the frame shows content at
    H·δ and it belongs at α·δ, so it is moved by (α − H)·δ. Motion is significant where its power, averaged over
    some 64 frames, stands out from what the residual's noise would give; elsewhere nothing is moved, so that still
    parts do not shiver. That is a matter of averaging and not of size: a small motion that lasts is found.

    The field is smooth over about 10 px. Which pixels follow it is decided pixel by pixel by `Evidence`: the motion
    that is significant nearby is continued over the still surroundings, and they stay where their own change says
    so. Where content of both arrives at a place, what moves lies in front.

    In band mode the warp fades in over one settling time of the filter, 1.5 over the band's width. The front
    end's response and the filter's own gain and phase are then divided out at the frequency that dominates the
    significant motion, found while running; until there is such a motion, at the band's centre. Several
    frequencies at once are magnified by the factor right for their mean.
    """

    claim: ClassVar[Claim] = Claim(gain=0.03, input_px=(0.05, 1.0), output_px=10.0, wavelength_px=6.0)
    directional = True

    def __init__(self, options: MagnifierOptions) -> None:
        super().__init__(options)
        o = options
        self._sampler = SplineSampler(o.height, o.width, o.device)
        self._estimator = MotionEstimator(o.height, o.width, o.device)
        rows, columns = -(-o.height // CELL), -(-o.width // CELL)
        self._padded = rows * CELL, columns * CELL
        self._y = torch.arange(2 * rows, device=o.device, dtype=torch.float32)[:, None]
        self._x = torch.arange(2 * columns, device=o.device, dtype=torch.float32)
        self._zero = torch.zeros((2, rows, columns), device=o.device)
        self._axes = torch.tensor([o.axis != "y", o.axis != "x"], device=o.device).float()[:, None, None]

    def _restart(self, frame: torch.Tensor) -> None:
        self._carried = self._mean = self._zero
        self._noise = self._zero[0]
        self._power = self._zero
        self._frames = self._since = 0
        self._dominant = self._make_dominant()
        self._evidence = Evidence(self._make_filter())
        self._retake(frame)

    def _retake(self, frame: torch.Tensor) -> None:
        self._estimator.retake(frame)
        self._light = frame
        self._respond()

    def _respond(self) -> None:
        """Have displacements measured as those of the scene, at the frequency that dominates."""
        o, kept = self._options, torch.ones_like(self._light)
        if hz := self._response_hz(self._dominant):
            kept = response_map(o.front, self._light, hz, o.rate_hz).clamp(min=0.0)
        self._estimator.respond(kept.clamp(min=KEPT))
        self._kept = smooth_cells(self._cells(kept)[None])[0]

    def _cells(self, plane: torch.Tensor) -> torch.Tensor:
        return interpolate(plane[None, None], size=tuple(self._zero.shape[1:]), mode="area")[0, 0]

    def _magnify(self, frame: torch.Tensor, seconds: float) -> torch.Tensor:
        measured = self._estimator.measure(frame, self._noise, self._evidence.rest())
        displacement = measured.displacement + self._carried
        moved = self._filter.step(displacement, seconds)
        sure = self._sure(smooth_cells(self._power)) + UNSURE
        self._evidence.step(measured, self._estimator.shown, self._extended(moved, sure * measured.decided), seconds)
        self._learn(measured, moved, seconds)
        self._approach(frame, measured, displacement, seconds)
        moving = self._evidence.moving()
        certain = self._significance()
        shift = (self.alpha - self._kept) * self._fade() * self._tuned(measured, moved, certain, seconds)
        shift = shift * self._axes
        length = (shift * shift).sum(0).sqrt()
        shift = shift * (FURTHEST_PX / length.clamp(min=FURTHEST_PX))
        part = avg_pool2d(moving[None, None], 2)[0]
        shift = torch.lerp(self._extended(shift, sure * part * part * self._power[1]), shift, part)
        return self._sampler.warp(frame, self._spread(finer(shift), moving * finer(certain[None])[0]))

    @staticmethod
    def _extended(field: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Continue a field from where its weight is into the surroundings."""
        sums = spread_cells(torch.cat((weight * field, weight)))
        return sums[:2] / sums[2].clamp(min=1e-12)

    def _sure(self, power: torch.Tensor) -> torch.Tensor:
        """How far (1, h, w) a cell's motion, in units of what noise gives, is more than noise."""
        # The mean over few frames is far from 1 by chance.
        chance = max(1.0, ENOUGH_FRAMES / max(self._frames, 1)) ** 0.5
        x = ((power[0] / (power[1] + 1e-12) / chance - FAINT) / (CLEAR - FAINT)).clamp(0.0, 1.0)
        sure: torch.Tensor = (x * x * (3.0 - 2.0 * x))[None]
        return sure

    def _tuned(self, measured: Measurement, moved: torch.Tensor, certain: torch.Tensor, seconds: float) -> torch.Tensor:
        """Follow the frequency that dominates, and undo there what the filter does to amplitude and phase."""
        if self._dominant is None or not isinstance(self._filter, BandPass) or not self._filter.passes(seconds):
            return moved
        undone = self._dominant.undo(moved, self._filter.response(self._dominant.hz, seconds), seconds)
        weight = (
            (measured.structure[0] + measured.structure[2])
            * certain
            * (self._power[0] / self._power[0].max().clamp(min=1e-12))
        )
        settled = self._fade() == 1.0
        if self._dominant.step(moved, weight if settled else 0.0 * weight, seconds):
            self._respond()
        return undone

    def _learn(self, measured: Measurement, moved: torch.Tensor, seconds: float) -> None:
        """Average the noise, and the motion's power in units of it."""
        if seconds == 0.0:
            return
        self._frames += 1
        share = 1.0 / min(self._frames, MEMORY_FRAMES)
        self._noise = torch.lerp(self._noise, measured.residual, share)
        xx, xy, yy = measured.structure
        energy = xx * moved[0] ** 2 + 2.0 * xy * moved[0] * moved[1] + yy * moved[1] ** 2
        chance = NOISE_AVERAGED * avg_pool2d(self._evidence.noise[None], 2)[0] + 1e-14
        share = 1.0 / min(self._frames, 2 * MEMORY_FRAMES)
        self._power = torch.lerp(self._power, torch.stack((energy / chance, measured.decided)), share)

    def _significance(self) -> torch.Tensor:
        bright = ((self._kept - 0.2 * KEPT) / (0.3 * KEPT)).clamp(0.0, 1.0)
        near = smooth_cells(smooth_cells(self._power))
        # What a cell cannot tell from noise its surroundings may; which pixels take part is for the evidence to say.
        modest = torch.stack((torch.minimum(near[0], 2.0 * CLEAR * near[1]), near[1]))
        around = smooth_cells(avg_pool2d(modest[None], 4, ceil_mode=True, count_include_pad=False)[0])
        wide = interpolate(self._sure(around)[None], size=tuple(bright.shape), mode="bilinear", align_corners=False)
        return torch.maximum(self._sure(near)[0], wide[0, 0]) * bright

    def _approach(self, frame: torch.Tensor, measured: Measurement, displacement: torch.Tensor, seconds: float) -> None:
        """Take a nearer reference where the scene has left the last one, and carry the way so far along."""
        self._since += 1
        self._mean = torch.lerp(self._mean, measured.displacement, 1.0 / min(self._since, MEMORY_FRAMES // 2))
        weight = (measured.structure[0] + measured.structure[2]) * (self._mean**2).sum(0)
        weight = weight / weight.sum().clamp(min=1e-20)
        far, off = (
            float((weight * (x * x).sum(0)).sum()) ** 0.5 for x in (self._mean, measured.displacement - self._mean)
        )
        period = MEMORY_FRAMES if self._shown_band is None else 1.0 / max(self._shown_band[0] * seconds, 1e-9)
        enough = MEMORY_FRAMES // 4 if far > TOO_FAR_PX else max(MEMORY_FRAMES // 4, period)
        if far > FAR_PX and self._since > enough and off < 0.5 * far:
            self._retake(frame)
            self._evidence.retaken(measured.levelled, self._estimator.level)
            self._carried, self._mean, self._since = displacement, self._zero, 0

    def _spread(self, shift: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """Turn shifts given where content is into shifts given where it arrives, and the grid into pixels."""
        arriving, found = shift, moving * shift
        for i in range(INVERSIONS):
            x, y = (self._x - arriving[0] / 2).expand(shift.shape[1:]), self._y - arriving[1] / 2
            sampled = sample_field(found, x, y)
            arriving = sampled if i == INVERSIONS - 1 else 0.5 * (arriving + sampled)
        fine = interpolate(arriving[None], size=self._padded, mode="bilinear", align_corners=False)[0]
        return fine[:, : self._options.height, : self._options.width]
