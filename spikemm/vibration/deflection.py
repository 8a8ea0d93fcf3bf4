"""Operating deflection shape: how a scene moves at one frequency, played as a slow loop of one clean cycle."""

from math import ceil, isfinite, tau

import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError, WindowError
from spikemm.maps import MapSpec
from spikemm.response import require_response
from spikemm.vibration.shape_sum import Cycle, ShapeSum, separable_harmonics

__all__ = ["DeflectionShape"]


class DeflectionShape:
    """Average frames over a record by their phase, and play the last record's cycle slowly while the next is taken.

    Everything that does not repeat at the frequency averages out: noise falls with the root of the record's frames.
    The loop has `phases` frames, spread evenly over 1/`apparent_hz` of sensor time; it has no part of what the front
    end's window takes off, so its frames are those of an instant. From record to record the loop keeps its phase, so a
    frequency that is a little off does not make it jump. A pixel that is no number counts as dark. Memory is that of
    two cycles of seven pictures.

    Parameters
    ----------
    frequency_hz : float
        The vibration's; may be set while running, which starts a new record.
    rate_hz : float
        Steps per second.
    hop : int
        Steps from frame to frame.
    front : MapSpec
        The front end's map.
    phases : int
        Frames of the loop, 4 or more.
    seconds : float
        Length of a record.
    apparent_hz : float
        Loops per second of sensor time.

    Raises
    ------
    OptionError
        If an option is out of range, the frames always catch the vibration at the same phase, or the loop's frames come
        faster than the frames.
    """

    def __init__(
        self,
        *,
        frequency_hz: float,
        rate_hz: float,
        hop: int,
        front: MapSpec,
        phases: int = 24,
        seconds: float = 1.0,
        apparent_hz: float = 1.0,
    ) -> None:
        if phases < 4 or not (isfinite(seconds) and seconds > 0.0 and isfinite(apparent_hz) and apparent_hz > 0.0):
            raise OptionError(
                f"phases {phases}, seconds {seconds:g}, apparent_hz {apparent_hz:g}: take 4 phases or more, and the "
                "others above 0"
            )
        self.phases = phases
        self.out_hop = round(rate_hz / (phases * apparent_hz))
        if self.out_hop < hop:
            raise OptionError(
                f"a loop of {phases} frames at {apparent_hz:g} Hz needs {phases * apparent_hz:g} frames a second, and "
                f"{rate_hz / hop:g} come: take fewer phases or a lower apparent_hz"
            )
        self._rate_hz, self._hop, self._front, self._seconds = rate_hz, hop, front, seconds
        self.frequency_hz = frequency_hz

    @property
    def frequency_hz(self) -> float:
        """The vibration's frequency."""
        return self._frequency_hz

    @frequency_hz.setter
    def frequency_hz(self, hz: float) -> None:
        if not (isfinite(hz) and 0.0 < hz < 0.5 * self._rate_hz):
            raise OptionError(
                f"frequency_hz is {hz:g}: it must lie above 0 and below {0.5 * self._rate_hz:g}, half the sensor's rate"
            )
        self._harmonics = separable_harmonics(hz, self._rate_hz / self._hop, self._seconds)
        self._frequency_hz = hz
        self.reset()

    @property
    def apparent_hz(self) -> float:
        """Loops per second of sensor time, in whole steps a frame."""
        return self._rate_hz / (self.phases * self.out_hop)

    @property
    def time_scale(self) -> float:
        """Seconds that a second of the vibration takes to be shown."""
        return self._frequency_hz / self.apparent_hz

    def reset(self) -> None:
        """Forget the frames before, and the cycle that is played."""
        self._cycle: Cycle | None = None
        self._turn = 0.0
        self._seen: int | None = None
        self._sent: int | None = None
        self._restart()

    def _restart(self) -> None:
        self._sum = ShapeSum(self._frequency_hz, self._harmonics, self._rate_hz)
        self._left = ceil(self._seconds * self._rate_hz / self._hop)

    def push(self, batch: FrameBatch) -> FrameBatch | None:
        """Take the next frames; return those of the loop that are due, None before the first record is complete.

        A gap before them starts a new record; the cycle of the last one goes on meanwhile.

        Raises
        ------
        OptionError
            If the front end keeps too little of the vibration.
        """
        if batch.gap:
            self._restart()
        if batch.gap or self._seen is None:
            self._seen = int(batch.steps[0]) - 1
        shown: list[tuple[int, torch.Tensor]] = []
        frames, steps = batch.pixels, batch.steps
        while len(steps):
            run = min(self._left, len(steps))
            shown += self._due(int(steps[run - 1]))
            self._add(frames[:run], steps[:run])
            frames, steps = frames[run:], steps[run:]
        if not shown:
            return None
        numbers, pictures = zip(*shown, strict=True)
        return FrameBatch(torch.stack(pictures), np.array(numbers, np.int64), self._missing(numbers))

    def _due(self, last: int) -> list[tuple[int, torch.Tensor]]:
        """Frames of the loop behind the last step seen, up to a step."""
        assert self._seen is not None, "push sets it"
        first, self._seen = self.out_hop * (self._seen // self.out_hop + 1), last
        return [(step, self._at(step)) for step in range(first, last + 1, self.out_hop) if self._cycle is not None]

    def _at(self, step: int) -> torch.Tensor:
        assert self._cycle is not None, "no cycle yet"
        number = step // self.out_hop % self.phases
        return self._cycle.at(tau * number / self.phases + self._turn)

    def _missing(self, numbers: tuple[int, ...]) -> int:
        last, self._sent = self._sent, numbers[-1]
        return 0 if last is None else max(0, numbers[0] - last - self.out_hop)

    def _add(self, frames: torch.Tensor, steps: NDArray[np.int64]) -> None:
        self._sum.push(frames.nan_to_num(0.0, 0.0, 0.0), steps)
        self._left -= len(frames)
        if self._left == 0:
            cycle = self._mean_cycle()
            self._turn += 0.0 if self._cycle is None else cycle.phase_after(self._cycle)
            self._cycle = cycle
            self._restart()

    def _mean_cycle(self) -> Cycle:
        cycle = self._sum.cycle(self._front)
        # Light weighted by itself: dark parts show little.
        light = float(cycle.still.square().mean() / cycle.still.mean().clamp(min=1e-6))
        require_response(self._front, min(max(light, 1e-6), 1.0), self._frequency_hz, self._rate_hz)
        return cycle

    def loop(self) -> FrameBatch:
        """Return one whole loop, of the last complete record or else of the frames so far.

        Raises
        ------
        WindowError
            There are too few frames.
        OptionError
            If the front end keeps too little of the vibration.
        """
        if self._cycle is None and not self._sum.solvable:
            raise WindowError("too few frames for a deflection shape: take a longer recording")
        if self._cycle is None:
            self._cycle = self._mean_cycle()
        steps = np.arange(self.phases, dtype=np.int64) * self.out_hop
        return FrameBatch(torch.stack([self._at(int(step)) for step in steps]), steps)
