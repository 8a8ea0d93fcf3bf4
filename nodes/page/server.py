"""The page's server."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from engine.clocks import Clock
from engine.exceptions import ControlError
from nodes.http.control import Control, ControlDesk
from nodes.http.guard import same_origin
from nodes.http.options import PictureOptions
from nodes.http.picture_server import PictureServer
from nodes.http.server import GOODBYE_S
from nodes.page.board import NoticeBoard
from nodes.page.events import EventLog
from nodes.page.messages import Command, SetOption
from nodes.page.readings import READINGS_KEPT, ReadingBoard
from nodes.page.status import page_status, without_folders
from nodes.page.viewer import Viewer

__all__ = ["PageServer"]

_PAGE = Path(__file__).parents[1] / "web"
_CONTENT_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_MOST_VIEWERS = 32
_MESSAGE_LIMIT_BYTES = 16384  # of what a browser sends: acknowledgements and commands
_HEARTBEAT_S = 10.0
_STATUS_EVERY_S = 1.0


class PageServer(PictureServer):
    """Serves the page, its pictures and its controls.

    Parameters
    ----------
    options : PictureOptions
        See `PictureServer`.
    name : str
        The page's own node.
    clock : Clock
        Its clock.
    connect : callable or None
        Makes a client of the pipeline's control socket.

    Attributes
    ----------
    readings : ReadingBoard
        Where readings are put.
    events : EventLog
        Where events are put.
    viewers : set of Viewer
        Who looks.
    """

    def __init__(
        self, options: PictureOptions, *, name: str, clock: Clock, connect: Callable[[], Control] | None
    ) -> None:
        super().__init__(options)
        self._name = name
        self._clock = clock
        self._control = ControlDesk(connect)
        self.readings: ReadingBoard = NoticeBoard(READINGS_KEPT)
        self.events = EventLog()
        self.viewers: set[Viewer] = set()
        self._ended = False

    def end(self) -> None:
        """Tell every page that the stream has ended; the server stays."""
        self._ended = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._tell(self._news(None)))

    def close(self) -> None:
        """Send everyone away and stop."""
        super().close()
        self._control.close()

    def _routes(self) -> list[web.RouteDef]:
        page = [web.get(path, _served(file)) for path, file in _page_files().items()]
        return [
            *page,
            web.get("/ws", self._view),
            web.get("/snapshot.jpg", self._snapshot),
            web.get("/status.json", self._status),
        ]

    def _works(self) -> Iterable[Coroutine[Any, Any, None]]:
        return *super()._works(), self._inform()

    async def _goodbye(self) -> None:
        await asyncio.gather(*(viewer.leave() for viewer in self.viewers), return_exceptions=True)

    async def _view(self, request: web.Request) -> web.StreamResponse:
        """Let one browser look for as long as it stays."""
        if not same_origin(request):
            raise web.HTTPForbidden(text="another site may not drive this page\n")
        if len(self.viewers) >= _MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_VIEWERS} viewers are here already; close one\n")
        connection = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MESSAGE_LIMIT_BYTES, timeout=GOODBYE_S, compress=False
        )
        await connection.prepare(request)
        viewer = Viewer(connection, self.desk, self.readings, self.events.board, self._clock, self._carry_out)
        self.viewers.add(viewer)
        try:
            viewer.tell(self._news(await self._pipeline()))
            await viewer.serve()
        finally:
            self.viewers.discard(viewer)
        return connection

    async def _snapshot(self, request: web.Request) -> web.Response:
        picture = await self.desk.side_by_side()
        if picture is None:
            raise web.HTTPServiceUnavailable(text="no picture has come yet\n")
        return web.Response(body=picture, content_type="image/jpeg")

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(body=self._news(await self._pipeline()), content_type="application/json")

    async def _carry_out(self, message: SetOption | Command) -> Any:
        if isinstance(message, SetOption):
            arguments = {"node": message.node, "option": message.option, "value": message.value}
            return await self._control.request("set", **arguments)
        arguments = {"node": message.node, "name": message.name, "arguments": message.arguments}
        answer = await self._control.request("command", **arguments)
        if message.name == "acknowledge":
            self.events.acknowledge(str(message.arguments.get("rule")), str(message.arguments.get("region", "")))
        return without_folders(answer)

    async def _inform(self) -> None:
        """Tell all viewers the pipeline's status once a second; without viewers nobody is asked."""
        while True:
            if self.viewers:
                self._tell(self._news(await self._pipeline()))
            await asyncio.sleep(_STATUS_EVERY_S)

    async def _pipeline(self) -> dict[str, Any]:
        """Return the pipeline's status as the page may see it, or why there is none."""
        try:
            return page_status(await self._control.request("status"))
        except ControlError as error:
            return {"error": str(error)}

    def _news(self, pipeline: dict[str, Any] | None) -> bytes:
        """Return what all pages are told of the stream, in JSON; without `pipeline` they keep what they know of it."""
        stream = {
            "ended": self._ended,
            "silent_s": self.desk.silent_s if self.desk.arrived else None,
            "frames": self.desk.arrived,
            "pictures": self.desk.encoded,
        }
        viewers = [viewer.status() for viewer in self.viewers]
        news = {"type": "status", "now": self._clock.wall(), "node": self._name, "stream": stream, "viewers": viewers}
        return msgspec.json.encode(news if pipeline is None else news | {"pipeline": pipeline})

    def _tell(self, news: bytes) -> None:
        for viewer in self.viewers:
            viewer.tell(news)


def _page_files() -> dict[str, Path]:
    """Return the page's files by their paths on the server; no other file has one."""
    files = {f"/{file.name}": file for file in _PAGE.iterdir() if file.suffix in _CONTENT_TYPES}
    return files | {"/": _PAGE / "index.html"}


def _served(file: Path) -> Callable[[web.Request], Any]:
    """Return a handler for one of the page's files."""
    body, content_type = file.read_bytes(), _CONTENT_TYPES[file.suffix]

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler
