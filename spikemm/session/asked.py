"""How much of what a trigger asked for is in its session."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikemm.session.description import Trigger

__all__ = ["Lack", "lack_of"]


class Lack(NamedTuple):
    """Steps that were asked for and are not there.

    Attributes
    ----------
    before, inside, after : int
        Before the session's first step, in its gaps and damaged blocks, and behind its last step.
    """

    before: int
    inside: int
    after: int


def lack_of(trigger: Trigger, records: NDArray[np.void], damaged: Sequence[tuple[int, int]] = ()) -> Lack:
    """Return what a session lacks of the steps of a trigger; steps before step 0 never were, so none of them does.

    Parameters
    ----------
    trigger : Trigger
        What was asked for.
    records : numpy.ndarray
        The index's records (`spikemm.session.index.RECORD`) of the blocks that can be read, in order; one or more.
    damaged : sequence of (int, int)
        Sensor steps [start, stop) of those of these blocks whose bytes are wrong.
    """
    first, stop = max(0, trigger.first_step), max(0, trigger.stop_step)
    starts = records["step"]
    stops = starts + records["steps"]
    before = max(0, min(stop, int(starts[0])) - first)
    after = max(0, stop - max(first, int(stops[-1])))
    held = int(np.clip(np.minimum(stops, stop) - np.maximum(starts, first), 0, None).sum())
    spoilt = sum(max(0, min(end, stop) - max(start, first)) for start, end in damaged)
    return Lack(before, max(0, stop - first) - held - before - after + spoilt, after)
