"""A board for what browsers are told besides pictures: the newest notice of every key, and never a queue."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["NoticeBoard"]

_Notice = TypeVar("_Notice")


@dataclass(frozen=True)
class _Pinned(Generic[_Notice]):
    """A notice and the revision of the board that it came with."""

    revision: int
    notice: _Notice


class NoticeBoard(Generic[_Notice]):
    """Keeps one notice a key; a reader asks for what is newer than it has read.

    `put` is called in any thread, `newer_than` in an event loop's.

    Parameters
    ----------
    limit : int
        Keys at most; the one that came first goes first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._pinned: OrderedDict[Hashable, _Pinned[_Notice]] = OrderedDict()
        self._revision = 0
        self._waiting: list[asyncio.Future[None]] = []

    def put(self, key: Hashable, notice: _Notice) -> None:
        """Pin a notice in place of the one of the same key, whose place in the order it keeps."""
        with self._lock:
            self._revision += 1
            self._pinned[key] = _Pinned(self._revision, notice)
            while len(self._pinned) > self._limit:
                self._pinned.popitem(last=False)
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    def notices(self) -> list[_Notice]:
        """Return what is pinned, the oldest first."""
        with self._lock:
            return [pinned.notice for pinned in self._pinned.values()]

    async def newer_than(self, revision: int) -> tuple[int, list[_Notice]]:
        """Return the board's revision and what came after `revision`, oldest first, as soon as there is something."""
        while True:
            with self._lock:
                if self._revision > revision:
                    new = [pinned.notice for pinned in self._pinned.values() if pinned.revision > revision]
                    return self._revision, new
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
            try:
                await future
            finally:
                self._forget(future)

    def _forget(self, future: "asyncio.Future[None]") -> None:
        """Wait no longer: readers come and go, also where nothing is ever put."""
        with self._lock:
            if future in self._waiting:
                self._waiting.remove(future)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
