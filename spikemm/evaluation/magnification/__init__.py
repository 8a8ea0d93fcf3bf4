"""Magnifiers judged against truth that is rendered with the magnified motion.

A `Shot` is filmed once (`film`) and its frames pushed through every method: `sweep` over amplitudes, factors, noise
and flicker, `sweep_still` for what moves though nothing should, `show` for a scene with its pictures, `ablate` for
upsamplers before magnifiers, `ordinary` for a 150 fps camera beside it, and `guide` for which method wins where.
"""

from spikemm.evaluation.magnification.ablation import SCALE, UPSAMPLINGS, WINDOW, AblationRow, ablate
from spikemm.evaluation.magnification.clip import Clip, film
from spikemm.evaluation.magnification.figures import Figures, Judge
from spikemm.evaluation.magnification.guide import CLOSE, RIGHT, GuideRow, Summary, guide, summaries
from spikemm.evaluation.magnification.ordinary import FPS, OrdinaryFigures, ordinary
from spikemm.evaluation.magnification.running import Contender
from spikemm.evaluation.magnification.shot import FRAMES_PER_PERIOD, Shot
from spikemm.evaluation.magnification.showcase import BEFORE, TRUTH, Showcase, show
from spikemm.evaluation.magnification.still import StillFigures
from spikemm.evaluation.magnification.sweep import LARGEST_OUTPUT_PX, Bench, reachable, sweep, sweep_still
from spikemm.evaluation.magnification.truth import MagnifiedTruth

__all__ = [
    "BEFORE",
    "CLOSE",
    "FPS",
    "FRAMES_PER_PERIOD",
    "LARGEST_OUTPUT_PX",
    "RIGHT",
    "SCALE",
    "TRUTH",
    "UPSAMPLINGS",
    "WINDOW",
    "AblationRow",
    "Bench",
    "Clip",
    "Contender",
    "Figures",
    "GuideRow",
    "Judge",
    "MagnifiedTruth",
    "OrdinaryFigures",
    "Shot",
    "Showcase",
    "StillFigures",
    "Summary",
    "ablate",
    "film",
    "guide",
    "ordinary",
    "reachable",
    "show",
    "summaries",
    "sweep",
    "sweep_still",
]
