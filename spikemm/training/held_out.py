"""Scenes that no network is trained on, with their truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from spikemm.metrics import psnr
from spikemm.simulator import Sensor, Simulator, random_scene
from spikemm.training.options import BSNOptions, View
from spikemm.training.streams import SCENE_SEEDS, Stream

__all__ = ["HeldOutScenes"]

_PX = 96
_BORDER_PX = 8
_WINDOW = 32
_HZ, _AMPLITUDE_PX = 310.0, 0.3
_SCENES = 2
_SENSORS: Mapping[str, Sensor] = {
    "bright": Sensor(fixed_pattern=0.0, dark_current=0.0),
    "a tenth of the light, noise 0.2": Sensor(light=0.1, fixed_pattern=0.0, dark_current=0.0, temporal_noise=0.2),
}


@dataclass(frozen=True)
class _Case:
    inputs: torch.Tensor
    own: NDArray[np.float32]
    truth: NDArray[np.float32]


class HeldOutScenes:
    """Random scenes of 0.3 px at 310 Hz in bright and in dim, noisy light, and how well a network sees them.

    PSNR is against the light of the instant, the peak being its maximum, 8 px of border left off, averaged over scenes.
    For ``compact`` the short window is 32 steps, if it learns that one.

    Parameters
    ----------
    options : BSNOptions
        Say what the network sees.
    """

    def __init__(self, options: BSNOptions) -> None:
        view = _view(options)
        self._own = view.labels[0]
        self._cases = {
            name: [_case(SCENE_SEEDS + number, sensor, view) for number in range(_SCENES)]
            for name, sensor in _SENSORS.items()
        }

    def figures(self, network: nn.Module, device: str) -> dict[str, float]:
        """Return PSNRs in dB by name: of the network alone at its first output, and of the pixel's own label map."""
        found = {}
        for name, cases in self._cases.items():
            with torch.no_grad():
                guesses = [network(case.inputs.to(device))[0, 0].cpu().numpy() for case in cases]
            network_db = [_psnr(guess, case.truth) for guess, case in zip(guesses, cases, strict=True)]
            found[f"{name}: network (dB)"] = float(np.mean(network_db))
            found[f"{name}: {self._own} (dB)"] = float(np.mean([_psnr(case.own, case.truth) for case in cases]))
        return found


def _view(options: BSNOptions) -> View:
    return next((view for view in options.views if view.labels[0].window == _WINDOW), options.views[-1])


@lru_cache(maxsize=8)
def _case(seed: int, sensor: Sensor, view: View) -> _Case:
    scene = random_scene(seed, height=_PX, width=_PX, frequency_hz=_HZ, amplitude_px=_AMPLITUDE_PX)
    simulator = Simulator(scene, sensor, seed=1)
    stream = Stream(simulator.steps(sum(view.own) + 2 * view.reach), _PX, _PX)
    t = stream.centres(view)[0]
    inputs = torch.from_numpy(stream.maps(view.inputs, t))[None]
    return _Case(inputs, stream.maps(view.labels[:1], t)[0], simulator.light(t))


def _psnr(guess: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    inside = (slice(_BORDER_PX, -_BORDER_PX), slice(_BORDER_PX, -_BORDER_PX))
    return psnr(guess[inside], truth[inside])
