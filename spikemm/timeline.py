"""Which sensor steps the stored steps of a recording are, where some are missing between them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spikemm.exceptions import RecordingError

__all__ = ["Gap", "Timeline"]


class Gap(NamedTuple):
    """Steps that a recording lacks.

    Attributes
    ----------
    position : int
        Stored step right behind it, counted from 0.
    step : int
        First sensor step that is missing.
    missing : int
        How many are.
    """

    position: int
    step: int
    missing: int


class Timeline:
    """The two ways of counting: **positions**, the stored steps one after another, and **steps** of the sensor.

    Both begin at 0; they are the same up to the first gap.

    Parameters
    ----------
    count : int
        Stored steps.
    missing : sequence of (int, int)
        Position and number of the steps that are missing right before it, in order.
    """

    def __init__(self, count: int, missing: Sequence[tuple[int, int]] = ()) -> None:
        self.count = count
        self._starts, self._shifts = [0], [0]
        gaps = []
        for position, lost in missing:
            gaps.append(Gap(position, position + self._shifts[-1], lost))
            self._starts.append(position)
            self._shifts.append(self._shifts[-1] + lost)
        self.gaps = tuple(gaps)

    @property
    def span(self) -> int:
        """Sensor steps from the first to the last, those that are missing included."""
        return self.count + self._shifts[-1]

    def step_at(self, position: int) -> int:
        """Return the sensor step of a position; behind the end they count on."""
        return position + self._shifts[bisect_right(self._starts, position) - 1]

    def position_of(self, step: int) -> int:
        """Return the position of a sensor step, or of the next one there is."""
        stretch = bisect_right(self.gaps, step, key=lambda gap: gap.step)
        return max(step - self._shifts[stretch], self._starts[stretch])

    def missing_before(self, position: int) -> int:
        """Return how many steps are missing right before a position."""
        following = bisect_left(self._starts, position, 1)
        at_gap = following < len(self._starts) and self._starts[following] == position
        return self.gaps[following - 1].missing if at_gap else 0

    def pieces(self, chunk: int, start: int = 0) -> Iterator[range]:
        """Cut the positions from `start` on into ranges of at most `chunk` without a gap inside."""
        ends = [*(gap.position for gap in self.gaps if gap.position > start), self.count]
        for end in ends:
            yield from (range(at, min(at + chunk, end)) for at in range(start, end, chunk))
            start = end

    def require_whole(self, start: int, stop: int, path: object) -> None:
        """Raise RecordingError if steps are missing between the positions `start` and `stop`."""
        following = bisect_right(self._starts, start, 1)
        if following < len(self._starts) and self._starts[following] < stop:
            gap = self.gaps[following - 1]
            raise RecordingError(
                f"{path}: {gap.missing} steps are missing before position {gap.position}, so {start} to {stop} "
                "are not one piece: read up to there and from there on, or choose a recording without a gap"
            )
