"""The same scene through an ordinary camera: one long exposure after another blurs a vibration and aliases it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.evaluation.magnification.movement import along
from spikemm.evaluation.magnification.running import Contender
from spikemm.evaluation.magnification.shot import Shot
from spikemm.evaluation.magnification.showcase import BEFORE, TRUTH, Showcase
from spikemm.magnification import make_magnifier
from spikemm.maps import MapSpec
from spikemm.metrics import fit_sine
from spikemm.simulator import Disturbances, Scene
from spikemm.simulator.keyframes import KeyFrames

__all__ = ["FPS", "OrdinaryFigures", "ordinary"]

FPS = 150.0
_FRAMES, _SETTLED = 60, 24
_INSTANTS = 64

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OrdinaryFigures:
    """What a vibration looks like at 150 frames a second, each exposed for 1/150 s.

    Attributes
    ----------
    shot : Shot
    alpha : float
    method : str
        What magnified the exposures, in static mode: there is no true frequency to give a band for.
    seen_hz, seen_px : float
        Frequency and amplitude of the motion in the exposures.
    kept : float
        That amplitude over the true one.
    magnified_px : float
        Amplitude after magnification; alpha times the true one would be right.
    spikes_px : float or None
        The same of the spike camera's frames by the same method, in band mode.
    slices : dict of str to numpy.ndarray
        (points, frames) x–t slices over the same time: the exposures, magnified exposures, the spike camera's frames,
        magnified, and the truth.
    """

    shot: Shot
    alpha: float
    method: str
    seen_hz: float
    seen_px: float
    kept: float
    magnified_px: float
    spikes_px: float | None
    slices: dict[str, Frames]


def ordinary(case: Showcase, contender: Contender) -> OrdinaryFigures:
    """Film a showcase's scene with an ordinary camera, and magnify that by the same method."""
    shot, view, method = case.shot, case.shot.view, contender.method
    exposures = _exposures(view, shot.rate_hz)
    magnified = _magnified(exposures, case.alpha, contender)
    steps = np.arange(len(exposures))
    motion, rest = view.motions[0], exposures.mean(axis=0)
    still = np.zeros(len(steps))
    before = along(exposures, motion, rest, still)[_SETTLED:]
    hz = _apparent(view.hz)
    sine = fit_sine(before, steps[_SETTLED:], FPS, hz)
    after = along(magnified, motion, rest, still)[_SETTLED:]
    spikes = next((one for one in case.figures if one.method == method), None)
    seconds = case.shot.frames * shot.hop / shot.rate_hz
    count = max(2, round(seconds * FPS))
    slices = {
        f"{FPS:g} fps": _slice(exposures[_SETTLED : _SETTLED + count], case),
        f"{FPS:g} fps, {method}": _slice(magnified[_SETTLED : _SETTLED + count], case),
        "spikes": case.over_time(BEFORE),
        f"spikes, {method}": case.over_time(method) if method in case.frames else case.over_time(BEFORE),
        TRUTH: case.over_time(TRUTH),
    }
    return OrdinaryFigures(
        shot,
        case.alpha,
        method,
        hz,
        sine.amplitude,
        sine.amplitude / motion.px,
        fit_sine(after, steps[_SETTLED:], FPS, hz).amplitude,
        None if spikes is None or spikes.gain is None else spikes.gain * spikes.output_px,
        slices,
    )


def _apparent(hz: float) -> float:
    """Return the frequency as which `hz` shows at 150 frames a second."""
    return abs(hz - FPS * round(hz / FPS))


def _exposures(view: Scene, rate_hz: float) -> Frames:
    """Average the true light over each exposure."""
    keys = KeyFrames(replace(view, hz=0.0, motions=()), Disturbances())
    instants = (np.arange(_FRAMES)[:, None] + (np.arange(_INSTANTS) + 0.5) / _INSTANTS) / FPS
    piece, weights = keys.weights(view.factors(instants.ravel() * rate_hz, rate_hz), np.zeros(instants.size))
    frames = []
    for pieces, terms in zip(piece.reshape(_FRAMES, -1), weights.reshape(_FRAMES, _INSTANTS, -1), strict=True):
        mean = sum(
            (terms[pieces == number].sum(axis=0) / _INSTANTS).astype(np.float32) @ keys.frames[number]
            for number in np.unique(pieces)
        )
        frames.append(np.asarray(mean, np.float32).reshape(view.height, view.width))
    return np.stack(frames)


def _magnified(exposures: Frames, alpha: float, contender: Contender) -> Frames:
    height, width = exposures.shape[1:]
    magnifier = make_magnifier(
        contender.method,
        alpha=alpha,
        mode="static",
        rate_hz=FPS,
        hop=1,
        front=MapSpec("rate", 1),
        height=height,
        width=width,
        device=contender.device,
        weights=contender.weights,
    )
    pixels = torch.from_numpy(exposures).to(contender.device)
    return np.asarray(magnifier.push(FrameBatch(pixels, np.arange(len(exposures)))).pixels.cpu().numpy())


def _slice(frames: Frames, case: Showcase) -> Frames:
    return np.stack([frame[case.line] for frame in frames], axis=1)
