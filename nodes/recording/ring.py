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

    Attributes
    ----------
    newest : int
        Step behind the newest item; 0 when nothing has come.
    nbytes : int
        Bytes that it holds.
    let_go : int
        Items that went early.
    """

    def __init__(self, steps: int, limit_bytes: float) -> None:
        self.steps, self.limit_bytes = steps, limit_bytes
        self._items: deque[Item] = deque()
        self.newest = self.nbytes = self.let_go = 0

    def __iter__(self) -> Iterator[Item]:
        """Items in order of arrival."""
        return iter(self._items)

    def push(self, item: Item) -> None:
        """Take an item; what is too old goes."""
        self._items.append(item)
        self.nbytes += item.nbytes
        self.newest = max(self.newest, item.stop)
        while self._items[0].stop <= self.newest - self.steps:
            self._drop()
        while self.nbytes > self.limit_bytes:
            self._drop()
            self.let_go += 1

    def _drop(self) -> None:
        self.nbytes -= self._items.popleft().nbytes

    @property
    def first_step(self) -> int:
        """First sensor step from which on all are here, gaps apart; of an entry where there are no sensor steps."""
        steps = next((item.step for item in self._items if isinstance(item, Steps)), None)
        return min((item.step for item in self._items), default=self.newest) if steps is None else steps
