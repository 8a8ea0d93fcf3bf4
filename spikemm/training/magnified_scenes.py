"""Pictures that no magnifier is trained on, with the truth of their magnified motion."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special

from spikemm.magnification.learned.base import MotionNetwork
from spikemm.metrics import displacement, psnr
from spikemm.training.motion_pairs import MotionPairs, PairRanges, draw_pairs

__all__ = ["MagnifiedScenes"]

_PX = 96
_BORDER_PX = 24
_ALPHA = 10.0
_INPUTS_PX = (0.05, 0.2, 1.0)
_PSNR_INPUT_PX = 0.3
_PAIRS = 16
_SEED = 2**33
_PEAK = 1.6
_ROI = (_BORDER_PX, _BORDER_PX, _PX - 2 * _BORDER_PX, _PX - 2 * _BORDER_PX)


class MagnifiedScenes:
    """A slanted edge, a texture, and random scenes, magnified ten times.

    Parameters
    ----------
    device : str
        Torch device.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    def figures(self, network: MotionNetwork) -> dict[str, float]:
        """Return gains over 10 by input, of edge and texture, and PSNRs (dB) of random scenes of 0.3 px.

        PSNRs are against the rendered truth, the peak being the range of the network's input; the second one is that
        of the frames left alone.
        """
        found = {
            f"gain of {name} at {px:g} px": self._gain(network, picture, px)
            for name, picture in (("edge", _edge), ("texture", _texture))
            for px in _INPUTS_PX
        }
        with torch.no_grad():
            before, after = network.encode(self._pairs.before), network.encode(self._pairs.after)
            shown = network.magnify(after, after.shape - before.shape, self._pairs.alpha)
        return found | {"magnified (dB)": self._psnr(shown), "left alone (dB)": self._psnr(self._pairs.after)}

    def _gain(self, network: MotionNetwork, picture: Callable[[float], NDArray[np.float32]], px: float) -> float:
        """Return the mean gain over ten of motions to the right and to the left."""
        gains = [1.0 + self._behind(network, picture, way * px) / (_ALPHA * way * px) for way in (1.0, -1.0)]
        return float(np.mean(gains))

    def _behind(self, network: MotionNetwork, picture: Callable[[float], NDArray[np.float32]], px: float) -> float:
        """Return how far the magnified picture lies to the right of where it should, px."""
        still, moved = (self._tensor(picture(move)) for move in (0.0, px))
        with torch.no_grad():
            seen = network.encode(moved)
            shown = network.magnify(seen, seen.shape - network.encode(still).shape, _ALPHA)
        return float(displacement(shown[:, 0].cpu(), _ROI, reference=picture(_ALPHA * px))[0, 0])

    def _tensor(self, picture: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(picture)[None, None].to(self._device)

    @cached_property
    def _pairs(self) -> MotionPairs:
        ranges = PairRanges(
            side=_PX, alpha=(_ALPHA, _ALPHA), input_px=(_PSNR_INPUT_PX, _PSNR_INPUT_PX), scenes=_PAIRS, textures=24
        )
        return draw_pairs(np.random.default_rng(_SEED), ranges, count=_PAIRS, seed=_SEED, iteration=0).to(self._device)

    def _psnr(self, shown: torch.Tensor) -> float:
        inside = (..., slice(8, -8), slice(8, -8))
        pairs = zip(shown[inside].cpu().numpy(), self._pairs.truth[inside].cpu().numpy(), strict=True)
        return float(np.mean([psnr(frame[0], truth[0], peak=_PEAK) for frame, truth in pairs]))


def _edge(right: float) -> NDArray[np.float32]:
    """Return a slanted edge, moved to the right; seen by itself it moves across."""
    y, x = np.mgrid[:_PX, :_PX] - 0.5 * _PX
    picture: NDArray[np.float32] = (0.02 + 0.39 * special.erf((x - right + 0.15 * y) / np.sqrt(2.0))).astype(np.float32)
    return picture


def _texture(right: float) -> NDArray[np.float32]:
    """Return a sum of plane waves of 6 to 40 px, moved to the right."""
    rng = np.random.default_rng(_SEED)
    y, x = np.mgrid[:_PX, :_PX]
    waves = [
        np.sin(2.0 * np.pi / length * (np.cos(turn) * (x - right) + np.sin(turn) * y) + phase)
        for length, turn, phase in zip(
            np.geomspace(6.0, 40.0, 40), rng.uniform(0.0, np.pi, 40), rng.uniform(0.0, 6.3, 40), strict=True
        )
    ]
    picture: NDArray[np.float32] = (0.06 * np.sum(waves, axis=0)).astype(np.float32)
    return picture
