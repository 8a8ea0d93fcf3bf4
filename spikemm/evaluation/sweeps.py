"""What a window's length, the frequency, the amplitude and the light do to the frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spikemm.evaluation.rows import Maker, RowFigures
from spikemm.evaluation.scenes import evaluate_scene
from spikemm.evaluation.setting import SceneResult, Setting, scene_truth
from spikemm.evaluation.truth import SceneTruth
from spikemm.front import FrontSpec
from spikemm.response import KEPT

__all__ = [
    "AMPLITUDES_PX",
    "FREQUENCIES_HZ",
    "WINDOWS",
    "DimGain",
    "dim_gain",
    "following",
    "single_windows",
    "sweep_amplitude",
    "sweep_frequency",
    "sweep_windows",
]

WINDOWS = (8, 16, 32, 64, 128, 256)
FREQUENCIES_HZ = (100.0, 200.0, 300.0, 400.0, 500.0)
AMPLITUDES_PX = (0.05, 0.1, 0.3)

_TRIED = (32, 28, 24, 20, 16, 12, 8, 4)
_SURE = 1.2

Progress = Callable[[int, int], None]


def single_windows() -> list[FrontSpec]:
    """Return ``rate`` and ``interval`` at every window of the sweep."""
    return [FrontSpec(name, window) for name in ("rate", "interval") for window in WINDOWS]


def sweep_windows(setting: Setting, make: Maker, on_progress: Progress | None = None) -> SceneResult:
    """Compare windows of 8 to 256 steps as the paper's figures 7 and 8 do: PSNR against surviving amplitude."""
    return evaluate_scene(setting, single_windows(), make, on_progress=on_progress)


def sweep_frequency(
    setting: Setting, names: Sequence[str], make: Maker, on_progress: Progress | None = None
) -> list[SceneResult]:
    """Measure the surviving amplitude at 100 to 500 Hz, each front end at the window that `following` picks."""
    results = []
    for number, hz in enumerate(FREQUENCIES_HZ):
        at = replace(setting, frequency_hz=hz)
        truth = scene_truth(at)
        rows = [following(name, truth) for name in names]
        results.append(evaluate_scene(at, rows, make, on_progress=_part(on_progress, number, len(FREQUENCIES_HZ))))
    return results


def sweep_amplitude(
    setting: Setting, rows: Sequence[FrontSpec], make: Maker, on_progress: Progress | None = None
) -> list[SceneResult]:
    """Measure the surviving amplitude of motions of 0.05, 0.1 and 0.3 px."""
    return [
        evaluate_scene(
            replace(setting, amplitude_px=px), rows, make, on_progress=_part(on_progress, number, len(AMPLITUDES_PX))
        )
        for number, px in enumerate(AMPLITUDES_PX)
    ]


def following(name: str, truth: SceneTruth) -> FrontSpec:
    """Return a front end at the longest window, up to 32 steps, that follows a scene's motion.

    Its response in every moving region is at least 0.36, somewhat above the 0.3 below which nothing is corrected.
    """
    fronts = [FrontSpec(name, window) for window in _TRIED]

    def response(front: FrontSpec) -> float:
        return min(truth.response(front.timing, motion) for motion in truth.scene.motions)

    return next((front for front in fronts if response(front) >= _SURE * KEPT), fronts[-1])


@dataclass(frozen=True, slots=True)
class DimGain:
    """What a front end gains in PSNR where light is short.

    Attributes
    ----------
    result : SceneResult
        Every row and every single window.
    row, short, best : RowFigures
        The front end, ``interval`` at its short window, and the single window of the highest PSNR.
    """

    result: SceneResult
    row: RowFigures
    short: RowFigures
    best: RowFigures

    @property
    def over_short_db(self) -> float:
        """PSNR above the short window's."""
        return (self.row.psnr_db or 0.0) - (self.short.psnr_db or 0.0)

    @property
    def over_best_db(self) -> float:
        """PSNR above the best single window's, which may have erased the motion."""
        return (self.row.psnr_db or 0.0) - (self.best.psnr_db or 0.0)


def dim_gain(setting: Setting, row: FrontSpec, make: Maker, on_progress: Progress | None = None) -> DimGain:
    """Compare a front end with every single window of the sweep, usually at a tenth of the light and with noise."""
    singles = single_windows()
    result = evaluate_scene(setting, list(dict.fromkeys([row, *singles])), make, on_progress=on_progress)
    figures = {found.figures.row: found.figures for found in result.rows}
    best = max((figures[str(single)] for single in singles), key=lambda found: found.psnr_db or 0.0)
    short = figures[str(FrontSpec("interval", row.window))]
    return DimGain(result, figures[str(row)], short, best)


def _part(on_progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Turn the progress of one of several equal parts into that of the whole."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(number * total + done, parts * total)
