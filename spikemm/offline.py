"""The whole path over a recording: encode → reconstruct → magnify → upsample, in constant memory."""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from pathlib import Path

from spikemm.batch import FrameBatch
from spikemm.calibration import Calibration, calibration_of
from spikemm.encoding import Encoder, Windows
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.magnification import Axis, Mode, Region, make_magnifier
from spikemm.reconstruction import make_front_end
from spikemm.recording import Recording
from spikemm.upsampling import make_upsampler

__all__ = ["hop_of", "magnify_recording", "reconstruct_recording"]

_CHUNK_STEPS = 2000
_CHUNK_FRAMES = 16
"""Read at a time is whichever is less: 25 MB of a 250×400 recording, or what 16 frames, maps and networks take."""


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


def reconstruct_recording(
    recording: Recording,
    front: FrontSpec,
    *,
    hop: int,
    weights: str | Path | None = None,
    calibration: Calibration | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[FrameBatch]:
    """Turn a recording into frames of light.

    Parameters
    ----------
    recording : Recording
        What is read.
    front : FrontSpec
        The front end.
    hop : int
        Steps from frame to frame.
    weights : path, optional
        Networks of the front end, if other than those that come with the package.
    calibration : Calibration, optional
        What its pixels differ by. Default: what the recording states.
    device : str
        Torch device.
    on_progress : callable, optional
        Called with the steps done and the steps in all after every chunk.

    Returns
    -------
    iterator of FrameBatch
        Options are checked before it is returned.

    Raises
    ------
    OptionError
        If an option is out of range.
    WeightsError
        If the networks cannot be loaded.
    """
    front_end = make_front_end(front, device=device, weights=weights)
    calibration = calibration or calibration_of(recording)
    encoder = Encoder(recording.height, recording.width, front.maps, hop, calibration=calibration)
    batches = (front_end.push(windows) for windows in _encoded(recording, encoder, on_progress))
    return (batch for batch in batches if batch is not None)


def magnify_recording(
    recording: Recording,
    *,
    alpha: float = 10.0,
    band_hz: tuple[float, float] | None = None,
    method: str = "warp",
    mode: Mode | None = None,
    axis: Axis | None = None,
    regions: Sequence[Region] = (),
    steady: Region | None = None,
    method_weights: Path | None = None,
    front: FrontSpec | None = None,
    weights: str | Path | None = None,
    calibration: Calibration | None = None,
    fps: float = 1000.0,
    scale: float = 1.0,
    upsampler: str = "histospline",
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
        Limits in Hz of sensor time, for band mode.
    method : str
        One of `spikemm.magnification.MAGNIFIERS`.
    mode : {'static', 'dynamic', 'band'}, optional
        Which motion is magnified; by default band where there is one, else static.
    axis, regions, steady, method_weights
        See `spikemm.magnification.MagnifierOptions`, where the last is called ``weights``.
    front : FrontSpec, optional
        The front end, ``interval:32`` by default.
    weights : path, optional
        Networks of the front end, if other than those that come with the package.
    calibration : Calibration, optional
        What the camera's pixels differ by. Default: what the recording states.
    fps : float
        Frames per second of sensor time; must divide the sensor's rate.
    scale : float
        Upsampling factor from 1 up; 1 leaves the frames as they are.
    upsampler : str
        One of `spikemm.upsampling.UPSAMPLERS`.
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
    front = front or FrontSpec("interval", 32)
    if band_hz is not None:
        front.require_timing()
    hop = hop_of(recording.rate_hz, fps)
    height, width = recording.height, recording.width
    magnifier = make_magnifier(
        method,
        alpha=alpha,
        mode=mode or ("static" if band_hz is None else "band"),
        band_hz=band_hz,
        rate_hz=recording.rate_hz,
        hop=hop,
        front=front.timing,
        height=height,
        width=width,
        device=device,
        axis=axis,
        regions=tuple(regions),
        steady=steady,
        weights=method_weights,
    )
    enlarge = make_upsampler(upsampler, scale=scale, height=height, width=width, device=device)
    frames = reconstruct_recording(
        recording, front, hop=hop, weights=weights, calibration=calibration, device=device, on_progress=on_progress
    )
    magnified = (magnifier.push(batch) for batch in frames)
    return magnified if scale == 1.0 else (enlarge.push(batch) for batch in magnified)


def _encoded(
    recording: Recording, encoder: Encoder, on_progress: Callable[[int, int], None] | None
) -> Iterator[list[Windows]]:
    chunk = min(_CHUNK_STEPS, _CHUNK_FRAMES * encoder.hop)
    for piece in recording.timeline.pieces(chunk):
        packed = recording.packed(piece.start, piece.stop)
        yield encoder.push(packed, recording.timeline.step_at(piece.start))
        if on_progress is not None:
            on_progress(piece.stop, recording.steps)
    yield encoder.flush()
