"""Windows of a stream at even steps or a strobe's: which maps, how often, and when each is ready."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikemm.calibration import Calibration
from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.packing import check_packed, packed_bytes
from spikemm.ring import SpikeRing
from spikemm.strobe import Flashes

__all__ = ["Encoder", "SpikeRing", "Windows", "warm_up"]


@dataclass(frozen=True, slots=True)
class Windows:
    """The maps around one step.

    Attributes
    ----------
    step : int
        Centre t of the windows.
    gap : int
        Steps of the sensor that are missing between the last windows and these; 0 when none are.
    maps : dict of str to numpy.ndarray
        By ``str(MapSpec)`` what ``MapSpec.of`` gives: light in spikes per step, for ``isi`` the interval in steps (0:
        undefined).
    """

    step: int
    gap: int
    maps: dict[str, NDArray[Any]]


class Encoder:
    """Turn a packed stream into maps at every `hop`-th step.

    Centres are multiples of `hop`, so raising it while running keeps an even grid; with `flashes` they are the first
    flashes at least `hop` steps apart. A jump in the step numbers is a gap: windows that it cuts are left out, and the
    first ones behind it carry its length. Memory is that of the ring.

    Parameters
    ----------
    height, width : int
        Pixels.
    maps : sequence of MapSpec
        At least one, all different.
    hop : int
        Steps between centres.
    capacity : int, optional
        Steps in the ring. Default: what `maps` need.
    calibration : Calibration, optional
        The sensor's fixed pattern, taken out of every map of light; raw planes stay as they are.

    Attributes
    ----------
    flashes : Flashes or None
        A strobe's times, None without one; may be set while running.

    Raises
    ------
    OptionError
        No maps, the same twice, a hop below 1, or too small a capacity.
    CalibrationError
        `calibration` is for another size.
    """

    def __init__(
        self,
        height: int,
        width: int,
        maps: Sequence[MapSpec],
        hop: int,
        capacity: int | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        if not maps or len(set(maps)) < len(maps):
            raise OptionError(f"maps are [{', '.join(map(str, maps))}]: give at least one, and none twice")
        if calibration is not None:
            calibration.check_size(height, width)
        self.maps = tuple(maps)
        self._calibration = calibration
        self.hop = hop
        self.flashes: Flashes | None = None
        self._before = max(spec.before for spec in maps)
        self._after = max(spec.after for spec in maps)
        needed = self._before + self._after
        if capacity is not None and capacity < needed:
            raise OptionError(f"a capacity of {capacity} steps is too small for these maps: give {needed} or more")
        # Half a window more keeps the steps that a sliding count has to take off.
        slack = max(spec.window for spec in maps) // 2
        self._ring = SpikeRing(height, width, capacity or needed + slack)
        self._none = np.empty((0, packed_bytes(height, width)), np.uint8)
        self.reset()

    @property
    def hop(self) -> int:
        """Steps between centres; may be set while running."""
        return self._hop

    @hop.setter
    def hop(self, hop: int) -> None:
        if hop < 1:
            raise OptionError(f"hop is {hop}: it must be at least 1")
        self._hop = hop

    @property
    def lag_steps(self) -> int:
        """Steps from the centre of windows that have just become ready to the newest step."""
        return self._after - 1

    def reset(self) -> None:
        """Forget the stream; the next step may have any number."""
        self._ring.reset()
        self._started = False
        self._missing = 0
        self._last: int | None = None

    def push(self, packed: NDArray[np.uint8], step: int) -> list[Windows]:
        """Take the next steps and return the windows that they complete, oldest first.

        Parameters
        ----------
        packed : numpy.ndarray
            (n, ⌈H·W/8⌉) uint8.
        step : int
            Number of the first of them.

        Raises
        ------
        ShapeError
            `packed` has another shape or type.
        OptionError
            `step` lies before the next expected one.
        """
        check_packed(packed, self._ring.height, self._ring.width)
        self._follow(step)
        ready = []
        while len(packed):
            wanted = max(0, self._next_centre() + self._after - self._ring.next_step)
            self._ring.push(packed[:wanted])
            packed = packed[wanted:]
            if self._next_centre() + self._after <= self._ring.next_step:
                ready.append(self._encode())
        return ready

    def flush(self) -> list[Windows]:
        """Return the windows whose own steps are all there, though not all that they reach for."""
        own = max(spec.after - spec.reach for spec in self.maps)
        ready = []
        while self._started and self._next_centre() + own <= self._ring.next_step:
            ready.append(self._encode())
        return ready

    def _follow(self, step: int) -> None:
        """Start the windows anew where the stream starts or jumps."""
        missing = step - self._ring.next_step if self._started else 0
        if self._started and not missing:
            return
        self._ring.push(self._none, step)
        self._missing += missing
        self._started = True
        self._earliest = step + max(spec.window // 2 for spec in self.maps)

    def _next_centre(self) -> int:
        """Return the next step of the grid whose window is not before the start, nor overwritten."""
        earliest = self._earliest
        if self._ring.overwritten:
            earliest = max(earliest, self._ring.first_step + self._before)
        if self.flashes is None:
            return -(-earliest // self._hop) * self._hop
        if self._last is not None and (step := self.flashes.following(self._last, self._hop)) >= earliest:
            return step
        return self.flashes.first_from(earliest)

    def _map(self, spec: MapSpec, t: int) -> NDArray[Any]:
        values = spec.of(self._ring, t)
        if self._calibration is None or spec.name == "planes":
            return values
        return self._calibration.apply(spec.name, values)

    def _encode(self) -> Windows:
        t = self._next_centre()
        maps = {str(spec): self._map(spec, t) for spec in self.maps}
        windows = Windows(t, self._missing, maps)
        self._earliest, self._missing, self._last = t + 1, 0, t
        return windows


def warm_up() -> None:
    """Compile every kernel, or load it from the cache on disk, so that the first window does not wait for it.

    Call it once before starting processes that encode: they then find the compiled kernels.
    """
    maps = [MapSpec(name, window) for name in ("rate", "isi", "interval") for window in (4, 300)]
    encoder = Encoder(8, 8, maps, hop=1)
    encoder.push(np.zeros((1000, 8), np.uint8), step=0)
