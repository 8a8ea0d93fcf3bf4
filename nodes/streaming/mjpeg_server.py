"""Motion JPEG over HTTP: an aiohttp application in a thread of its own beside the node's."""

import asyncio
import socket
from typing import Any

from aiohttp import web

from nodes.http.options import PictureOptions
from nodes.http.picture import Picture
from nodes.http.picture_desk import PictureDesk
from nodes.http.picture_server import PictureServer

__all__ = ["MotionJpegServer"]

_BOUNDARY = "picture"
_SEND_BUFFER_BYTES = 65536  # what waits here grows old; the system's own choice would hold seconds
_SLOWEST_S = 10.0
_REPEAT_S = 1.0


class _Client:
    """One connection, and what it was shown."""

    def __init__(self, desk: PictureDesk) -> None:
        self.sent = self.skipped = 0
        self._frames = desk.arrived

    def note(self, picture: Picture) -> None:
        """Count a picture that was sent, and the frames left out before it."""
        self.sent += 1
        self.skipped += max(picture.frames - self._frames - 1, 0)
        self._frames = picture.frames


class MotionJpegServer(PictureServer):
    """Serves ``/stream.mjpg`` and ``/snapshot.jpg``; each client gets the newest picture when it has taken the last.

    Parameters
    ----------
    options : PictureOptions
        See `PictureServer`.
    max_clients : int
        Clients at a time; more are refused.

    Attributes
    ----------
    refused, too_slow : int
        Clients that found no room, and those that took nothing for 10 s.
    """

    def __init__(self, options: PictureOptions, max_clients: int) -> None:
        super().__init__(options)
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)  # accepted ones take it over
        self._max_clients = max_clients
        self.refused = self.too_slow = 0
        self._clients: dict[asyncio.Task[Any] | None, _Client] = {}
        self._left = {"pictures_sent": 0, "frames_skipped": 0}

    def status(self) -> dict[str, Any]:
        """Return what was shown, to those who are here and in all."""
        here = [{"pictures_sent": one.sent, "frames_skipped": one.skipped} for one in tuple(self._clients.values())]
        total = {name: count + sum(one[name] for one in here) for name, count in self._left.items()}
        return {**total, "clients": here, "clients_refused": self.refused, "clients_too_slow": self.too_slow}

    def _routes(self) -> list[web.RouteDef]:
        return [web.get("/stream.mjpg", self._stream, allow_head=False), web.get("/snapshot.jpg", self._snapshot)]

    async def _goodbye(self) -> None:
        for task in self._clients:
            if task is not None:
                task.cancel()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send one client pictures until it leaves."""
        if len(self._clients) >= self._max_clients:
            self.refused += 1
            raise web.HTTPServiceUnavailable(text=f"{self._max_clients} clients are here already; close one\n")
        response = web.StreamResponse(headers={"Content-Type": f"multipart/x-mixed-replace; boundary={_BOUNDARY}"})
        client = self._clients[asyncio.current_task()] = _Client(self.desk)
        try:
            await response.prepare(request)
            await self._show(client, response)
        except ConnectionError:
            pass  # it left
        except TimeoutError:
            self.too_slow += 1
        finally:
            del self._clients[asyncio.current_task()]
            self._left["pictures_sent"] += client.sent
            self._left["frames_skipped"] += client.skipped
        return response

    async def _show(self, client: _Client, response: web.StreamResponse) -> None:
        await response.write(f"--{_BOUNDARY}\r\n".encode())
        picture = await self.desk.newer_than(0)
        while True:
            client.note(picture)
            async with asyncio.timeout(_SLOWEST_S):
                await response.write(_part(picture))
            try:
                async with asyncio.timeout(_REPEAT_S):
                    picture = await self.desk.newer_than(picture.number)
            except TimeoutError:
                pass  # the stream rests: the same again tells whether the client is still there

    async def _snapshot(self, request: web.Request) -> web.Response:
        if not self.desk.arrived:
            raise web.HTTPServiceUnavailable(text="no picture has come yet\n")
        picture = await self.desk.newer_than(0)
        return web.Response(body=picture.parts[0], content_type="image/jpeg")


def _part(picture: Picture) -> bytes:
    """Return a part with the boundary behind it: a browser shows a picture when it sees where it ends."""
    jpeg, header = picture.parts[0], picture.header
    lines = (
        "Content-Type: image/jpeg",
        f"Content-Length: {len(jpeg)}",
        f"X-Timestamp: {header['source_time']:.6f}",
        f"X-Step: {header['step']}",
    )
    return "\r\n".join((*lines, "", "")).encode() + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode()
