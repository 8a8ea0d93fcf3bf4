"""How far a map of whole spikes strays from the light by itself: the sensor's own noise floor."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec

__all__ = ["QuantisationVariance"]

_LIGHTS = 768
_PHASES = 192
_DARKEST = 1e-3
_SMOOTHED = 7
_LEAST = 0.5 / 65535


class QuantisationVariance:
    """Variance of a ``rate`` or an ``interval`` of a pixel that fires as evenly as whole steps allow.

    A pixel in constant light v fires whenever v·k + φ passes a whole number, with an unknown phase φ. Its first and
    last spike are off by up to a step each, which is all the noise that an ideal sensor has; of a real one's pixels
    96 % stray by one step at most. The variance is computed over all phases, not approximated: it jumps where 1/v is
    near a whole number, so it is smoothed over a few per cent of light, about what a pixel's neighbours differ by.

    Parameters
    ----------
    spec : MapSpec
        A ``rate`` or an ``interval``; of one that has parts, each part.
    device : str or torch.device
        Where lights to look up are.

    Raises
    ------
    OptionError
        If the map is another one.
    """

    def __init__(self, spec: MapSpec, device: str | torch.device = "cpu") -> None:
        if spec.name not in ("rate", "interval"):
            raise OptionError(f"the variance of {spec} is not known: take a rate or an interval")
        # A rate is an interval that finds no spike outside its window.
        table = _table(spec.window // spec.parts, spec.reach if spec.name == "interval" else 0)
        self._table = torch.from_numpy(table).to(device, torch.float32)

    def __call__(self, light: torch.Tensor) -> torch.Tensor:
        """Look up the variance, (spikes/step)², at a light of any shape in spikes per step."""
        at = (light.clamp(_DARKEST, 1.0) / _DARKEST).log_().mul_((_LIGHTS - 1) / -np.log(_DARKEST))
        return self._table[at.round_().long()]


@lru_cache(maxsize=16)
def _table(window: int, reach: int) -> NDArray[np.float64]:
    light = np.geomspace(_DARKEST, 1.0, _LIGHTS)[:, None]
    phase = (np.arange(_PHASES) + 0.5) / _PHASES
    variance = _interval(light, phase, window, reach).var(axis=1)
    kernel = np.ones(_SMOOTHED) / _SMOOTHED
    smooth = np.convolve(np.pad(variance, _SMOOTHED // 2, mode="edge"), kernel, mode="valid")
    return np.maximum(smooth, _LEAST**2)


def _interval(light: NDArray[np.float64], phase: NDArray[np.float64], window: int, reach: int) -> NDArray[np.float64]:
    """Give the ``interval`` of every train, one that starts where its reach has begun long ago."""
    start = 2 * (window + reach)
    stop = start + window
    before, until = np.floor(light * start + phase), np.floor(light * stop + phase)
    a = np.ceil((before - phase) / light) - 1.0
    b = np.ceil((until + 1.0 - phase) / light) - 1.0
    spikes = until - before
    found = ((reach > 0) & (start - a <= reach)) & (b - stop < reach) & (before > 0)
    return np.where(found, (spikes + 1.0) / (b - a), spikes / window)
