"""Where to measure, when nobody has said so."""

import numpy as np

from spikemm.calibration import calibration_of
from spikemm.encoding import Encoder
from spikemm.exceptions import OptionError, RecordingError
from spikemm.front import FrontSpec
from spikemm.reconstruction import make_front_end
from spikemm.recording import Recording
from spikemm.vibration.block_map import BlockMapper
from spikemm.vibration.block_peaks import BlockPeaks
from spikemm.vibration.measurement import part_of
from spikemm.vibration.template import Roi

__all__ = ["propose_region"]

_FRONT = FrontSpec("interval", 8)
_BLOCK_PX, _AROUND_PX = 16, 8
_FPS, _MOST_FRAMES, _FEWEST_FRAMES = 1250.0, 640, 96
_CHUNK_STEPS = 2048


def propose_region(recording: Recording, *, start_s: float = 0.0, seconds: float | None = None) -> Roi:
    """Return the region that vibrates most in a part of a recording.

    Parameters
    ----------
    recording : Recording
        What is read, about half a second of it.
    start_s, seconds : float
        Which part, as `measure_recording` takes it.

    Returns
    -------
    Roi
        The block of 16×16 px of largest amplitude and 8 px around it: in the block alone what moves may be an edge that
        leaves it, and further off it may move otherwise, as the prongs of a fork do.

    Raises
    ------
    OptionError
        Nothing is seen to vibrate, or there is no such part.
    RecordingError
        The part is too short to tell.

    Notes
    -----
    Looks at 1,250 frames a second, so it sees vibrations from some 10 to 600 Hz.
    """
    part = part_of(recording, start_s, seconds)
    hop = max(1, round(recording.rate_hz / _FPS))
    frames = min(_MOST_FRAMES, (len(part) - _FRONT.steps * 2) // hop)
    if frames < _FEWEST_FRAMES:
        raise RecordingError(
            f"{recording.path}: {len(part)} steps are too few to tell what vibrates: name a region with --roi X Y W H"
        )
    fps = recording.rate_hz / hop
    # The first 32 frames only make the blocks' weights.
    mapper = BlockMapper(
        height=recording.height,
        width=recording.width,
        fps=fps,
        rate_hz=recording.rate_hz,
        front=_FRONT.timing,
        block_px=_BLOCK_PX,
        seconds=(frames - 36) / fps,
    )
    _look(recording, part, hop, mapper)
    peaks = mapper.read()
    if not (peaks.px > 0.0).any():
        raise OptionError(
            f"{recording.path}: no block of {_BLOCK_PX} px is seen to vibrate by {_usual(peaks):.2g} px or more: "
            "name a region with --roi X Y W H, which shows far less"
        )
    return _strongest_block(peaks, recording.height, recording.width)


def _look(recording: Recording, part: range, hop: int, mapper: BlockMapper) -> None:
    encoder = Encoder(recording.height, recording.width, _FRONT.maps, hop, calibration=calibration_of(recording))
    front_end = make_front_end(_FRONT, device="cpu")
    for at in range(part.start, part.stop, _CHUNK_STEPS):
        batch = front_end.push(encoder.push(recording.packed(at, min(at + _CHUNK_STEPS, part.stop)), at))
        if batch is not None:
            mapper.push(batch)
        if mapper.ready:
            break


def _strongest_block(peaks: BlockPeaks, height: int, width: int) -> Roi:
    row, column = np.unravel_index(int(peaks.px.argmax()), peaks.px.shape)
    x, right = _widened(int(column), width)
    y, bottom = _widened(int(row), height)
    return x, y, right - x, bottom - y


def _widened(block: int, size: int) -> tuple[int, int]:
    """First and last + 1 pixel of a block and what lies around it."""
    return max(block * _BLOCK_PX - _AROUND_PX, 0), min((block + 1) * _BLOCK_PX + _AROUND_PX, size)


def _usual(peaks: BlockPeaks) -> float:
    """Amplitude (px) that half of the blocks with texture could show."""
    seen = peaks.floor_px[peaks.floor_px > 0]
    return float(np.median(seen)) if seen.size else float("inf")
