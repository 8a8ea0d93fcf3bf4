"""From the maps of a window to frames of light."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.encoding import Windows
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.maps import MapSpec

__all__ = ["FrontEnd", "SingleMap", "make_front_end"]


def make_front_end(
    spec: FrontSpec, *, device: str | torch.device = "cpu", weights: str | Path | None = None
) -> "FrontEnd":
    """Make a front end by name.

    Parameters
    ----------
    spec : FrontSpec
        Which; windows pushed must hold its ``maps``.
    device : str or torch.device
        Where frames are computed, and stay.
    weights : path, optional
        Networks of a front end that has some: a file, or for ``paper`` the folder of both. Default: those that come
        with the package.

    Raises
    ------
    OptionError
        Weights for a front end without networks, or none where the package has none either.
    WeightsError
        If the weights cannot be used.
    """
    spec.check_weights(weights)
    if not spec.learned:
        return SingleMap(spec.timing, device)
    # Here and not above: the networks build on this module.
    from spikemm.extraction import make_extraction

    return make_extraction(spec, device=device, weights=None if weights is None else Path(weights))


class FrontEnd(ABC):
    """Turn windows into frames of light.

    Frames hold no inf and no nan.

    Parameters
    ----------
    device : str or torch.device
        Where the frames go.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.reset()

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
            The windows lack a map, or a gap lies between them.
        """
        if not windows:
            return None
        if any(window.gap for window in windows[1:]):
            raise OptionError("a gap lies between these windows: push those before and behind it one after the other")
        if windows[0].gap:
            self.reset()
        steps = np.array([window.step for window in windows], np.int64)
        return FrameBatch(self._light(windows), steps, windows[0].gap)

    @abstractmethod
    def reset(self) -> None:
        """Forget all earlier windows."""

    @abstractmethod
    def _light(self, windows: Sequence[Windows]) -> torch.Tensor:
        """Return the frames, (n, H, W)."""

    def stacked(self, windows: Sequence[Windows], spec: MapSpec) -> torch.Tensor:
        """Return one map of every window, on the device.

        Raises
        ------
        OptionError
            A window lacks it.
        """
        maps = [_map(window, spec) for window in windows]
        return torch.from_numpy(np.stack(maps) if len(maps) > 1 else maps[0][None]).to(self.device)


class SingleMap(FrontEnd):
    """Frames of one map of each window.

    ``rate`` and ``interval`` are light already. Light from ``isi`` is 1/ISI (the paper's (3)); a pixel whose interval
    is undefined keeps its last defined light, and before it ever had one the mean of its defined neighbours, filled in
    from the rim of the hole.

    Parameters
    ----------
    spec : MapSpec
        The map.
    device : str or torch.device
        Where the frames go.
    """

    def __init__(self, spec: MapSpec, device: str | torch.device = "cpu") -> None:
        self.spec = spec
        super().__init__(device)

    def reset(self) -> None:
        """Forget the pixels' last light."""
        self._last: torch.Tensor | None = None

    def _light(self, windows: Sequence[Windows]) -> torch.Tensor:
        stacked = self.stacked(windows, self.spec)
        return self._light_of(stacked) if self.spec.name == "isi" else stacked

    def _light_of(self, intervals: torch.Tensor) -> torch.Tensor:
        """Light of a stack of ISI maps, whose zeros are undefined."""
        defined = intervals > 0
        light = torch.where(defined, 1.0 / intervals.clamp(min=1.0), 0.0)
        last = _grown(light[0], defined[0]) if self._last is None else self._last
        for frame, known in zip(light, defined, strict=True):
            last = frame.copy_(torch.where(known, frame, last))
        self._last = last.clone()
        return light


def _map(window: Windows, spec: MapSpec) -> NDArray[Any]:
    try:
        return window.maps[str(spec)]
    except KeyError:
        held = ", ".join(window.maps)
        raise OptionError(f"the window at step {window.step} has {held}, not {spec}: ask the encoder for it") from None


def _grown(light: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Give unknown pixels, ring by ring, the mean of the known among their eight neighbours; 0 where none is known."""
    mask = known.to(light.dtype)
    while 0 < mask.sum() < mask.numel():
        around = torch.nn.functional.avg_pool2d(torch.stack([light * mask, mask])[None], 3, stride=1, padding=1)[0]
        reached = (mask == 0) & (around[1] > 0)
        light = torch.where(reached, around[0] / around[1].clamp(min=1e-6), light)
        mask = torch.where(reached, 1.0, mask)
    return light
