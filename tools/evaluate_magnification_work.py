"""What `spikemm evaluate magnification` computes, part by part, with a progress bar for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.magnification import (
    AblationRow,
    Bench,
    Contender,
    Figures,
    OrdinaryFigures,
    Shot,
    Showcase,
    StillFigures,
    ablate,
    film,
    ordinary,
    show,
    sweep,
    sweep_still,
)
from spikemm.exceptions import SpikeMMError
from spikemm.front import FrontSpec
from tools.evaluate_magnification_videos import write_video
from tools.progress import progress

if TYPE_CHECKING:
    from spikemm.evaluation.rows import Maker

__all__ = ["MagnificationEvaluation", "Plan", "ShownScene", "evaluate_magnification"]

_FASTEST = "tuning-fork"
_ALPHA = 10.0
_STILL_ALPHAS = (10.0, 50.0)
_ABLATION_ALPHAS = (5.0, 10.0)
_SLOW_SCENE = "long-ruler"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    contenders : sequence of Contender
    alphas, amplitudes_px : sequence of float
    scenes : sequence of str
        Of the section on scenes; the grid is of the first of them.
    shot : Shot
        Size, lengths and seed of all shots.
    disturbed_px : sequence of float
        Amplitudes that are also measured under noise and flicker.
    disturbances : sequence of tuple
        Temporal noise and flicker of each of those, and of the scenes at rest.
    fronts : sequence of FrontSpec
        Of the comparison of front ends.
    front_scenes : sequence of str
    shown_frames : int
        Frames of each scene's pictures and video.
    wire_iterations : int
        Steps of WIRE's first fit; 0 leaves the ablation out.
    timed : tuple of int
        Height and width of the frames by which methods are timed.
    """

    contenders: Sequence[Contender]
    alphas: Sequence[float]
    amplitudes_px: Sequence[float]
    scenes: Sequence[str]
    shot: Shot = Shot()
    disturbed_px: Sequence[float] = ()
    disturbances: Sequence[tuple[float, float]] = ((0.2, 0.0), (0.0, 0.02), (0.2, 0.02))
    fronts: Sequence[FrontSpec] = ()
    front_scenes: Sequence[str] = (_FASTEST, _SLOW_SCENE)
    shown_frames: int = 48
    wire_iterations: int = 300
    timed: tuple[int, int] = (250, 400)

    @property
    def methods(self) -> list[str]:
        """Names of the contenders."""
        return [contender.method for contender in self.contenders]

    @property
    def grid(self) -> list[Shot]:
        """Every amplitude, quiet; then some of them under each disturbance."""
        first = replace(self.shot, scene=self.scenes[0])
        quiet = [replace(first, px=px) for px in self.amplitudes_px]
        disturbed = [shot for shot in quiet if shot.px in self.disturbed_px]
        return quiet + [
            replace(shot, noise=noise, flicker=flicker) for noise, flicker in self.disturbances for shot in disturbed
        ]

    @property
    def still(self) -> list[Shot]:
        """The first scene at rest, quiet and under each disturbance."""
        first = replace(self.shot, scene=self.scenes[0], px=0.0)
        return [replace(first, noise=noise, flicker=flicker) for noise, flicker in ((0.0, 0.0), *self.disturbances)]

    @property
    def compared(self) -> list[Shot]:
        """The shots of the comparison of front ends."""
        return [replace(self.shot, scene=scene, front=front) for scene in self.front_scenes for front in self.fronts]


@dataclass(frozen=True, slots=True)
class ShownScene:
    """A scene's figures and what of its frames the report shows.

    Attributes
    ----------
    shot : Shot
    alpha : float
    figures : list of Figures
    pictures, slices : dict of str to numpy.ndarray
        By row: the frame furthest from rest, and an x–t slice.
    white : float
    video : Path
        All rows side by side.
    """

    shot: Shot
    alpha: float
    figures: list[Figures]
    pictures: dict[str, NDArray[np.float32]]
    slices: dict[str, NDArray[np.float32]]
    white: float
    video: Path


@dataclass(slots=True)
class MagnificationEvaluation:
    """Everything that was measured.

    Attributes
    ----------
    plan : Plan
    costs : dict
        Milliseconds a frame by method; None where it cannot run.
    grid : list of Figures
        Amplitudes × factors × disturbances.
    still : list of StillFigures
    scenes : list of ShownScene
    fronts : list of Figures
    ablation : list of AblationRow
    ordinary : list of OrdinaryFigures
    seconds : float
        What it all took.
    """

    plan: Plan
    costs: dict[str, float | None] = field(default_factory=dict)
    grid: list[Figures] = field(default_factory=list)
    still: list[StillFigures] = field(default_factory=list)
    scenes: list[ShownScene] = field(default_factory=list)
    fronts: list[Figures] = field(default_factory=list)
    ablation: list[AblationRow] = field(default_factory=list)
    ordinary: list[OrdinaryFigures] = field(default_factory=list)
    seconds: float = 0.0


def evaluate_magnification(plan: Plan, make: "Maker", out: Path) -> MagnificationEvaluation:
    """Measure everything that a plan asks for; the scenes' videos are written into the folder `out`."""
    started = perf_counter()
    for shot in (*plan.grid, *plan.compared):
        # First, since the rest takes minutes: a scene that does not exist is told before it.
        _ = shot.view
    found, methods = MagnificationEvaluation(plan), len(plan.methods)
    with _bench("ms a frame", methods, plan, make) as bench:
        found.costs = _costs(bench, plan)
    with _bench("amplitudes and factors", methods * len(plan.grid), plan, make) as bench:
        found.grid = sweep(bench, plan.grid, plan.alphas)
    with _bench("scenes at rest", methods * len(plan.still), plan, make) as bench:
        found.still = sweep_still(bench, plan.still, _STILL_ALPHAS)
    with _bench("scenes", methods * len(plan.scenes), plan, make) as bench:
        _run_scenes(found, bench, out)
    with _bench("front ends", methods * len(plan.compared), plan, make) as bench:
        found.fronts = sweep(bench, plan.compared, (_ALPHA,))
    if plan.wire_iterations:
        with _bench("upsamplers", 4 * methods, plan, make) as bench:
            shot = replace(plan.shot, scene=plan.scenes[0], front=FrontSpec("mie", plan.shot.front.window), frames=12)
            found.ablation = ablate(bench, replace(shot, settling=24), _ABLATION_ALPHAS, plan.wire_iterations)
    found.seconds = perf_counter() - started
    return found


@contextmanager
def _bench(title: str, total: int, plan: Plan, make: "Maker") -> Iterator[Bench]:
    """Yield a bench that moves a progress bar on."""
    done = 0
    with progress(title, total) as reached:

        def tell() -> None:
            nonlocal done
            done += 1
            reached(done)

        yield Bench(plan.contenders, make, tell)


def _costs(bench: Bench, plan: Plan) -> dict[str, float | None]:
    height, width = plan.timed
    shot = replace(plan.shot, scene=plan.scenes[0], height=height, width=width, settling=1, frames=12)
    clip, costs = film(shot, bench.make), dict[str, float | None]()
    for contender in bench.contenders:
        try:
            costs[contender.method] = contender.milliseconds(clip)
        except SpikeMMError:
            costs[contender.method] = None
        bench.tell()
    return costs


def _run_scenes(into: MagnificationEvaluation, bench: Bench, out: Path) -> None:
    """Magnify each scene, show it, and compare with an ordinary camera."""
    plan = into.plan
    for scene in plan.scenes:
        case = show(bench, replace(plan.shot, scene=scene, frames=plan.shown_frames), _ALPHA)
        into.scenes.append(_shown(case, out))
        errors = {row.method: row.gain_error for row in case.figures if row.gain_error is not None}
        if errors:
            best = min(errors, key=lambda method: errors[method])
            into.ordinary.append(ordinary(case, next(one for one in plan.contenders if one.method == best)))


def _shown(case: Showcase, out: Path) -> ShownScene:
    video = out / f"{case.shot.scene}.mp4"
    write_video(video, case.frames, case.white)
    pictures = {name: frames[case.furthest].copy() for name, frames in case.frames.items()}
    slices = {name: case.over_time(name) for name in case.frames}
    return ShownScene(case.shot, case.alpha, case.figures, pictures, slices, case.white, video)
