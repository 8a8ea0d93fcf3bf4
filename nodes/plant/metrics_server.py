"""`/metrics` over HTTP, from a thread of its own beside the node's."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from engine.exceptions import ControlError
from nodes.http.control import Control, ControlDesk
from nodes.http.options import HttpOptions
from nodes.http.server import HttpServer
from nodes.plant.metrics import Board, PipelineMetrics

__all__ = ["MetricsServer"]

_STATUS_EVERY_S = 0.5


class MetricsServer(HttpServer):
    """Answers scrapes; asks the supervisor when it is scraped, twice a second at most.

    Parameters
    ----------
    options : HttpOptions
        See `HttpServer`.
    board : Board
        What was measured.
    connect : callable or None
        Makes a client of the pipeline's control socket.
    now : callable
        The node's clock.

    Attributes
    ----------
    scrapes : int
        How many were answered.
    """

    def __init__(
        self, options: HttpOptions, *, board: Board, connect: Callable[[], Control] | None, now: Callable[[], float]
    ) -> None:
        super().__init__(options)
        self._board, self._now = board, now
        self._control = ControlDesk(connect)
        self._status: dict[str, Any] = {}
        self._asked_s = float("-inf")
        self._asking = asyncio.Lock()
        self.scrapes = 0

    def close(self) -> None:
        """Stop."""
        super().close()
        self._control.close()

    def _routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self._metrics)]

    async def _metrics(self, request: web.Request) -> web.Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(PipelineMetrics(self._board, await self._pipeline(), self._now()))
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        self.scrapes += 1
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def _pipeline(self) -> dict[str, Any]:
        """Return the supervisor's status, at most half a second old; empty if it does not answer."""
        async with self._asking:
            if self._now() - self._asked_s >= _STATUS_EVERY_S:
                try:
                    self._status = await self._control.request("status")
                except ControlError:
                    self._status = {}
                self._asked_s = self._now()
            return self._status
