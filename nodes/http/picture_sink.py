"""What the sinks that show pictures over HTTP have in common."""

from typing import TypeVar

from nodes.http.picture_server import PictureServer
from nodes.http.sink import HttpSink

__all__ = ["PictureSink"]

_Server = TypeVar("_Server", bound=PictureServer)


class PictureSink(HttpSink[_Server]):
    """A sink with a server that shows pictures; derive from it, with options below `PictureOptions`."""

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over a new pace or quality."""
        desk = self._running().desk
        desk.max_fps, desk.quality = self.options.max_fps, self.options.quality

    def _invite(self, to: str) -> None:
        """Tell whoever started the run where the pictures are, with the token."""
        self.context.log.info("%s: %s", to, self._running().invitation(self._path))
