"""`web`: the console: a page with the live pictures, what is measured on them, the alarms and the controls."""

from typing import Any, ClassVar

from engine import Message, Policy
from engine.exceptions import ControlError
from nodes.http.options import PictureOptions, Port
from nodes.http.picture_sink import PictureSink
from nodes.messages import Event, Frames, Reading
from nodes.page.server import PageServer
from nodes.page.viewer import age_summary

__all__ = ["Web"]


class WebOptions(PictureOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `web`."""

    port: Port = 8787


class Web(PictureSink[PageServer]):
    """Serve a page that shows the stream live; a slow browser gets fewer pictures, never a queue.

    Ports: ``frames``, and where they are connected ``readings`` of `measure` and ``events`` of `alarm`.

    Commands: ``auto_level`` takes the white level anew from the present picture.
    """

    Options = WebOptions
    accepts: ClassVar[dict[str, type[Message]]] = {"frames": Frames, "readings": Reading, "events": Event}
    optional_ports = frozenset({"readings", "events"})
    policy: ClassVar[dict[str, Policy]] = {
        "frames": Policy("latest", depth=1),
        "readings": Policy("drop_oldest", depth=256),
        "events": Policy("drop_oldest", depth=256),
    }

    @classmethod
    def wants(cls, options: WebOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for the unmagnified picture of the same instant."""
        return frozenset({"raw"})

    def setup(self) -> None:
        """Open the page."""
        connect = self._connect if self.context.control else None
        self._serve(PageServer(self.options, name=self.context.name, clock=self.context.clock, connect=connect))
        self._invite("page")

    def process(self, message: Frames | Reading | Event, port: str) -> None:
        """Put a message where the browsers' pictures, plots and lists are made from."""
        server = self._running()
        server.check()
        match message:
            case Frames():
                server.desk.offer(message)
            case Reading():
                server.readings.put((message.topic, message.name), message)
            case Event():
                server.events.take(message, self.context.clock.wall())

    def command(self, name: str, arguments: dict[str, Any]) -> None:
        """Carry out ``auto_level``."""
        if name != "auto_level":
            raise ControlError(f"{self.context.name} takes no command {name!r}; it takes auto_level")
        self._running().desk.retake_level()

    def flush(self) -> None:
        """Show that the stream has ended; the last picture stays."""
        self._running().end()

    def status(self) -> dict[str, Any]:
        """Where the page is (never its token), who looks at it, and how old the pictures were that they saw."""
        server = self._running()
        return {
            "url": self._url,
            "pictures_encoded": server.desk.encoded,
            "age_ms": age_summary(server.desk.ages),
            "viewers": [viewer.status() for viewer in tuple(server.viewers)],
        }
