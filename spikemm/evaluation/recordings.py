"""Front ends side by side on a real recording."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter

from spikemm.calibration import Calibration
from spikemm.encoding import Encoder
from spikemm.evaluation.recording_row import Aim, RecordingRow
from spikemm.evaluation.rows import Maker, RowFigures, RowPictures, RowResult
from spikemm.evaluation.timing import TIMED_FRAMES, frame_milliseconds
from spikemm.flow import FlowEstimator
from spikemm.front import FrontSpec
from spikemm.recording import Recording

__all__ = ["RecordingResult", "centred_hop", "evaluate_recording", "fitting"]

_CHUNK_FRAMES = 8
_LEAST_FRAMES = 6
_HOP, _HOPS = 20, 40


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """All rows of one recording.

    Attributes
    ----------
    path : Path
    steps, hop : int
        Length of the recording, and steps from frame to frame.
    aim : Aim
    calibrated : bool
        Whether the camera's fixed pattern was taken out.
    rows : tuple of RowResult
    seconds : float
        What it all took.
    """

    path: Path
    steps: int
    hop: int
    aim: Aim
    calibrated: bool
    rows: tuple[RowResult, ...]
    seconds: float


def centred_hop(steps: int, step: int | None = None) -> int:
    """Return steps from frame to frame for a recording of `steps` steps: 20, fewer where it is short.

    Where a `step` is given, a frame is centred on it.
    """
    hop = min(_HOP, max(1, steps // _HOPS))
    if not step:
        return hop
    return next(smaller for smaller in range(min(hop, step), 0, -1) if step % smaller == 0)


def fitting(row: FrontSpec, steps: int, hop: int) -> FrontSpec | None:
    """Return the front end with the longest window, up to its own, of which `steps` hold six frames; None if none."""
    step = 4 if row.learned else 1
    for window in range(row.window, 0, -step):
        smaller = replace(row, window=window)
        needed = smaller.steps
        first, last = needed // 2, steps - needed + needed // 2
        if last // hop - (first - 1) // hop >= _LEAST_FRAMES and last >= first:
            return smaller
    return None


def evaluate_recording(
    recording: Recording,
    rows: Sequence[FrontSpec],
    make: Maker,
    estimator: FlowEstimator,
    *,
    hop: int,
    aim: Aim,
    calibration: Calibration | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RecordingResult:
    """Compare front ends on a recording.

    Every row has an encoder of its own, so that one with short windows is not held up by one with long ones; windows
    near the end whose reach is missing are used as they are. A front end whose windows do not fit into a short
    recording gets the longest window that does, and its note says so.

    Parameters
    ----------
    recording : Recording
    rows : sequence of FrontSpec
    make : callable
        Makes a front end of a FrontSpec.
    estimator : FlowEstimator
    hop : int
        Steps from frame to frame; see `centred_hop` where there is a truth.
    aim : Aim
        From `spikemm.evaluation.survey`.
    calibration : Calibration, optional
        Of the camera.
    on_progress : callable, optional
        Called with the steps done and the steps in all, counting the recording once for every row.
    """
    started = perf_counter()
    report = on_progress or (lambda done, total: None)
    total = recording.steps * len(rows)
    results = []
    for number, row in enumerate(rows):
        done = number * recording.steps
        fit = fitting(row, recording.steps, hop)
        if fit is None:
            results.append(RowResult(RowFigures(row=str(row), note=_misfit(row, recording.steps)), RowPictures()))
            continue
        note = "" if fit == row else f"in place of {row}: {_misfit(row, recording.steps)}"
        measure = RecordingRow(str(fit), aim, estimator)
        _drive(recording, fit, make, hop, calibration, measure, partial(_report_from, report, done, total))
        results.append(measure.result(_milliseconds(recording, fit, make, hop, calibration), note))
    seconds = perf_counter() - started
    calibrated = calibration is not None
    return RecordingResult(recording.path, recording.steps, hop, aim, calibrated, tuple(results), seconds)


def _report_from(report: Callable[[int, int], None], done: int, total: int, step: int) -> None:
    report(done + step, total)


def _drive(
    recording: Recording,
    row: FrontSpec,
    make: Maker,
    hop: int,
    calibration: Calibration | None,
    measure: RecordingRow,
    report: Callable[[int], None],
) -> None:
    encoder = Encoder(recording.height, recording.width, list(row.maps), hop, calibration=calibration)
    stage = make(row)
    for start in range(0, recording.steps, _CHUNK_FRAMES * hop):
        stop = min(start + _CHUNK_FRAMES * hop, recording.steps)
        batches = [stage.push(encoder.push(recording.packed(start, stop), start))]
        if stop == recording.steps:
            batches += [stage.push([window]) for window in encoder.flush()]
        for batch in batches:
            if batch is not None:
                for frame, step in zip(batch.pixels.cpu().numpy(), batch.steps, strict=True):
                    measure.push(frame, int(step))
        report(stop)


def _milliseconds(
    recording: Recording, row: FrontSpec, make: Maker, hop: int, calibration: Calibration | None
) -> float | None:
    whole = max(spec.before + spec.after for spec in row.maps) + 2 * hop
    if recording.steps < whole:
        return None
    packed = recording.packed(0, min(recording.steps, whole + TIMED_FRAMES * hop))
    return frame_milliseconds(row, packed, (recording.height, recording.width), hop, make, calibration)


def _misfit(row: FrontSpec, steps: int) -> str:
    return f"needs {row.steps} steps for a frame and more for a sequence, the recording has {steps}"
