"""One scene magnified by every method, with its frames: for figures, pictures, slices and videos."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.magnification.clip import film
from spikemm.evaluation.magnification.figures import Figures, Judge
from spikemm.evaluation.magnification.shot import Shot
from spikemm.evaluation.magnification.sweep import Bench
from spikemm.exceptions import SpikeMMError
from spikemm.simulator import Motion

__all__ = ["BEFORE", "TRUTH", "Showcase", "show"]

BEFORE, TRUTH = "before", "truth"

_REACH_PX, _BESIDE_PX = 12, 10

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Showcase:
    """A shot magnified by one factor.

    Attributes
    ----------
    shot : Shot
    alpha : float
    furthest : int
        Index of the frame in which the motion is furthest from rest.
    line : tuple
        Index of a few px across the strongest edge that moves, along the motion.
    white : float
        Brightest light of the truth.
    figures : list of Figures
        One a method.
    frames : dict of str to numpy.ndarray
        (n, H, W) of ``before``, of every method that could be measured, and of the ``truth``.
    """

    shot: Shot
    alpha: float
    furthest: int
    line: tuple[int | slice, int | slice]
    white: float
    figures: list[Figures] = field(default_factory=list)
    frames: dict[str, Frames] = field(default_factory=dict)

    def over_time(self, name: str) -> Frames:
        """Return the x–t slice (points, frames) of a row."""
        return np.stack([frame[self.line] for frame in self.frames[name]], axis=1)


def show(bench: Bench, shot: Shot, alpha: float) -> Showcase:
    """Magnify a shot by every method of a bench."""
    clip = film(shot, bench.make)
    judge, truth = Judge(clip, alpha), clip.truth
    moved = [abs(truth.displacement(int(step))) for step in judge.steps]
    line = _line(truth.rest, truth.scene.motions[0], round(alpha * shot.px) + _REACH_PX)
    found = Showcase(shot, alpha, int(np.argmax(moved)), line, truth.peak)
    found.frames[BEFORE] = clip.judged.pixels.cpu().numpy()
    for contender in bench.contenders:
        method = contender.method
        try:
            delay = contender.delay_degrees(clip)
            ((_, frames),) = contender.magnified(clip, [alpha])
            found.frames[method] = frames
            found.figures.append(judge.figures(method, frames, delay))
        except SpikeMMError as error:
            found.figures.append(Figures(shot, method, alpha, note=f"not measured: {error}"))
        bench.tell()
    found.frames[TRUTH] = judge.truth
    return found


def _line(rest: Frames, motion: Motion, reach: int) -> tuple[int | slice, int | slice]:
    """Choose where an x–t slice looks: along the motion, across the strongest edge in and beside its region."""
    x, y, width, height = motion.region
    axis = 1 if abs(np.cos(np.radians(motion.angle_deg))) > 0.5 else 0
    beside = (0, _BESIDE_PX) if axis else (_BESIDE_PX, 0)
    top, left = max(0, y - beside[0]), max(0, x - beside[1])
    near = np.s_[top : y + height + beside[0], left : x + width + beside[1]]
    edge = np.abs(np.gradient(rest, axis=axis)[near])
    down, right = np.unravel_index(int(edge.argmax()), edge.shape)
    place = top + int(down), left + int(right)
    along = slice(max(0, place[axis] - reach), place[axis] + reach + 1)
    return (place[0], along) if axis else (along, place[1])
