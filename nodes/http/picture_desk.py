"""Where pictures are handed out: the newest to each viewer that is ready, encoded once, and never a queue."""

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Executor

from nodes.grey_scale import GreyScale
from nodes.http.picture import Picture, make_picture, side_by_side
from nodes.messages import Frames

__all__ = ["PictureDesk"]

_AGES = 10_000


class PictureDesk:
    """Turns the newest message into a picture when some viewer waits for one.

    `offer` is called in the node's thread, everything else in the event loop's; `retake_level` in either.

    Parameters
    ----------
    executor : Executor
        Where pictures are encoded, so that the event loop stays free.
    grey : GreyScale
        The mapping from light to grey.
    max_fps : float
        Pictures per second at most.
    quality : int
        Quality of the JPEGs, 1 to 100.

    Attributes
    ----------
    arrived : int
        Frames that have come.
    encoded : int
        Pictures made of them.
    ages : deque of float
        Ages in ms of the last pictures that browsers have drawn, also of those that have left.
    """

    def __init__(self, executor: Executor, grey: GreyScale, *, max_fps: float, quality: int) -> None:
        self.max_fps = max_fps
        self.quality = quality
        self.arrived = 0
        self.encoded = 0
        self.ages: deque[float] = deque(maxlen=_AGES)
        self._executor = executor
        self._grey = grey
        self._lock = threading.Lock()
        self._frames: Frames | None = None
        self._arrival = time.monotonic()
        self._fresh = False  # something newer than the last picture is there
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[Picture]] = []
        self._picture: Picture | None = None
        self._due = 0.0

    @property
    def silent_s(self) -> float:
        """Seconds since the last message came."""
        return time.monotonic() - self._arrival

    def offer(self, frames: Frames) -> None:
        """Put a message on the desk in place of the one before."""
        with self._lock:
            self._frames, self._fresh = frames, True
            self._arrival = time.monotonic()
            self.arrived += frames.count
        self._rouse()

    def retake_level(self) -> None:
        """Take the white level anew, from the message that is on the desk now."""
        with self._lock:
            self._grey.white = None
            self._fresh = self._frames is not None
        self._rouse()

    async def newer_than(self, number: int) -> Picture:
        """Return a picture newer than picture `number`, as soon as there is one and the pace allows it."""
        ready = self._picture
        paced = self._fresh and asyncio.get_running_loop().time() >= self._due
        if ready is not None and ready.number > number and not paced:
            return ready
        future: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._wake.set()
        return await future

    async def side_by_side(self) -> bytes | None:
        """Return the newest pair as one JPEG, or None before the first."""
        frames = self._frames
        if frames is None:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, side_by_side, frames, self._grey, self.quality)

    async def run(self) -> None:
        """Make pictures until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            await self._demand()
            await asyncio.sleep(self._due - self._loop.time())
            picture = await self._encode()
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(picture)

    def _rouse(self) -> None:
        """Wake the loop, but only for someone who waits: a stream without viewers costs nothing here."""
        if self._waiting and self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _demand(self) -> None:
        """Wait until something new is there and someone to show it to."""
        while True:
            # cleared before the look: a message that comes after it sets the flag again
            self._wake.clear()
            self._waiting = [future for future in self._waiting if not future.done()]
            if self._waiting and self._fresh:
                return
            await self._wake.wait()

    async def _encode(self) -> Picture:
        loop = asyncio.get_running_loop()
        interval = 1 / self.max_fps
        # a picture that is a little late does not delay the next; after a pause the pace starts anew
        self._due = max(self._due, loop.time() - interval / 2) + interval
        with self._lock:
            frames, arrived, self._fresh = self._frames, self.arrived, False
        assert frames is not None
        self.encoded += 1
        self._picture = await loop.run_in_executor(
            self._executor,
            lambda: make_picture(frames, self._grey, self.quality, number=self.encoded, arrived=arrived),
        )
        return self._picture
