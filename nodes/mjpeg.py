"""`mjpeg`: motion JPEG over HTTP, for anything with a browser or a camera client."""

from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta

from engine import Policy
from nodes.grey_scale import GreyScale
from nodes.http_sink import HttpSink, PictureOptions
from nodes.messages import Frames
from nodes.page.guard import bind, page_url
from nodes.streaming.mjpeg_server import MotionJpegServer

__all__ = ["MJPEG"]


class MJPEGOptions(PictureOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `mjpeg`."""

    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one.")] = 8080
    max_clients: Annotated[int, Meta(ge=1, le=64, description="Clients at a time; more are refused.")] = 8


class MJPEG(HttpSink[MotionJpegServer]):
    """Serve ``/stream.mjpg`` (multipart/x-mixed-replace) and ``/snapshot.jpg``; a slow client gets fewer pictures.

    Without a client nothing is encoded.
    """

    Options = MJPEGOptions
    accepts = Frames
    policy = Policy("latest", depth=1)

    def setup(self) -> None:
        """Open the server."""
        options = self.options
        bound = bind(options.listen, options.port)
        port = bound.getsockname()[1]
        self._url = page_url(options.listen, port, "") + "stream.mjpg"
        root, ask, query = page_url(options.listen, port, options.token).partition("?")
        self._server = MotionJpegServer(
            bound,
            token=options.token,
            grey=GreyScale(options.white),
            max_fps=options.max_fps,
            quality=options.quality,
            max_clients=options.max_clients,
        )
        self._server.start()
        self.context.log.info("mjpeg: %s", f"{root}stream.mjpg{ask}{query}")

    def process(self, frames: Frames, port: str) -> None:
        """Put the frames where the clients' pictures are made from."""
        server = self._running()
        server.check()
        server.desk.offer(replace(frames, raw=None))

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new pace or quality."""
        desk = self._running().desk
        desk.max_fps, desk.quality = self.options.max_fps, self.options.quality

    def status(self) -> dict[str, Any]:
        """Where the stream is (never its token), and what its clients were shown."""
        server = self._running()
        return {"url": self._url, "pictures_encoded": server.desk.encoded, **server.status()}
