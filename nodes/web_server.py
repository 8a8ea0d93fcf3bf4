"""The page's server: an aiohttp application in a thread of its own beside the node's."""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from engine.clocks import Clock
from engine.exceptions import ControlError
from nodes.grey_scale import GreyScale
from nodes.web_control import Control, ControlDesk, page_status
from nodes.web_desk import PictureDesk
from nodes.web_guard import guard, is_loopback, same_origin
from nodes.web_viewer import Command, SetOption, Viewer

__all__ = ["PageServer"]

_PAGE = Path(__file__).parent / "web"
_FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/stream.js": ("stream.js", "text/javascript"),
    "/panels.js": ("panels.js", "text/javascript"),
    "/style.css": ("style.css", "text/css"),
}
_MOST_VIEWERS = 32
_MESSAGE_LIMIT_BYTES = 16384  # of what a browser sends: acknowledgements and commands
_HEARTBEAT_S = 10.0
_STATUS_EVERY_S = 1.0
_GOODBYE_S = 1.0


class PageServer:
    """Serves the page, its pictures and its controls.

    Parameters
    ----------
    bound : socket.socket
        Where to listen; closed with the server.
    token : str
        What a visitor must know; empty: nothing.
    name : str
        The page's own node.
    clock : Clock
        Its clock.
    grey : GreyScale
        The mapping from light to grey.
    connect : callable or None
        Makes a client of the pipeline's control socket.
    max_fps, quality : float, int
        See `PictureDesk`.
    """

    def __init__(
        self,
        bound: socket.socket,
        *,
        token: str,
        name: str,
        clock: Clock,
        grey: GreyScale,
        connect: Callable[[], Control] | None,
        max_fps: float,
        quality: int,
    ) -> None:
        self._bound = bound
        self._token = token
        self._name = name
        self._clock = clock
        self._encoder = ThreadPoolExecutor(1, "jpeg")
        self._thread = ThreadPoolExecutor(1, "page")
        self._control = ControlDesk(connect)
        self.desk = PictureDesk(self._encoder, grey, max_fps=max_fps, quality=quality)
        self.viewers: set[Viewer] = set()
        self.ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._listening = threading.Event()
        self._serving: Future[None] | None = None

    def start(self) -> None:
        """Serve from now on; returns when the first browser could come."""
        self._serving = self._thread.submit(asyncio.run, self._serve())
        self._serving.add_done_callback(lambda _: self._listening.set())
        self._listening.wait()
        self.check()

    def check(self) -> None:
        """Raise what ended the server, if anything did."""
        if self._serving is not None and self._serving.done():
            self._serving.result()

    def end(self) -> None:
        """Tell every page that the stream has ended; the server stays."""
        self.ended = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._tell(self._news(None)))

    def close(self) -> None:
        """Send everyone away and stop."""
        if self._serving is not None and self._loop is not None and not self._serving.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.shutdown()
        self._control.close()
        self._encoder.shutdown()
        self._bound.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_GOODBYE_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._bound).start()
            self._listening.set()
            await self._work()
        finally:
            await asyncio.gather(*(viewer.leave() for viewer in self.viewers), return_exceptions=True)
            await runner.cleanup()

    async def _work(self) -> None:
        """Make pictures and news until told to stop, or until one of them fails."""
        works = [asyncio.ensure_future(work) for work in (self.desk.run(), self._inform(), self._stop.wait())]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    def _application(self) -> web.Application:
        loopback = is_loopback(self._bound.getsockname()[0])
        application = web.Application(middlewares=[guard(self._token, loopback=loopback)])
        application.add_routes([web.get(path, _served(*file)) for path, file in _FILES.items()])
        application.add_routes(
            [
                web.get("/ws", self._view),
                web.get("/snapshot.jpg", self._snapshot),
                web.get("/status.json", self._status),
            ]
        )
        return application

    async def _view(self, request: web.Request) -> web.StreamResponse:
        """Let one browser look for as long as it stays."""
        if not same_origin(request):
            raise web.HTTPForbidden(text="another site may not drive this page\n")
        if len(self.viewers) >= _MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{_MOST_VIEWERS} viewers are here already; close one\n")
        connection = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MESSAGE_LIMIT_BYTES, timeout=_GOODBYE_S, compress=False
        )
        await connection.prepare(request)
        viewer = Viewer(connection, self.desk, self._clock, self._carry_out)
        self.viewers.add(viewer)
        viewer.tell(self._news(await self._pipeline()))
        try:
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
        return await self._control.request("command", **arguments)

    async def _inform(self) -> None:
        """Tell all viewers the pipeline's status once a second; without viewers nobody is asked."""
        while True:
            if self.viewers:
                self._tell(self._news(await self._pipeline()))
            await asyncio.sleep(_STATUS_EVERY_S)

    async def _pipeline(self) -> dict[str, Any]:
        """Return the pipeline's status as the page may see it, or why there is none."""
        try:
            return page_status(await self._control.request("status"), self._name)
        except ControlError as error:
            return {"error": str(error)}

    def _news(self, pipeline: dict[str, Any] | None) -> bytes:
        """Return what all pages are told of the stream, in JSON; without `pipeline` they keep what they know of it."""
        stream = {
            "ended": self.ended,
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


def _served(name: str, content_type: str) -> Callable[[web.Request], Any]:
    """Return a handler for one of the page's files; there is no way to name another."""
    body = (_PAGE / name).read_bytes()

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler
