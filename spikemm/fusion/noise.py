"""How much a still pixel varies, as the stream itself tells."""

import torch

from spikemm.maps import MapSpec
from spikemm.quantisation import QuantisationVariance

__all__ = ["NoiseModel"]

_QUANTILE, _SHORT_OF_MEAN = 0.05, 0.2
"""Noise is learnt where the picture is stillest, so that one that moves almost everywhere is not taken for a noisy one.
There a still picture shows about this part less than its mean."""

_SAMPLED = 5
_LEAST = 1e-4
_LIT_REACHES = 2.5


class NoiseModel:
    """Variance of a ``rate`` or ``interval`` at a given light: that of whole spikes, and a noise that is learnt.

    A still pixel of light v has variance q(v) + c·v / (w + 1/v) in a window of w steps, from spike to spike. c is what
    the stiller part of the picture shows beyond q: 0 for an ideal sensor, about F² for one whose charge is noisy by F
    (as photon noise is). Pixels that fire less often than every reach ÷ 2.5 steps are too dark to tell.

    Parameters
    ----------
    segments : MapSpec
        Where the noise is learnt: a long window cut into short ones.
    device : str or torch.device
        Where the lights are.
    """

    def __init__(self, segments: MapSpec, *, device: str | torch.device = "cpu") -> None:
        self._name, self._short = segments.name, segments.window // segments.parts
        self._reach = segments.reach or segments.window
        self._device = torch.device(device)
        self._quantisation: dict[int, QuantisationVariance] = {}
        self.reset()

    def reset(self) -> None:
        """Forget what was learnt."""
        self.excess = _LEAST

    def learn(
        self, variance: torch.Tensor, quantised: torch.Tensor, shot: torch.Tensor, lit: torch.Tensor, doubt: float
    ) -> None:
        """Take what each pixel, or a mean over several, varies in the short window, beside what is known of it.

        Parameters
        ----------
        variance, quantised, shot : torch.Tensor
            (H, W): variance found, and the two parts of the model, as `parts` gives them.
        lit : torch.Tensor
            (H, W) bool: where the model holds.
        doubt : float
            How much further apart than in the end still pixels are by chance; 1 after many windows.
        """
        some = slice(None, None, _SAMPLED)
        lit = lit[some, some]
        if bool(lit.any()):
            beyond = (variance[some, some][lit] - quantised[some, some][lit]) / shot[some, some][lit]
            self.excess = max(_LEAST, float(beyond.quantile(_QUANTILE)) / (1.0 - _SHORT_OF_MEAN * doubt))

    def lit(self, light: torch.Tensor) -> torch.Tensor:
        """Tell which pixels of a light are bright enough for the model, and for motion to be told from noise."""
        return light > _LIT_REACHES / self._reach

    def variance(self, light: torch.Tensor, window: int | None = None) -> torch.Tensor:
        """Return the variance, (spikes/step)², of an ``interval`` of `window` steps (default: the short one)."""
        quantised, shot = self.parts(light, window)
        return quantised.add_(shot, alpha=self.excess)

    def parts(self, light: torch.Tensor, window: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return q, and what is to be multiplied by c."""
        window = self._short if window is None else window
        if window not in self._quantisation:
            spec = MapSpec(self._name, window, reach=self._reach if self._name == "interval" else -1)
            self._quantisation[window] = QuantisationVariance(spec, self._device)
        return self._quantisation[window](light), light.square() / (window * light + 1.0)
