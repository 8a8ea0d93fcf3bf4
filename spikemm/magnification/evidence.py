"""Which pixels move with the measured field, which stand still, and which do what no small displacement explains."""

import torch
from torch.nn.functional import avg_pool2d, interpolate

from spikemm.magnification.motion import DARK, Measurement, smooth_cells, spread_cells
from spikemm.magnification.temporal import TemporalFilter

__all__ = ["Evidence"]

MEMORY_FRAMES = 64

STILL, MOVING = 0.35, 0.75
"""Part of the expected change that is seen: stands still below the first, moves with the field above the second."""

EXPLAINED, TORN = 0.1, 0.25
"""Part of the change that the field leaves over: all is well below the first, the field is wrong above the second."""

ENOUGH_FRAMES = 8
"""Before so many frames, what the field leaves over counts more."""

AROUND = 8
"""A wrong field is judged over squares of this many second pixels, and their neighbours."""

FULL_SAY = 2.0
"""Pixels have a say as the expected change squared grows beyond this multiple of the noise; then all have the same."""

UNHEARD = 0.03
"""A place counts as still where all that have a say there, a whole pixel counting 1, have less than this."""

QUIET = 0.25
"""Part of the picture that is surely as quiet as noise: it tells how much noise there is for the light."""

FACTOR_OF_NOISE = 4.0
"""What is left over counts from this multiple of the noise on."""

LARGEST_PX = 2.5
"""A frame that changes more than this displacement would make it weighs no more for it, so that it is forgotten."""


class Evidence:
    """Compare, pixel by pixel, the change seen with the change expected of the field, averaged over time.

    With c the change after the temporal filter and p = ∇I·d the change expected, ⟨c·p⟩/⟨p²⟩ is near 1 where the
    pixel moves with the field and near 0 where it stands still, whatever the size of the motion; ⟨(c − p)²⟩/⟨c²⟩ is
    near 1 where the field explains nothing. Neighbours are averaged with weights that saturate at the noise: a
    faint texture is not outvoted by the strong edge beside it. Pixels without a say take that of their
    surroundings. Works on every second pixel; the memory is a running average.

    Parameters
    ----------
    temporal : TemporalFilter
        A filter of its own, the same as that of the displacement.

    Attributes
    ----------
    noise : torch.Tensor
        (2h, 2w) variance of a smoothed pixel by noise, behind the filter; there from the first step on.
    """

    def __init__(self, temporal: TemporalFilter) -> None:
        self._filter = temporal
        self._frames = 0
        self._bridge = torch.zeros(())
        self._sums: torch.Tensor | None = None

    def retaken(self, levelled: torch.Tensor, level: torch.Tensor) -> None:
        """Tell that the picture, `levelled` so far, is now the reference at `level`: not a change of the scene."""
        self._bridge = self._bridge + (level - levelled)

    def step(self, measured: Measurement, shown: torch.Tensor, moved: torch.Tensor, seconds: float) -> None:
        """Take the next frame.

        Parameters
        ----------
        measured : Measurement
            Of the frame.
        shown : torch.Tensor
            (2, 2h, 2w) change of the picture by 1 px of motion.
        moved : torch.Tensor
            (2, h, w) displacement after the filter, px.
        seconds : float
            Since the last frame.
        """
        change = -self._filter.step(measured.levelled - self._bridge, seconds)
        expected = (shown * finer(moved)).sum(0)
        most = LARGEST_PX * shown.abs().sum(0) + 0.02
        sums = torch.stack((change * expected, expected * expected, change * change))
        sums = sums / (1.0 + (sums[1] + sums[2]) / (most * most))
        self._frames += 1
        share = 1.0 / min(self._frames, MEMORY_FRAMES)
        self._sums = sums * share if self._sums is None else torch.lerp(self._sums, sums, share)
        self._left = self._sums[2] - 2.0 * self._sums[0] + self._sums[1]
        self.noise = self._noise(torch.minimum(self._left, self._sums[2]), measured.levelled)

    def rest(self) -> torch.Tensor:
        """Return how far (2h, 2w), 0 to 1, a pixel is expected to change by less than noise."""
        if self._sums is None:
            return torch.ones(())
        return 1.0 / (1.0 + FULL_SAY * self._sums[1] / self.noise)

    def moving(self) -> torch.Tensor:
        """Return the part (2h, 2w), 0 to 1, of the field that applies at each pixel."""
        assert self._sums is not None, "no frame yet"
        (both, expected, seen), left, noise = self._sums, self._left, self.noise
        say = 1.0 / (expected + FULL_SAY * noise)
        votes, voters = spread_cells(smooth_cells(smooth_cells(torch.stack((both * say, expected * say)))))
        follows = _rise(votes / (voters + UNHEARD), STILL, MOVING)
        over = torch.stack(((left - FACTOR_OF_NOISE * noise).clamp(min=0.0), seen + noise))
        return follows * (1.0 - self._torn(over))

    def _torn(self, sums: torch.Tensor) -> torch.Tensor:
        wide = smooth_cells(smooth_cells(avg_pool2d(sums[None], AROUND, ceil_mode=True, count_include_pad=False)[0]))
        # A wrong field explains much of a few frames by chance.
        doubt = max(1.0, ENOUGH_FRAMES / self._frames)
        torn = _rise(doubt * wide[0] / wide[1], EXPLAINED, TORN)
        size = sums.shape[1] + -sums.shape[1] % AROUND, sums.shape[2] + -sums.shape[2] % AROUND
        fine = interpolate(torn[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
        return fine[: sums.shape[1], : sums.shape[2]]

    @staticmethod
    def _noise(least: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Variance of the change by noise: what neither motion nor rest explains, within reason for the light."""
        light = level * level + DARK
        around = smooth_cells(smooth_cells(least[None]))[0]
        ratio = (around / light)[::4, ::4].flatten()
        usual = ratio.kthvalue(1 + int(QUIET * len(ratio))).values * light
        return torch.minimum(torch.maximum(around, 0.5 * usual), 4.0 * usual) + DARK**2


def finer(cells: torch.Tensor) -> torch.Tensor:
    """Interpolate (C, h, w) to twice the size."""
    return interpolate(cells[None], scale_factor=2.0, mode="bilinear", align_corners=False)[0]


def _rise(x: torch.Tensor, low: float, high: float) -> torch.Tensor:
    x = ((x - low) / (high - low)).clamp(0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
