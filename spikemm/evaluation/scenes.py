"""Front ends side by side on a simulated scene: simulate, encode once, reconstruct, measure; never a whole video."""

from collections.abc import Callable, Sequence
from time import perf_counter

from spikemm.calibration import Calibration
from spikemm.encoding import Encoder, Windows
from spikemm.evaluation.fixed_pattern import calibrate_simulated
from spikemm.evaluation.rows import TRUTH, Maker, RowResult
from spikemm.evaluation.scene_row import SceneRow
from spikemm.evaluation.setting import SceneResult, Setting, scene_truth
from spikemm.evaluation.timing import TIMED_FRAMES, frame_milliseconds
from spikemm.evaluation.truth import SceneTruth, even_hop
from spikemm.exceptions import OptionError
from spikemm.flow import FlowEstimator
from spikemm.front import FrontSpec
from spikemm.simulator import Simulator

__all__ = ["evaluate_scene"]

_FRAMES_AT_A_TIME = 8

Progress = Callable[[int, int], None]


def evaluate_scene(
    setting: Setting,
    rows: Sequence[FrontSpec],
    make: Maker,
    estimator: FlowEstimator | None = None,
    on_progress: Progress | None = None,
) -> SceneResult:
    """Compare front ends on a simulated scene.

    All see the same spikes and make frames of the same steps.

    Parameters
    ----------
    setting : Setting
    rows : sequence of FrontSpec
        All different.
    make : callable
        Makes a front end of a FrontSpec.
    estimator : FlowEstimator, optional
        For flow consistency and motion smoothness; without it they, SSIM and the time of a frame are left out, and
        the truth has no row.
    on_progress : callable, optional
        Called with the steps done and the steps in all.

    Raises
    ------
    OptionError
        No rows, the same twice, or a scene that does not move.
    """
    started = perf_counter()
    if not rows or len(set(rows)) < len(rows):
        raise OptionError(f"rows are [{', '.join(map(str, rows))}]: give at least one, and none twice")
    run = _Run(setting, rows, make, estimator)
    run.drive(on_progress or (lambda done, total: None))
    results = run.results()
    return SceneResult(
        setting,
        run.truth.scene.hz,
        run.truth.scene.px,
        run.hop,
        run.steps,
        run.truth.box,
        tuple(results),
        perf_counter() - started,
    )


class _Run:
    """One scene, its camera, and a front end with its measurement for every row."""

    def __init__(
        self, setting: Setting, rows: Sequence[FrontSpec], make: Maker, estimator: FlowEstimator | None
    ) -> None:
        self._setting, self._rows, self._make, self._full = setting, rows, make, estimator is not None
        self._size = setting.height, setting.width
        self.truth = scene_truth(setting)
        scene, rate_hz = self.truth.scene, setting.rate_hz
        self.hop = even_hop(scene.hz, rate_hz, setting.frames_per_period)
        self._calibration: Calibration | None = None
        if setting.fixed_pattern:
            self._calibration = calibrate_simulated(setting.sensor, *self._size, rate_hz, setting.seed)
        self._camera = Simulator(scene, setting.sensor, rate_hz=rate_hz, seed=setting.seed)
        maps = list(dict.fromkeys(spec for row in rows for spec in row.maps))
        self._encoder = Encoder(*self._size, maps, self.hop, calibration=self._calibration)
        self._before = before = max(spec.before for spec in maps)
        last = before + round(setting.periods * rate_hz / scene.hz)
        self.steps = last + self._encoder.lag_steps + 1
        show = _fastest(self.truth, before, last, self.hop)
        self._stages = [make(row) for row in rows]
        self._measures = [SceneRow(str(row), self.truth, estimator, show) for row in rows]
        self._reference = SceneRow(TRUTH, self.truth, estimator, show)

    def drive(self, on_progress: Progress) -> None:
        while self._camera.step < self.steps:
            start = self._camera.step
            packed = self._camera.steps(min(_FRAMES_AT_A_TIME * self.hop, self.steps - start))
            self._measure(self._encoder.push(packed, start))
            on_progress(self._camera.step, self.steps)

    def results(self) -> list[RowResult]:
        milliseconds = self._milliseconds()
        reference = [self._reference.result(None, None)] if self._full else []
        return reference + [
            measure.result(row.timing, time)
            for row, measure, time in zip(self._rows, self._measures, milliseconds, strict=True)
        ]

    def _measure(self, windows: list[Windows]) -> None:
        # The first windows lack what they reach for; nobody is judged by them.
        windows = [window for window in windows if window.step >= self._before]
        if not windows:
            return
        pictures = [self.truth.at(window.step) for window in windows]
        if self._full:
            for window, picture in zip(windows, pictures, strict=True):
                self._reference.push(picture, window.step, picture)
        for stage, measure in zip(self._stages, self._measures, strict=True):
            batch = stage.push(windows)
            assert batch is not None, "a front end makes a frame of every window"
            frames = batch.pixels.cpu().numpy()
            for frame, step, picture in zip(frames, batch.steps, pictures, strict=True):
                measure.push(frame, int(step), picture)

    def _milliseconds(self) -> list[float | None]:
        if not self._full:
            return [None] * len(self._rows)
        longest = max(spec.before + spec.after for spec in self._encoder.maps)
        packed = self._camera.steps(longest + (TIMED_FRAMES + 2) * self.hop)
        return [
            frame_milliseconds(row, packed, self._size, self.hop, self._make, self._calibration) for row in self._rows
        ]


def _fastest(truth: SceneTruth, first: int, last: int, hop: int) -> int:
    """Return the frame's step, within a period in the middle of those given, that has moved furthest since the last."""
    middle, half = (first + last) // 2, round(truth.rate_hz / truth.scene.hz) // 2
    start = -(-max(first + hop, middle - half) // hop) * hop

    def moved(at: int) -> float:
        return abs(truth.scene.factor(at, truth.rate_hz) - truth.scene.factor(at - hop, truth.rate_hz))

    return max(range(start, min(last, middle + half) + 1, hop), key=moved)
