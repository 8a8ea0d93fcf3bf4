"""A method run over a clip: settled once, then the judged frames magnified by every factor from the same state."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.evaluation.magnification.clip import Clip
from spikemm.magnification import Magnifier, make_magnifier

__all__ = ["Contender", "Magnified"]

Magnified = tuple[float, NDArray[np.float32]]
"""A factor, and the judged frames (n, H, W) magnified by it."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A method that is compared.

    Attributes
    ----------
    method : str
        Of `spikemm.magnification.MAGNIFIERS`.
    weights : Path or None
        Networks of a learned one, if other than those of the package.
    device : str
        Torch device.
    """

    method: str
    weights: Path | None = None
    device: str = "cpu"

    def magnifier(self, clip: Clip, alpha: float) -> Magnifier:
        """Make its magnifier for a clip, in band mode.

        Raises
        ------
        OptionError
            If the method refuses the band, or has no weights.
        WeightsError
            If its weights cannot be used.
        """
        shot = clip.shot
        return make_magnifier(
            self.method,
            alpha=alpha,
            mode="band",
            band_hz=shot.band_hz,
            rate_hz=shot.rate_hz,
            hop=int(clip.steps[1] - clip.steps[0]),
            front=shot.front.timing,
            height=clip.pixels.shape[1],
            width=clip.pixels.shape[2],
            device=self.device,
            weights=self.weights,
        )

    def delay_degrees(self, clip: Clip) -> float:
        """Return the known phase delay of the band's filter."""
        return self.magnifier(clip, 1.0).phase_delay.degrees

    def magnified(self, clip: Clip, alphas: Sequence[float]) -> Iterator[Magnified]:
        """Magnify a clip's judged frames by each factor.

        What a method remembers does not depend on the factor, which may be set while it runs: so the settling frames,
        which are most of the work, are gone through once.
        """
        settled = self.magnifier(clip, alphas[0])
        settled.push(self._on_device(clip.settling))
        judged = self._on_device(clip.judged)
        for alpha in alphas:
            magnifier = copy.deepcopy(settled)
            magnifier.alpha = alpha
            yield alpha, magnifier.push(judged).pixels.cpu().numpy()

    def milliseconds(self, clip: Clip, at_least: int = 3, enough_s: float = 1.0) -> float:
        """Return what a frame takes, in ms.

        Frames are pushed one by one until they have taken `enough_s`; the least of their times counts, since what is
        above it is the machine's other work.
        """
        magnifier, batch, times = self.magnifier(clip, 10.0), self._on_device(clip.judged), list[float]()
        magnifier.push(FrameBatch(batch.pixels[:1], batch.steps[:1]))
        for pixels, step in zip(batch.pixels[1:], batch.steps[1:], strict=True):
            started = perf_counter()
            magnifier.push(FrameBatch(pixels[None], np.array([step]))).pixels.cpu()
            times.append(perf_counter() - started)
            if len(times) >= at_least and sum(times) > enough_s:
                break
        return 1000.0 * min(times)

    def _on_device(self, batch: FrameBatch) -> FrameBatch:
        return FrameBatch(batch.pixels.to(self.device), batch.steps)
