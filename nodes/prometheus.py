"""`prometheus`: the stream's figures and what is measured on it, for Prometheus to fetch."""

from typing import Annotated, Any

from msgspec import Meta

from engine import Policy
from nodes.http.options import HttpOptions, Port
from nodes.http.sink import HttpSink
from nodes.messages import Event, Reading
from nodes.plant.metrics import Board
from nodes.plant.metrics_server import MetricsServer

__all__ = ["Prometheus"]


class PrometheusOptions(HttpOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `prometheus`."""

    port: Port = 9464
    stale_s: Annotated[
        float, Meta(gt=0, description="How long a region's figures are shown without a new reading, s.")
    ] = 30.0


class Prometheus(HttpSink[MetricsServer]):
    """Serve ``/metrics``."""

    Options = PrometheusOptions
    accepts = {"readings": Reading, "events": Event}  # noqa: RUF012
    optional_ports = frozenset({"readings", "events"})
    policy = {"readings": Policy("drop_oldest", depth=64), "events": Policy("block")}  # noqa: RUF012

    _path = "metrics"

    def setup(self) -> None:
        """Open the port."""
        connect = self._connect if self.context.control else None
        self._board = Board(self.options.stale_s)
        self._serve(MetricsServer(self.options, board=self._board, connect=connect, now=self.context.clock.now))
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
