"""A server that has pictures to show."""

from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nodes.grey_scale import GreyScale
from nodes.http.options import PictureOptions
from nodes.http.picture_desk import PictureDesk
from nodes.http.server import HttpServer

__all__ = ["PictureServer"]


class PictureServer(HttpServer):
    """Hands pictures out while it runs; derive from it.

    Parameters
    ----------
    options : PictureOptions
        Where to listen, to whom, and how the pictures look.

    Attributes
    ----------
    desk : PictureDesk
        Where the pictures come from.
    """

    def __init__(self, options: PictureOptions) -> None:
        super().__init__(options)
        self._encoder = ThreadPoolExecutor(1, "jpeg")
        grey = GreyScale(options.white)
        self.desk = PictureDesk(self._encoder, grey, max_fps=options.max_fps, quality=options.quality)

    def close(self) -> None:
        """Send everyone away and stop."""
        super().close()
        self._encoder.shutdown()

    def _works(self) -> Iterable[Coroutine[Any, Any, None]]:
        return (self.desk.run(),)
