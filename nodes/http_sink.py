"""What the sinks that answer over HTTP have in common: where they listen, and to whom."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from engine import Live, Sink
from engine.control import ControlClient
from engine.exceptions import LinkError, PipelineError
from nodes.http_thread import HttpThread
from nodes.page.guard import bind, is_loopback

__all__ = ["HttpOptions", "HttpSink", "PictureOptions"]

_CONTROL_TIMEOUT_S = 5.0
_Server = TypeVar("_Server", bound=HttpThread)


class HttpOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of every sink that answers over HTTP."""

    listen: Annotated[
        str, Meta(min_length=1, description="Address to listen on; 0.0.0.0 for every network (needs a token).")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port; 0 takes a free one, a new one after a restart.")] = 0
    token: Annotated[
        str, Meta(max_length=128, pattern=r"^[A-Za-z0-9_-]*$", description="Secret that a visitor must know.")
    ] = ""


class PictureOptions(HttpOptions, kw_only=True, forbid_unknown_fields=True):
    """Options of those that show pictures."""

    max_fps: Annotated[float, Meta(ge=0.1, le=240, description="Pictures per second at most."), Live] = 30.0
    quality: Annotated[int, Meta(ge=1, le=100, description="Quality of the JPEGs."), Live] = 85
    white: (
        Annotated[
            float, Meta(gt=0, le=10, description="Spikes per step shown as white; null: from the first pictures.")
        ]
        | None
    ) = None


class HttpSink(Sink, Generic[_Server]):
    """A sink with a server; derive from it, with options below `HttpOptions`, and start the server in `setup`."""

    _server: _Server | None = None

    @classmethod
    def check(cls, options: Any) -> None:
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

    def close(self) -> None:
        """Send the visitors away."""
        if self._server is not None:
            self._server.close()

    def _running(self) -> _Server:
        assert self._server is not None, "setup comes first"
        return self._server

    def _connect(self) -> ControlClient:
        """Open a way to the supervisor; called in the thread that uses it."""
        return ControlClient(self.context.control, timeout_s=_CONTROL_TIMEOUT_S)
