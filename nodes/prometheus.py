"""`prometheus`: the stream's figures and what is measured on it, for Prometheus to fetch."""

from typing import Annotated, Any

from msgspec import Meta

from engine import Policy
from nodes.http_sink import HttpOptions, HttpSink
from nodes.messages import Event, Reading
from nodes.page.guard import bind, page_url
from nodes.plant.metrics import Board
from nodes.plant.metrics_server import MetricsServer

__all__ = ["Prometheus"]


class PrometheusOptions(HttpOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `prometheus`."""

    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one.")] = 9464
    token: Annotated[
        str, Meta(max_length=128, pattern=r"^[A-Za-z0-9_-]*$", description="Secret sent as a bearer token.")
    ] = ""
    stale_s: Annotated[
        float, Meta(gt=0, description="How long a region's figures are shown without a new reading, s.")
    ] = 30.0


class Prometheus(HttpSink[MetricsServer]):
    """Serve ``/metrics``."""

    Options = PrometheusOptions
    accepts = {"readings": Reading, "events": Event}  # noqa: RUF012
    optional_ports = frozenset({"readings", "events"})
    policy = {"readings": Policy("drop_oldest", depth=64), "events": Policy("block")}  # noqa: RUF012

    def setup(self) -> None:
        """Open the port."""
        options, clock = self.options, self.context.clock
        bound = bind(options.listen, options.port)
        self._url = page_url(options.listen, bound.getsockname()[1], "") + "metrics"
        self._board = Board(options.stale_s)
        connect = self._connect if self.context.control else None
        self._server = MetricsServer(bound, token=options.token, board=self._board, connect=connect, now=clock.now)
        self._server.start()
        self.context.log.info("metrics: %s", self._url)

    def process(self, message: Reading | Event, port: str) -> None:
        """Keep the latest."""
        self._running().check()
        if isinstance(message, Event):
            self._board.event(message)
        elif message.topic == "region":
            self._board.reading(message, self.context.clock.now())

    def status(self) -> dict[str, Any]:
        """Return where it is and how often it was asked."""
        return {"url": self._url, "scrapes": self._running().scrapes}
