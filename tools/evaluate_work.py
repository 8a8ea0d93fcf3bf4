"""What `spikemm evaluate reconstruction` computes, part by part, with a progress bar for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from tools.progress import progress

if TYPE_CHECKING:
    from spikemm.calibration import Calibration
    from spikemm.evaluation import Aim, RecordingResult, SceneResult, Setting
    from spikemm.evaluation.rows import Maker
    from spikemm.evaluation.sweeps import DimGain
    from spikemm.flow import FlowEstimator
    from spikemm.front import FrontSpec
    from spikemm.reconstruction import FrontEnd
    from spikemm.recording import Recording

__all__ = ["Evaluation", "Means", "RecordingJob", "evaluate"]

_PARTS = 1000
_SWEEP_SCENES = ("tuning-fork", "long-ruler")
_DIM_LIGHT, _DIM_NOISE = 0.1, 0.2
_SWEEP_PERIODS, _DIM_PERIODS = 20.0, 10.0


@dataclass(slots=True)
class Evaluation:
    """Everything that was measured; parts that were not asked for are empty.

    Attributes
    ----------
    rows : list of FrontSpec
    estimator : str
        What told the flow.
    scenes : list of SceneResult
        Every row on every scene.
    windows : list of SceneResult
        Single windows of 8 to 256 steps.
    frequencies : list of SceneResult
        The tuning fork at 100 to 500 Hz.
    amplitudes : list of SceneResult
        The tuning fork at 0.05 to 0.3 px.
    dim : list of DimGain
        A tenth of the light, with noise.
    recordings : list of RecordingResult
    """

    rows: "Sequence[FrontSpec]"
    estimator: str
    scenes: "list[SceneResult]" = field(default_factory=list)
    windows: "list[SceneResult]" = field(default_factory=list)
    frequencies: "list[SceneResult]" = field(default_factory=list)
    amplitudes: "list[SceneResult]" = field(default_factory=list)
    dim: "list[DimGain]" = field(default_factory=list)
    recordings: "list[RecordingResult]" = field(default_factory=list)

    @property
    def best_kind(self) -> "FrontSpec":
        """The row that the sweeps follow beside ``interval``: ``mie`` where it is among the rows, else the last."""
        return next((row for row in self.rows if row.name == "mie"), self.rows[-1])


@dataclass(frozen=True, slots=True)
class RecordingJob:
    """A recording and how it is looked at.

    Attributes
    ----------
    recording : Recording
    static : tuple of int or None
        x, y, width, height of a region where nothing moves.
    truth : Path or None
        A picture of the true light.
    truth_step : int or None
        The step it shows.
    truth_gain : float or None
        Spikes per step of its white.
    """

    recording: "Recording"
    static: tuple[int, int, int, int] | None = None
    truth: Path | None = None
    truth_step: int | None = None
    truth_gain: float | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What makes frames and what tells flow.

    Attributes
    ----------
    make : callable
        Makes a front end.
    estimator : FlowEstimator
    """

    make: "Maker"
    estimator: "FlowEstimator"

    @classmethod
    def ready(
        cls, threads: int, weights: Path | None, paper_weights: Path | None, raft_weights: Path | None
    ) -> "Means":
        """Prepare them on the GPU where there is one, else on so many threads of the CPU."""
        import torch

        from spikemm.device import pick_device
        from spikemm.flow import make_flow
        from spikemm.reconstruction import make_front_end

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        device = pick_device("auto")

        def make(spec: "FrontSpec") -> "FrontEnd":
            trained = paper_weights if spec.name == "paper" else weights if spec.learned else None
            return make_front_end(spec, device=device, weights=trained)

        return cls(make, make_flow(raft_weights, device))


def evaluate(
    rows: "Sequence[FrontSpec]",
    settings: "Sequence[Setting]",
    jobs: Sequence[RecordingJob],
    means: Means,
    *,
    sweeps: bool,
) -> Evaluation:
    """Measure every row on every scene and recording, and if asked sweep what acts on them."""
    from spikemm.evaluation.setting import scene_truth

    # First, since scenes take hours: what does not fit is told before them.
    looks = [_look(job) for job in jobs]
    for setting in settings:
        scene_truth(setting)
    for row in rows:
        means.make(row)
    found = Evaluation(rows, means.estimator.name)
    _run_scenes(found, settings, means)
    if sweeps and settings:
        _run_sweeps(found, settings, means.make)
    _run_recordings(found, looks, means)
    return found


def _run_scenes(into: Evaluation, settings: "Sequence[Setting]", means: Means) -> None:
    """Measure every row on every scene."""
    from spikemm.evaluation import evaluate_scene

    for setting in settings:
        with progress(setting.scene, _PARTS) as reached:
            into.scenes.append(evaluate_scene(setting, into.rows, means.make, means.estimator, _fraction(reached)))


def _run_sweeps(into: Evaluation, settings: "Sequence[Setting]", make: "Maker") -> None:
    """Measure what windows, frequency, amplitude and light do; on fewer periods, and without flow."""
    from spikemm.evaluation.sweeps import dim_gain, sweep_amplitude, sweep_frequency, sweep_windows

    names = list(dict.fromkeys(["interval", into.best_kind.name]))
    for setting in settings:
        if setting.scene in _SWEEP_SCENES:
            with progress(f"{setting.scene}: windows", _PARTS) as reached:
                short = replace(setting, periods=min(setting.periods, _SWEEP_PERIODS))
                into.windows.append(sweep_windows(short, make, _fraction(reached)))
    fork = replace(settings[0], scene="tuning-fork", periods=min(settings[0].periods, _SWEEP_PERIODS))
    with progress("100 to 500 Hz", _PARTS) as reached:
        into.frequencies = sweep_frequency(fork, names, make, _fraction(reached))
    with progress("small amplitudes", _PARTS) as reached:
        into.amplitudes = sweep_amplitude(fork, into.rows, make, _fraction(reached))
    for setting in settings:
        dim = replace(setting, light=_DIM_LIGHT, noise=_DIM_NOISE, periods=min(setting.periods, _DIM_PERIODS))
        with progress(f"{setting.scene}: a tenth of the light", _PARTS) as reached:
            into.dim.append(dim_gain(dim, into.best_kind, make, _fraction(reached)))


@dataclass(frozen=True, slots=True)
class _Look:
    """A recording that has been looked at once."""

    recording: "Recording"
    calibration: "Calibration | None"
    aim: "Aim"
    hop: int


def _look(job: RecordingJob) -> _Look:
    from spikemm.calibration import calibration_of
    from spikemm.evaluation import centred_hop, scaled_truth, survey

    recording, calibration = job.recording, calibration_of(job.recording)
    truth = None
    if job.truth is not None and job.truth_step is not None:
        truth = scaled_truth(recording, _linear(job.truth), job.truth_step, job.truth_gain, calibration)
    aim = survey(recording, job.static, truth, calibration)
    return _Look(recording, calibration, aim, centred_hop(recording.steps, job.truth_step))


def _run_recordings(into: Evaluation, looks: Sequence[_Look], means: Means) -> None:
    """Measure every row on every recording."""
    from spikemm.evaluation import evaluate_recording

    for look in looks:
        with progress(look.recording.path.name, _PARTS) as reached:
            into.recordings.append(
                evaluate_recording(
                    look.recording,
                    into.rows,
                    means.make,
                    means.estimator,
                    hop=look.hop,
                    aim=look.aim,
                    calibration=look.calibration,
                    on_progress=_fraction(reached),
                )
            )


def _linear(path: Path) -> NDArray[np.float32]:
    """Return a picture as grey from 0 to 1, its values taken as proportional to light."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise OptionError(f"{path}: no picture can be read from it; give a PNG, JPEG or TIFF of the true light")
    white = 65_535 if picture.dtype == np.uint16 else 255
    return np.asarray(picture, np.float32) / np.float32(white)


def _fraction(reached: Callable[[int], None]) -> Callable[[int, int], None]:
    return lambda done, total: reached(_PARTS * done // total)
