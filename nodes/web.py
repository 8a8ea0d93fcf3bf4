"""`web`: the console: a page with the live pictures, what is measured on them, the alarms and the controls."""

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from engine import Message, Policy
from engine.exceptions import ControlError
from nodes.grey_scale import GreyScale
from nodes.http_sink import HttpSink, PictureOptions
from nodes.messages import Event, Frames, Reading
from nodes.page.guard import bind, page_url
from nodes.page.server import PageServer
from nodes.page.viewer import age_summary

__all__ = ["Web"]


class WebOptions(PictureOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `web`."""

    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one, a new one after a restart.")] = (
        8787
    )


class Web(HttpSink[PageServer]):
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
        options = self.options
        bound = bind(options.listen, options.port)
        self._url = page_url(options.listen, bound.getsockname()[1], options.token)
        self._server = PageServer(
            bound,
            token=options.token,
            name=self.context.name,
            clock=self.context.clock,
            grey=GreyScale(options.white),
            connect=self._connect if self.context.control else None,
            max_fps=options.max_fps,
            quality=options.quality,
        )
        self._server.start()
        self.context.log.info("page: %s", self._url)

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

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new pace or quality."""
        desk = self._running().desk
        desk.max_fps, desk.quality = self.options.max_fps, self.options.quality

    def command(self, name: str, arguments: dict[str, Any]) -> None:
        """Carry out ``auto_level``."""
        if name != "auto_level":
            raise ControlError(f"{self.context.name} takes no command {name!r}; it takes auto_level")
        self._running().desk.retake_level()

    def flush(self) -> None:
        """Show that the stream has ended; the last picture stays."""
        self._running().end()

    def status(self) -> dict[str, Any]:
        """Where the page is, who looks at it, and how old the pictures were that they saw."""
        server = self._running()
        return {
            "url": self._url,
            "pictures_encoded": server.desk.encoded,
            "age_ms": age_summary(server.desk.ages),
            "viewers": [viewer.status() for viewer in tuple(server.viewers)],
        }
