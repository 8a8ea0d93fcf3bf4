"""Methods × factors × shots: every shot filmed once, every method settled once a shot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from spikemm.evaluation.magnification.clip import Clip, film
from spikemm.evaluation.magnification.figures import Figures, Judge
from spikemm.evaluation.magnification.running import Contender
from spikemm.evaluation.magnification.shot import Shot
from spikemm.evaluation.magnification.still import StillFigures, still_figures
from spikemm.evaluation.rows import Maker
from spikemm.exceptions import SpikeMMError

__all__ = ["LARGEST_OUTPUT_PX", "Bench", "reachable", "sweep", "sweep_still"]

LARGEST_OUTPUT_PX = 10.0
"""Larger motions are not asked of any method."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is compared, and on what.

    Attributes
    ----------
    contenders : sequence of Contender
    make : callable
        Makes a front end of a FrontSpec.
    tell : callable
        Called after every method on every shot.
    """

    contenders: Sequence[Contender]
    make: Maker
    tell: Callable[[], None] = lambda: None


def reachable(px: float, alphas: Sequence[float]) -> list[float]:
    """Return the factors that magnify an amplitude to 10 px at most."""
    return [alpha for alpha in alphas if alpha * px <= LARGEST_OUTPUT_PX + 1e-9]


def sweep(bench: Bench, shots: Sequence[Shot], alphas: Sequence[float]) -> list[Figures]:
    """Judge every method at every reachable factor on every shot.

    What cannot be measured has its reason in `note`, in one row for the factor asked first.
    """
    rows: list[Figures] = []
    for shot in shots:
        wanted = reachable(shot.px, alphas)
        try:
            clip = film(shot, bench.make)
        except SpikeMMError as error:
            rows += [Figures(shot, one.method, wanted[0], note=_reason(error)) for one in bench.contenders]
            continue
        judges = {alpha: Judge(clip, alpha) for alpha in wanted}
        for contender in bench.contenders:
            rows += _judged(contender, clip, judges)
            bench.tell()
    return rows


def _judged(contender: Contender, clip: Clip, judges: dict[float, Judge]) -> list[Figures]:
    """Return a method's figures on a clip, for the factor of each judge."""
    try:
        delay = contender.delay_degrees(clip)
        found = contender.magnified(clip, list(judges))
        return [judges[alpha].figures(contender.method, frames, delay) for alpha, frames in found]
    except SpikeMMError as error:
        return [Figures(clip.shot, contender.method, next(iter(judges)), note=_reason(error))]


def sweep_still(bench: Bench, shots: Sequence[Shot], alphas: Sequence[float]) -> list[StillFigures]:
    """Measure what every method makes move in shots at rest."""
    return [row for shot in shots for row in _still(bench, replace(shot, px=0.0), alphas)]


def _still(bench: Bench, shot: Shot, alphas: Sequence[float]) -> Iterator[StillFigures]:
    clip = film(shot, bench.make)
    for contender in bench.contenders:
        try:
            for alpha, frames in contender.magnified(clip, alphas):
                yield still_figures(clip, contender.method, alpha, frames)
        except SpikeMMError as error:
            yield StillFigures(shot, contender.method, alphas[0], note=_reason(error))
        bench.tell()


def _reason(error: SpikeMMError) -> str:
    return f"not measured: {error}"
