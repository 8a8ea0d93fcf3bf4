"""`web`: the live page: the magnified picture beside the unmagnified one, its age, the drops and the controls."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine import Live, Policy, Sink
from engine.control import ControlClient
from engine.exceptions import ControlError, LinkError, PipelineError
from nodes.grey_scale import GreyScale
from nodes.messages import Frames
from nodes.web_guard import bind, is_loopback, page_url
from nodes.web_server import PageServer
from nodes.web_viewer import age_summary

__all__ = ["Web"]

_CONTROL_TIMEOUT_S = 5.0


class WebOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `web`."""

    listen: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every network (needs a token).")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one, a new one after a restart.")] = (
        8787
    )
    token: Annotated[
        str, Meta(max_length=128, pattern=r"^[A-Za-z0-9_-]*$", description="Secret that a visitor must know.")
    ] = ""
    max_fps: Annotated[float, Meta(ge=0.1, le=240, description="Pictures per second at most."), Live] = 30.0
    quality: Annotated[int, Meta(ge=1, le=100, description="Quality of the JPEGs."), Live] = 85
    white: (
        Annotated[
            float, Meta(gt=0, le=10, description="Spikes per step shown as white; null: from the first pictures.")
        ]
        | None
    ) = None


class Web(Sink):
    """Serve a page that shows the stream live; a slow browser gets fewer pictures, never a queue.

    Commands: ``auto_level`` takes the white level anew from the present picture.
    """

    Options = WebOptions
    accepts = Frames
    policy = Policy("latest", depth=1)

    _server: PageServer | None = None

    @classmethod
    def check(cls, options: WebOptions) -> None:
        """Refuse to listen beyond this machine without a token, and on a port that is taken."""
        if not is_loopback(options.listen) and not options.token:
            raise PipelineError(
                f"listen: {options.listen!r} is reachable from other machines, which needs a token: set token to a "
                "secret of your own, or listen on 127.0.0.1"
            )
        try:
            bind(options.listen, options.port).close()
        except LinkError as error:
            raise PipelineError(str(error)) from None

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

    def process(self, frames: Frames, port: str) -> None:
        """Put the frames where the browsers' pictures are made from."""
        server = self._running()
        server.check()
        server.desk.offer(frames)

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

    def close(self) -> None:
        """Send the browsers away."""
        if self._server is not None:
            self._server.close()

    def _running(self) -> PageServer:
        assert self._server is not None, "setup comes first"
        return self._server

    def _connect(self) -> ControlClient:
        """Open a way to the supervisor; called in the thread that uses it."""
        return ControlClient(self.context.control, timeout_s=_CONTROL_TIMEOUT_S)
