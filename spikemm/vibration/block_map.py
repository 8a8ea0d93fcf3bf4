"""A live map of what vibrates how fast and how far, block by block, over the whole picture."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import max_pool2d

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, WindowError
from spikemm.maps import MapSpec
from spikemm.response import KEPT, highest_frequency
from spikemm.vibration.block_peaks import BlockPeaks, dominant_peaks
from spikemm.vibration.block_texture import REACH_PX, Blocks, BlockTexture
from spikemm.vibration.record import RollingRecord
from spikemm.vibration.region_record import response_of

__all__ = ["BlockMapper"]

_FIRST_FRAMES = 32
_FEWEST_FRAMES = 64
_PARTS = 4
_ALIKE = 0.8
"""Correlation below which a block no longer shows what it is measured by: a texture moved by about a pixel."""


class BlockMapper:
    """Follow the displacement of every block of the frames, unmagnified and evenly sampled.

    A block's displacement is linear in its pixels (`BlockTexture`), so a frame costs two multiplications a pixel. The
    weights come from the mean of the first frames, and then of every `seconds` of them; the displacement goes on where
    it was. A block that has changed, compared four times a record with the picture that its weights come from, claims
    nothing until the record is past that: gradients do not tell displacements of more than a pixel or two, and what
    passes through does not vibrate. Nor does a block with a pixel that is no number near it, until the weights are of
    numbers alone and the record is past that. Memory is that of one record.

    Parameters
    ----------
    height, width : int
        Size of the frames, px.
    fps : float
        Frames per second of sensor time.
    rate_hz : float
        Steps per second.
    front : MapSpec
        The front end's map, whose response is divided out.
    block_px : int
        Side of a block, an even number of at least 8.
    seconds : float
        Length of the record that a map is made of.

    Attributes
    ----------
    block_px : int
        Side of a block.

    Raises
    ------
    OptionError
        If an option is out of range, or the record shorter than 64 frames.
    """

    def __init__(
        self,
        *,
        height: int,
        width: int,
        fps: float,
        rate_hz: float,
        front: MapSpec,
        block_px: int = 16,
        seconds: float = 0.5,
    ) -> None:
        if block_px < 8 or block_px % 2:
            raise OptionError(f"blocks of {block_px} px: take an even number of 8 px or more")
        frames = round(seconds * fps)
        if frames < _FEWEST_FRAMES:
            raise OptionError(
                f"a map of {seconds:g} s has {frames} frames at {fps:g} frames a second: take "
                f"{_FEWEST_FRAMES / fps:.3g} s or more, for {_FEWEST_FRAMES} of them"
            )
        self.block_px = block_px
        self._blocks = Blocks(height, width, block_px)
        self._fps, self._rate_hz, self._front = fps, rate_hz, front
        self._record = RollingRecord(frames, (2, self._blocks.rows, 2, self._blocks.columns))
        self.reset()

    def reset(self) -> None:
        """Forget the frames before: the next one is a first one."""
        self._record.reset()
        self._texture: BlockTexture | None = None
        self._sum: torch.Tensor | None = None
        self._part: torch.Tensor | None = None
        self._count = self._part_count = 0
        self._alike = torch.zeros(0, self._blocks.rows, self._blocks.columns)
        self._offset = self._moved = torch.zeros(())
        self._torn = self._torn_weights = torch.zeros(self._blocks.rows, self._blocks.columns, dtype=torch.bool)

    @property
    def seconds(self) -> float:
        """Length of a full record."""
        return self._record.length / self._fps

    @property
    def ready(self) -> bool:
        """Whether a whole record is there."""
        return self._record.full

    @property
    def highest_hz(self) -> float:
        """Highest frequency that any block can show, so far as is known."""
        nyquist = 0.5 * self._fps
        if self._texture is None:
            return nyquist
        return min(nyquist, highest_frequency(float(self._texture.length_steps.min()), self._rate_hz, self._least))

    @property
    def _least(self) -> float:
        # An ``isi`` keeps the square of what its length keeps.
        return KEPT**0.5 if self._front.name == "isi" else KEPT

    def push(self, batch: FrameBatch) -> None:
        """Take the next frames; a gap before them starts a new record."""
        if batch.gap:
            self.reset()
        frames = batch.pixels
        while len(frames):
            enough = _FIRST_FRAMES if self._texture is None else self._record.length
            part = -(-enough // _PARTS)
            run = min(enough - self._count, part - self._part_count)
            self._add(frames[:run])
            frames = frames[run:]
            if self._part_count == part or self._count == enough:
                self._end_part()
            if self._count == enough:
                self._retake()

    def _add(self, frames: torch.Tensor) -> None:
        total = frames.sum(0)
        if not bool(total.sum().isfinite()):
            frames = self._mended(frames)
            total = frames.sum(0)
        self._part = total if self._part is None else self._part + total
        self._part_count += len(frames)
        self._count += len(frames)
        if self._texture is not None:
            moved = torch.stack([self._texture.displacement(frame) for frame in frames]) + self._offset
            self._moved += moved.sum(0)
            self._record.push(moved.cpu().numpy())

    def _mended(self, frames: torch.Tensor) -> torch.Tensor:
        """Put 0 for pixels that are no numbers, and note the blocks in which they or their gradients are."""
        torn = ~frames.isfinite()
        near = max_pool2d(torn.any(0)[None].to(frames.dtype), 2 * REACH_PX + 1, stride=1, padding=REACH_PX)
        self._torn = self._torn | (self._blocks.sums(near).sum(2)[0] > 0.0).cpu()
        return frames.masked_fill(torn, 0.0)

    def _end_part(self) -> None:
        """Compare the mean of the last part of a record with what the weights come from."""
        assert self._part is not None, "frames came"
        if self._texture is not None:
            alike = self._texture.likeness(self._part / self._part_count).cpu()
            alike[self._torn | self._torn_weights] = 0.0
            # One part more than a record has, since a record may begin in the middle of one.
            self._alike = torch.cat((self._alike, alike[None]))[-_PARTS - 1 :]
        self._sum = self._part if self._sum is None else self._sum + self._part
        self._part, self._part_count = None, 0

    def _retake(self) -> None:
        """Take new weights from the mean of the last frames, where the displacement had a mean as well."""
        assert self._sum is not None, "no frames yet"
        mean = self._sum / self._count
        before = None if self._texture is None else self._moved / self._count
        self._texture = BlockTexture.of(mean, self._blocks, self._front)
        shown = self._texture.displacement(mean)
        self._offset = -shown if before is None else before - shown
        self._moved = torch.zeros_like(shown)
        self._sum, self._count = None, 0
        self._torn, self._torn_weights = torch.zeros_like(self._torn), self._torn

    def read(self, band_hz: tuple[float, float] | None = None) -> BlockPeaks:
        """Return the dominant peak of every block in the last record, of those inside a band where one is given.

        Raises
        ------
        WindowError
            There is no whole record yet; see `ready`.
        """
        if self._texture is None or not self.ready:
            raise WindowError(f"{self._record.count} of {self._record.length} frames are there: wait until it is ready")
        directions = self._texture.directions.cpu().numpy()
        along = np.einsum("nirhc,ikrc->nkrhc", self._record.samples(), directions, optimize=True)
        return dominant_peaks(
            along,
            self._fps,
            textured=self._texture.textured.cpu().numpy(),
            steady=(self._alike > _ALIKE).all(0).numpy(),
            kept=self._kept(),
            band_hz=band_hz,
        )

    def _kept(self) -> NDArray[np.float32]:
        """Part of an amplitude that every block keeps, at each frequency of the spectrum."""
        assert self._texture is not None, "no frames yet"
        hz = np.arange(self._record.length // 2 + 1) * (self._fps / self._record.length)
        kept = response_of(self._front, self._texture.length_steps.cpu().numpy(), self._rate_hz)
        return np.asarray(kept(hz[:, None, None].astype(np.float32)))
