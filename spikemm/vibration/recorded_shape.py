"""The operating deflection shape of a recording."""

from collections.abc import Callable
from contextlib import suppress
from math import inf, tau
from typing import NamedTuple

import torch
from torch.nn.functional import avg_pool2d

from spikemm.batch import FrameBatch
from spikemm.calibration import calibration_of
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.magnification import make_magnifier
from spikemm.maps import MapSpec
from spikemm.reconstruction import make_front_end
from spikemm.recording import Recording
from spikemm.vibration.deflection import DeflectionShape
from spikemm.vibration.spectrum import FEWEST_CYCLES

__all__ = ["PHASES", "RecordedShape", "shape_of_recording"]

PHASES = 24
"""Frames of a loop, which lasts a second."""

_HOP = 7  # of no common measure with round rates and frequencies: every frame has another phase
_LONGEST_WINDOW, _CYCLE_SHARE, _USUAL_PERIOD = 32, 0.4, 5
_CHUNK_STEPS = 2048
_BESIDE_CYCLES = 3.0
"""Cycles in the record by which the frequencies differ that tell the noise: they hold nothing of a steady vibration."""

_BLOCK_PX = 16


class RecordedShape(NamedTuple):
    """How a scene moves at a frequency.

    Attributes
    ----------
    loop : FrameBatch
        24 frames over one cycle; the first shows the phase of step 0.
    above_noise : float
        How far what changes at the frequency stands above the noise beside it, in the block of 16 px where it does so
        most: about 1 where nothing vibrates; infinite where no frequency beside it can be told from it.
    """

    loop: FrameBatch
    above_noise: float


def shape_of_recording(
    recording: Recording,
    part: range,
    frequency_hz: float,
    *,
    alpha: float = 1.0,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> RecordedShape:
    """Return how the scene moves at a frequency: one cycle, averaged over a part of a recording.

    Parameters
    ----------
    recording : Recording
        What is read.
    part : range
        Its steps, without a gap among them; see `part_of`.
    frequency_hz : float
        Of the vibration. The frames' window is short enough for it, 32 steps at most.
    alpha : float
        Displacement shown over true displacement; see `spikemm.magnification`.
    device : str
        Torch device.
    on_progress : callable, optional
        Called with the steps done and the steps in all.

    Returns
    -------
    RecordedShape

    Raises
    ------
    OptionError
        The frames cannot show such a frequency.
    WindowError
        The part is too short.
    """
    rate_hz = recording.rate_hz
    _require_cycles(frequency_hz, len(part) / rate_hz)
    shape = _shape(recording, part, frequency_hz)
    beside = _beside(recording, part, frequency_hz)
    front = _front(frequency_hz, rate_hz)
    encoder = Encoder(recording.height, recording.width, front.maps, _HOP, calibration=calibration_of(recording))
    front_end = make_front_end(front, device=device)
    first = recording.timeline.step_at(part.start)
    for at in range(part.start, part.stop, _CHUNK_STEPS):
        stop = min(at + _CHUNK_STEPS, part.stop)
        batch = front_end.push(encoder.push(recording.packed(at, stop), first + at - part.start))
        if batch is not None:
            for each in (shape, *beside):
                each.push(batch)
        if on_progress is not None:
            on_progress(stop - part.start, len(part))
    return RecordedShape(_magnified(shape, alpha, rate_hz, device), _above(shape, beside))


def _require_cycles(frequency_hz: float, seconds: float) -> None:
    if frequency_hz * seconds < FEWEST_CYCLES:
        raise OptionError(
            f"{frequency_hz:g} Hz has {max(frequency_hz, 0.0) * seconds:.1f} cycles in {seconds:g} s, and "
            f"{FEWEST_CYCLES:g} are the least: take a longer part, or {FEWEST_CYCLES / seconds:.3g} Hz and more"
        )


def _front(frequency_hz: float, rate_hz: float) -> FrontSpec:
    """Return a front end that averages less than half a cycle, where the light is usual."""
    window = int(_CYCLE_SHARE * rate_hz / max(frequency_hz, 1e-3)) - _USUAL_PERIOD
    return FrontSpec("interval", min(max(window, 1), _LONGEST_WINDOW))


def _shape(recording: Recording, part: range, frequency_hz: float) -> DeflectionShape:
    rate_hz = recording.rate_hz
    front = _front(frequency_hz, rate_hz).timing
    seconds = len(part) / rate_hz
    return DeflectionShape(
        frequency_hz=frequency_hz, rate_hz=rate_hz, hop=_HOP, front=front, phases=PHASES, seconds=seconds
    )


def _beside(recording: Recording, part: range, frequency_hz: float) -> list[DeflectionShape]:
    """Return shapes at both sides of a frequency, as far as frames show them."""
    apart_hz = _BESIDE_CYCLES * recording.rate_hz / len(part)
    shapes = []
    for hz in (frequency_hz - apart_hz, frequency_hz + apart_hz):
        with suppress(OptionError):
            shapes.append(_shape(recording, part, hz))
    return shapes


def _above(shape: DeflectionShape, beside: list[DeflectionShape]) -> float:
    noise = []
    for other in beside:
        with suppress(OptionError):
            noise.append(_strength(other))
    return float((_strength(shape) / torch.stack(noise).mean(0).clamp(min=1e-12)).max()) if noise else inf


def _strength(shape: DeflectionShape) -> torch.Tensor:
    """Return the mean amplitude of a shape's first harmonic in every block."""
    frames = shape.loop().pixels
    turns = torch.exp(-1j * tau / PHASES * torch.arange(PHASES)).to(frames.device)
    amplitude = torch.einsum("k,khw->hw", turns, frames.to(turns.dtype)).abs()
    block = min(_BLOCK_PX, *amplitude.shape)
    return avg_pool2d(amplitude[None], block)[0]


def _magnified(shape: DeflectionShape, alpha: float, rate_hz: float, device: str) -> FrameBatch:
    """Return the loop, magnified against its mean: in a second round, when that is known."""
    loop = shape.loop()
    if alpha == 1.0:
        return loop
    magnifier = make_magnifier(
        "warp",
        alpha=alpha,
        mode="static",
        rate_hz=rate_hz,
        hop=shape.out_hop,
        front=MapSpec("rate", 1),
        height=loop.pixels.shape[1],
        width=loop.pixels.shape[2],
        device=device,
    )
    magnifier.push(loop)
    again = magnifier.push(FrameBatch(loop.pixels, loop.steps + PHASES * shape.out_hop))
    return FrameBatch(again.pixels, loop.steps)
