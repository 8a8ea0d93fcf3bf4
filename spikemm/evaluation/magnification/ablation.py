"""The paper's ablation: multi-level extraction, then an upsampler or none, then each magnifier."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.evaluation.magnification.clip import Clip, film
from spikemm.evaluation.magnification.close_up import around, close_up, enlarged
from spikemm.evaluation.magnification.figures import Figures, Judge
from spikemm.evaluation.magnification.running import Contender
from spikemm.evaluation.magnification.shot import Shot
from spikemm.evaluation.magnification.sweep import Bench
from spikemm.evaluation.magnification.truth import MagnifiedTruth
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.upsampling import UPSAMPLERS

__all__ = ["SCALE", "UPSAMPLINGS", "WINDOW", "AblationRow", "ablate"]

UPSAMPLINGS = ("none", "linear", "wire", "histospline")
SCALE = 2
WINDOW = (24, 40)
"""Height and width of what is looked at, px of the sensor: WIRE takes minutes for more."""

_BORDER_PX = 4

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One upsampler with one magnifier at one factor.

    Attributes
    ----------
    upsampling : str
    figures : Figures
        Against the truth rendered at the size of the frames.
    amplitude_px : float or None
        Of the magnified motion, px of the sensor.
    contrast : float or None
        Standard deviation over mean of the frames' light, over that of the truth.
    steepness : float or None
        Mean slope of the light, over that of the truth.
    frame : numpy.ndarray or None
        (H, W), the frame of the largest displacement.
    lines : numpy.ndarray or None
        (frames, W), a row of every frame.
    """

    upsampling: str
    figures: Figures
    amplitude_px: float | None = None
    contrast: float | None = None
    steepness: float | None = None
    frame: Frames | None = None
    lines: Frames | None = None


def ablate(bench: Bench, shot: Shot, alphas: Sequence[float], wire_iterations: int) -> list[AblationRow]:
    """Upsample a part of a shot's frames by every upsampler, and magnify each by every method.

    Parameters
    ----------
    bench : Bench
    shot : Shot
        With the front end to start from.
    alphas : sequence of float
    wire_iterations : int
        Steps of WIRE's first fit; 3000 as published.
    """
    rows: list[AblationRow] = []
    whole = film(shot, bench.make)
    for name in UPSAMPLINGS:
        try:
            clip = _upsampled(_window(whole), name, wire_iterations)
        except SpikeMMError as error:
            rows += [AblationRow(name, _none(shot, one.method, alphas, error)) for one in bench.contenders]
            continue
        judges = {alpha: Judge(clip, alpha) for alpha in alphas}
        for contender in bench.contenders:
            rows += _rows(contender, name, clip, judges)
            bench.tell()
    return rows


def _rows(contender: Contender, name: str, clip: Clip, judges: dict[float, Judge]) -> list[AblationRow]:
    try:
        delay = contender.delay_degrees(clip)
        return [
            _row(name, frames, judges[alpha], judges[alpha].figures(contender.method, frames, delay), clip)
            for alpha, frames in contender.magnified(clip, list(judges))
        ]
    except SpikeMMError as error:
        return [AblationRow(name, _none(clip.shot, contender.method, list(judges), error))]


def _row(name: str, frames: Frames, judge: Judge, figures: Figures, clip: Clip) -> AblationRow:
    amplitude = None if figures.gain is None else figures.gain * figures.output_px
    furthest = int(np.argmax([abs(clip.truth.displacement(int(step))) for step in judge.steps]))
    return AblationRow(
        name,
        figures,
        amplitude,
        _contrast(frames) / _contrast(judge.truth),
        _steepness(frames) / _steepness(judge.truth),
        frames[furthest].copy(),
        frames[:, frames.shape[1] // 2].copy(),
    )


def _none(shot: Shot, method: str, alphas: Sequence[float], error: SpikeMMError) -> Figures:
    return Figures(shot, method, alphas[0], note=f"not measured: {error}")


def _window(clip: Clip) -> Clip:
    """Cut a small part around a motion out of a clip."""
    truth = clip.truth
    x, y, width, height = part = around(truth.scene, *WINDOW)
    return replace(
        clip,
        pixels=clip.pixels[:, y : y + height, x : x + width],
        truth=MagnifiedTruth(close_up(truth.scene, part), truth.rate_hz, clip.shot.room),
    )


def _upsampled(clip: Clip, name: str, wire_iterations: int) -> Clip:
    if name == "none":
        return clip
    if name not in UPSAMPLERS:
        raise OptionError(f"there is no upsampler {name!r} here, only {', '.join(UPSAMPLERS)}")
    height, width = clip.pixels.shape[1:]
    further: dict[str, Any] = {"iterations": wire_iterations} if name == "wire" else {}
    upsampler = UPSAMPLERS[name](scale=SCALE, height=height, width=width, **further)
    pixels = upsampler.push(FrameBatch(clip.pixels, clip.steps)).pixels
    scene = enlarged(clip.truth.scene, SCALE)
    return replace(clip, pixels=pixels, truth=MagnifiedTruth(scene, clip.truth.rate_hz, clip.shot.room))


def _inner(frames: Frames) -> Frames:
    return frames[:, _BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]


def _contrast(frames: Frames) -> float:
    inner = _inner(frames)
    return float(np.mean(inner.std(axis=(1, 2)) / inner.mean(axis=(1, 2))))


def _steepness(frames: Frames) -> float:
    down, right = np.gradient(_inner(frames), axis=(1, 2))
    return float(np.hypot(down, right).mean())
