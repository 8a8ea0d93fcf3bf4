"""An aiohttp application in a thread of its own beside a node's."""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from nodes.http.guard import guard, protect
from nodes.http.listen import bind, is_loopback, page_url, with_token
from nodes.http.options import HttpOptions

__all__ = ["GOODBYE_S", "HttpServer"]

GOODBYE_S = 1.0
"""How long a visitor may take to be sent away, s."""

_log = logging.getLogger(__name__)
_SILENCE_S = 15.0  # of a connection without a whole request: whoever opens many must not hold the places of others


class HttpServer:
    """Serves visitors who know the token until it is closed; derive from it.

    Parameters
    ----------
    options : HttpOptions
        Where to listen, and to whom.

    Attributes
    ----------
    address : str
        Where visitors find it.
    """

    def __init__(self, options: HttpOptions) -> None:
        self._token = options.secret()
        self._bound = bind(options.listen, options.port)
        self.address = page_url(options.listen, self._bound.getsockname()[1])
        self._thread = ThreadPoolExecutor(1, "http")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._listening = threading.Event()
        self._serving: Future[None] | None = None

    def _routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return what is served."""
        raise NotImplementedError

    def _works(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Return what else runs in the thread; where one of them fails, `check` raises it."""
        return ()

    async def _goodbye(self) -> None:
        """Send everyone away."""

    def invitation(self, path: str) -> str:
        """Return where something is, with the token: for nobody but whoever started the run."""
        return with_token(self.address + path, self._token)

    def start(self) -> None:
        """Serve from now on; returns when the first visitor could come."""
        self._serving = self._thread.submit(asyncio.run, self._serve())
        self._serving.add_done_callback(lambda _: self._listening.set())
        self._listening.wait()
        self.check()

    def check(self) -> None:
        """Raise what ended the server, if anything did."""
        if self._serving is not None and self._serving.done():
            self._serving.result()

    def close(self) -> None:
        """Send everyone away and stop."""
        if self._serving is not None and self._loop is not None and not self._serving.done():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.shutdown()
        self._bound.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        loopback = is_loopback(self._bound.getsockname()[0])
        application = web.Application(middlewares=[guard(self._token, loopback=loopback)])
        application.on_response_prepare.append(protect)
        application.add_routes(self._routes())
        runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=GOODBYE_S,
            handler_cancellation=True,
            keepalive_timeout=_SILENCE_S,
            logger=_log,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self._bound).start()
            self._listening.set()
            await self._run()
        finally:
            await self._goodbye()
            await runner.cleanup()

    async def _run(self) -> None:
        """Work until told to stop, or until some work fails."""
        works = [asyncio.ensure_future(work) for work in (*self._works(), self._stopped())]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _stopped(self) -> None:
        await self._stop.wait()


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell a fault of ours from a request that is malformed: whoever sends those must not fill the run's problems."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log.addFilter(_is_ours)
