"""The last seconds in memory."""

from collections import deque
from collections.abc import Iterator

from nodes.recording.items import Item, Steps

__all__ = ["Ring"]


class Ring:
    """Items of the last `steps` sensor steps, each as long as its message lives: nothing is copied.

    Parameters
    ----------
    steps : int
        How far back it reaches.
    limit_bytes : float
        What it holds at most; beyond that the oldest go early.
    past : Ring, optional
        The ring of the time line before. What it holds goes as this one fills: both together hold no more than one.

    Attributes
    ----------
    newest : int
        Step behind the newest sensor step, of an entry where there are no sensor steps; 0 when nothing has come.
    nbytes : int
        Bytes that it holds.
    let_go : int
        Items that went early.
    """

    def __init__(self, steps: int, limit_bytes: float, past: "Ring | None" = None) -> None:
        self.steps, self.limit_bytes = steps, limit_bytes
        self._items: deque[Item] = deque()
        self.newest = self.nbytes = self.let_go = 0
        self._begun: int | None = None
        self._spikes = False
        self._past = past
        if past is not None:
            past._past = None

    def __iter__(self) -> Iterator[Item]:
        """Items in order of arrival."""
        return iter(self._items)

    def push(self, item: Item) -> None:
        """Take an item; what is too old goes."""
        self._items.append(item)
        self.nbytes += item.nbytes
        self._see(item)
        self.let_go += self._hold(self.steps, self.limit_bytes)
        if self._past is not None:
            assert self._begun is not None
            self._past._hold(self.steps - (self.newest - self._begun), self.limit_bytes - self.nbytes)

    def _see(self, item: Item) -> None:
        """Note how far the sensor has come; entries run ahead of it where its steps wait for this process."""
        spikes = isinstance(item, Steps)
        if spikes and not self._spikes:
            self._spikes, self.newest, self._begun = True, 0, None
        if spikes == self._spikes:
            self.newest = max(self.newest, item.stop)
            self._begun = item.step if self._begun is None else self._begun

    def _hold(self, steps: int, limit_bytes: float) -> int:
        """Let go what is further back than `steps`, and the oldest beyond `limit_bytes`; return how many of these."""
        while self._items and self._items[0].stop <= self.newest - steps:
            self._drop()
        early = 0
        while self._items and self.nbytes > limit_bytes:
            self._drop()
            early += 1
        return early

    def _drop(self) -> None:
        self.nbytes -= self._items.popleft().nbytes

    @property
    def first_step(self) -> int:
        """First sensor step from which on all are here, gaps apart; of an entry where there are no sensor steps."""
        kept = (item.step for item in self._items if isinstance(item, Steps) or not self._spikes)
        return min(kept, default=self.newest)
