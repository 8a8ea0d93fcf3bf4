"""From the maps of a window to frames of light."""

from collections.abc import Sequence

import numpy as np
import torch

from spikemm.batch import FrameBatch
from spikemm.encoding import MapSpec, Windows
from spikemm.exceptions import OptionError

__all__ = ["FrontEnd"]


class FrontEnd:
    """Turn one map of each window into a frame.

    ``rate`` and ``interval`` are light already. Light from ``isi`` is 1/ISI (the paper's (3)); a pixel whose interval
    is undefined keeps its last defined light, and before it ever had one the mean of its defined neighbours, filled in
    from the rim of the hole.
    Frames hold no inf and no nan.

    Parameters
    ----------
    spec : MapSpec
        The map; windows pushed must hold it.
    device : str or torch.device
        Where the frames go.
    """

    def __init__(self, spec: MapSpec, device: str | torch.device = "cpu") -> None:
        self.spec = spec
        self.device = torch.device(device)
        self.reset()

    def reset(self) -> None:
        """Forget the pixels' last light."""
        self._light: torch.Tensor | None = None

    def push(self, windows: Sequence[Windows]) -> FrameBatch | None:
        """Return the frames of `windows`, or None where there are none.

        Parameters
        ----------
        windows : sequence of Windows
            In order; a gap can only lie before the first of them.

        Returns
        -------
        FrameBatch or None
            (n, H, W) float32 in spikes per step.

        Raises
        ------
        OptionError
            The windows lack the map, or a gap lies between them.
        """
        if not windows:
            return None
        if any(window.gap for window in windows[1:]):
            raise OptionError("a gap lies between these windows: push those before and behind it one after the other")
        stacked = torch.from_numpy(np.stack([self._map(window) for window in windows])).to(self.device)
        if windows[0].gap:
            self.reset()
        pixels = self._light_of(stacked) if self.spec.name == "isi" else stacked
        steps = np.array([window.step for window in windows], np.int64)
        return FrameBatch(pixels, steps, windows[0].gap)

    def _map(self, window: Windows) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        try:
            return window.maps[str(self.spec)]
        except KeyError:
            held = ", ".join(window.maps)
            raise OptionError(
                f"the window at step {window.step} has {held}, not {self.spec}: ask the encoder for it"
            ) from None

    def _light_of(self, intervals: torch.Tensor) -> torch.Tensor:
        """Light of a stack of ISI maps, whose zeros are undefined."""
        defined = intervals > 0
        light = torch.where(defined, 1.0 / intervals.clamp(min=1.0), 0.0)
        last = _grown(light[0], defined[0]) if self._light is None else self._light
        for frame, known in zip(light, defined, strict=True):
            last = frame.copy_(torch.where(known, frame, last))
        self._light = last.clone()
        return light


def _grown(light: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Give unknown pixels, ring by ring, the mean of the known among their eight neighbours; 0 where none is known."""
    mask = known.to(light.dtype)
    while 0 < mask.sum() < mask.numel():
        around = torch.nn.functional.avg_pool2d(torch.stack([light * mask, mask])[None], 3, stride=1, padding=1)[0]
        reached = (mask == 0) & (around[1] > 0)
        light = torch.where(reached, around[0] / around[1].clamp(min=1e-6), light)
        mask = torch.where(reached, 1.0, mask)
    return light
