"""The whole path over a recording: encode → reconstruct → magnify → upsample, in constant memory."""

from collections.abc import Callable, Iterator
from math import isfinite

from spikemm.batch import FrameBatch
from spikemm.encoding import Encoder, MapSpec, Windows
from spikemm.exceptions import OptionError
from spikemm.magnification import make_magnifier
from spikemm.reconstruction import FrontEnd
from spikemm.recording import Recording
from spikemm.upsampling import make_upsampler

__all__ = ["hop_of", "magnify_recording"]

CHUNK_STEPS = 2000
"""Steps read at a time: 25 MB of a 250×400 recording."""


def hop_of(rate_hz: float, fps: float) -> int:
    """Return the steps from frame to frame for `fps` frames per second of sensor time.

    Raises
    ------
    OptionError
        If `fps` does not divide the rate; names the nearest values that do.
    """
    if not (isfinite(fps) and 0.0 < fps <= rate_hz):
        raise OptionError(
            f"{fps:g} frames a second are not possible: take more than 0 and at most the sensor's {rate_hz:g}"
        )
    hop = round(rate_hz / fps)
    if abs(hop * fps - rate_hz) > 1e-6 * rate_hz:
        below, above = int(rate_hz // fps) + 1, int(rate_hz // fps)
        raise OptionError(
            f"{fps:g} frames a second are no whole number of steps at {rate_hz:g} Hz: "
            f"the nearest that are: {rate_hz / below:g} and {rate_hz / above:g}"
        )
    return hop


def magnify_recording(
    recording: Recording,
    *,
    alpha: float = 10.0,
    band_hz: tuple[float, float] | None = None,
    method: str = "warp",
    front: MapSpec | None = None,
    fps: float = 1000.0,
    scale: float = 1.0,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[FrameBatch]:
    """Magnify a recording.

    Parameters
    ----------
    recording : Recording
        What is read.
    alpha : float
        Total factor, displacement in the output over true displacement.
    band_hz : tuple of float, optional
        Limits in Hz of sensor time: selects band mode; without it static mode.
    method : str
        One of `spikemm.magnification.MAGNIFIERS`.
    front : MapSpec, optional
        The front end, ``interval:32`` by default.
    fps : float
        Frames per second of sensor time; must divide the sensor's rate.
    scale : float
        Upsampling factor from 1 up; 1 leaves the frames as they are.
    device : str
        Torch device from the reconstruction on.
    on_progress : callable, optional
        Called with the steps done and the steps in all after every chunk.

    Returns
    -------
    iterator of FrameBatch
        Options are checked before it is returned; every batch has `raw`, the frames of the same instants unmagnified.

    Raises
    ------
    OptionError
        If an option is out of range or contradicts another.
    """
    front = front or MapSpec("interval", 32)
    hop = hop_of(recording.rate_hz, fps)
    height, width = recording.height, recording.width
    magnifier = make_magnifier(
        method,
        alpha=alpha,
        mode="static" if band_hz is None else "band",
        band_hz=band_hz,
        rate_hz=recording.rate_hz,
        hop=hop,
        front=front,
        height=height,
        width=width,
        device=device,
    )
    upsampler = make_upsampler("histospline", scale=scale, height=height, width=width, device=device)
    front_end = FrontEnd(front, device=device)

    def finish(windows: list[Windows]) -> Iterator[FrameBatch]:
        frames = front_end.push(windows)
        if frames is not None:
            magnified = magnifier.push(frames)
            yield magnified if scale == 1.0 else upsampler.push(magnified)

    return _drive(recording, Encoder(height, width, [front], hop), finish, on_progress)


def _drive(
    recording: Recording,
    encoder: Encoder,
    finish: Callable[[list[Windows]], Iterator[FrameBatch]],
    on_progress: Callable[[int, int], None] | None,
) -> Iterator[FrameBatch]:
    for start in range(0, recording.steps, CHUNK_STEPS):
        stop = min(start + CHUNK_STEPS, recording.steps)
        yield from finish(encoder.push(recording.packed(start, stop), start))
        if on_progress is not None:
            on_progress(stop, recording.steps)
    yield from finish(encoder.flush())
