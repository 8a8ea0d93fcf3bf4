"""One browser that looks: it gets the next picture when it has drawn the last, so a slow one gets fewer."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np
from aiohttp import WSMsgType, web

from engine.clocks import Clock
from engine.exceptions import ControlError
from nodes.http.picture_desk import PictureDesk
from nodes.page.board import NoticeBoard
from nodes.page.events import LoggedEvent
from nodes.page.messages import Command, Drawn, Level, Ping, ReadingsShown, SetOption, decode
from nodes.page.readings import ReadingBoard, pack_readings

__all__ = ["Viewer", "age_summary"]

_AGES = 1000
_READINGS_EVERY_S = 0.1
_EVENTS_EVERY_S = 0.1
_COMMANDS_AT_ONCE = 4
_log = logging.getLogger(__name__)
_numbers = itertools.count(1)


class Viewer:
    """A WebSocket with a credit of one picture and one message of readings.

    Parameters
    ----------
    socket : aiohttp.web.WebSocketResponse
        The open connection.
    desk : PictureDesk
        Where pictures come from.
    readings : ReadingBoard
        Where readings come from.
    events : NoticeBoard of LoggedEvent
        Where alarms and marks come from.
    clock : Clock
        The node's clock, which ages are measured against.
    carry_out : callable
        Carries a command out; raises ControlError.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        desk: PictureDesk,
        readings: ReadingBoard,
        events: NoticeBoard[LoggedEvent],
        clock: Clock,
        carry_out: Callable[[SetOption | Command], Awaitable[Any]],
    ) -> None:
        self.number = next(_numbers)
        self.sent = self.drawn = self.skipped = self.unreadable = 0
        self.ages: deque[float] = deque(maxlen=_AGES)
        self._socket = socket
        self._desk = desk
        self._readings = readings
        self._events = events
        self._clock = clock
        self._carry_out = carry_out
        self._picture = 0
        self._frames = desk.arrived
        self._ready = asyncio.Event()
        self._ready.set()
        self._readings_shown = asyncio.Event()
        self._news: bytes | None = None
        self._told = asyncio.Event()
        self._commands: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Show pictures and readings, tell events and news, until the browser leaves."""
        works = (self._show(), self._inform(), self._show_readings(), self._tell_events())
        sending = [asyncio.create_task(work) for work in works]
        try:
            async for message in self._socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._take(message.data)
        except ConnectionError:
            pass  # it left while it was being answered
        finally:
            sending.extend(self._commands)
            for task in sending:
                task.cancel()
            for ended in await asyncio.gather(*sending, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, ConnectionError):
                    _log.error("viewer %d: %s", self.number, ended, exc_info=ended)

    def tell(self, news: bytes) -> None:
        """Leave news for the browser, in JSON, in place of news it has not been sent yet."""
        self._news = news
        self._told.set()

    async def leave(self) -> None:
        """Close the connection because the page's node ends."""
        await self._socket.close(code=1001, message=b"the pipeline has ended")

    def status(self) -> dict[str, Any]:
        """Return what this viewer was shown, and how old it was then."""
        return {
            "viewer": self.number,
            "pictures_sent": self.sent,
            "pictures_drawn": self.drawn,
            "frames_skipped": self.skipped,
            "messages_unreadable": self.unreadable,
            "age_ms": age_summary(self.ages),
        }

    async def _show(self) -> None:
        """Send the newest picture whenever the last one has been drawn."""
        while True:
            await self._ready.wait()
            picture = await self._desk.newer_than(self._picture)
            self._ready.clear()
            self.skipped += max(picture.frames - self._frames - 1, 0)
            self._picture, self._frames = picture.number, picture.frames
            self.sent += 1
            own = {"sent": self.sent, "skipped": self.skipped, "silent_s": self._desk.silent_s}
            await self._socket.send_bytes(picture.packed(**own))

    async def _show_readings(self) -> None:
        """Send the newest readings whenever the last ones are shown, ten times a second at most."""
        revision = 0
        while True:
            revision, readings = await self._readings.newer_than(revision)
            self._readings_shown.clear()
            await self._socket.send_bytes(pack_readings(readings))
            await asyncio.gather(self._readings_shown.wait(), asyncio.sleep(_READINGS_EVERY_S))

    async def _tell_events(self) -> None:
        """Send the events that are kept, then what is new; a full connection makes it wait, and sums up what comes."""
        revision = 0
        while True:
            revision, events = await self._events.newer_than(revision)
            await self._answer(type="events", events=events)
            await asyncio.sleep(_EVENTS_EVERY_S)

    async def _inform(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            if self._news is not None:
                await self._socket.send_str(self._news.decode())

    async def _take(self, data: str | bytes) -> None:
        """Take a message of the browser; one that makes no sense is counted, and otherwise ignored."""
        message = decode(data)
        match message:
            case Drawn(picture, age_ms) if picture == self._picture:
                self._credit(age_ms)
            case None:
                self.unreadable += 1
            case ReadingsShown():
                self._readings_shown.set()
            case Ping(sent):
                await self._answer(type="pong", sent=sent, now=self._clock.wall())
            case Level():
                self._desk.retake_level()
            case SetOption() | Command():
                await self._accept(message)

    def _credit(self, age_ms: float | None) -> None:
        if self._ready.is_set():
            return
        self.drawn += 1
        if age_ms is not None:
            self.ages.append(age_ms)
            self._desk.ages.append(age_ms)
        self._ready.set()

    async def _accept(self, message: SetOption | Command) -> None:
        """Carry a command out beside the pictures, a few at most at a time."""
        if len(self._commands) >= _COMMANDS_AT_ONCE:
            await self._answer(type="reply", id=message.id, error="too many commands at once; wait for the last ones")
            return
        task = asyncio.create_task(self._reply(message))
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)

    async def _reply(self, message: SetOption | Command) -> None:
        try:
            value, error = await self._carry_out(message), None
        except ControlError as refusal:
            value, error = None, str(refusal)
        await self._answer(type="reply", id=message.id, error=error, value=value)

    async def _answer(self, **answer: Any) -> None:
        await self._socket.send_str(msgspec.json.encode(answer).decode())


def age_summary(ages: deque[float]) -> dict[str, float] | None:
    """Return p50, p99 and maximum in ms, or None where nothing was measured."""
    values = np.array(tuple(ages))
    if not values.size:
        return None
    return {
        "p50": round(float(np.percentile(values, 50)), 1),
        "p99": round(float(np.percentile(values, 99)), 1),
        "max": round(float(values.max()), 1),
    }
