"""`mjpeg`: motion JPEG over HTTP, for anything with a browser or a camera client."""

from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta

from engine import Policy
from nodes.http.options import PictureOptions, Port
from nodes.http.picture_sink import PictureSink
from nodes.messages import Frames
from nodes.streaming.mjpeg_server import MotionJpegServer

__all__ = ["MJPEG"]


class MJPEGOptions(PictureOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of `mjpeg`."""

    port: Port = 8080
    max_clients: Annotated[int, Meta(ge=1, le=64, description="Clients at a time; more are refused.")] = 8


class MJPEG(PictureSink[MotionJpegServer]):
    """Serve ``/stream.mjpg`` (multipart/x-mixed-replace) and ``/snapshot.jpg``; a slow client gets fewer pictures.

    Without a client nothing is encoded.
    """

    Options = MJPEGOptions
    accepts = Frames
    policy = Policy("latest", depth=1)

    _path = "stream.mjpg"

    def setup(self) -> None:
        """Open the server."""
        self._serve(MotionJpegServer(self.options, self.options.max_clients))
        self._invite("mjpeg")

    def process(self, frames: Frames, port: str) -> None:
        """Put the frames where the clients' pictures are made from."""
        server = self._running()
        server.check()
        server.desk.offer(replace(frames, raw=None))

    def status(self) -> dict[str, Any]:
        """Where the stream is (never its token), and what its clients were shown."""
        server = self._running()
        return {"url": self._url, "pictures_encoded": server.desk.encoded, **server.status()}
