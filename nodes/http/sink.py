"""What the sinks that answer over HTTP have in common: a server, which starts and ends with the node."""

from typing import ClassVar, Generic, TypeVar

from engine import Sink
from engine.control import ControlClient
from engine.exceptions import PipelineError
from nodes.http.listen import is_loopback, require_free
from nodes.http.options import HttpOptions
from nodes.http.server import HttpServer
from spikemm.exceptions import SpikeMMError

__all__ = ["HttpSink"]

_CONTROL_TIMEOUT_S = 5.0
_Server = TypeVar("_Server", bound=HttpServer)


class HttpSink(Sink, Generic[_Server]):
    """A sink with a server; derive from it, with options below `HttpOptions`, and `_serve` in `setup`."""

    user_errors = (SpikeMMError,)

    _path: ClassVar[str] = ""
    """What of the server a visitor opens."""
    _server: _Server | None = None

    @classmethod
    def check(cls, options: HttpOptions) -> None:
        """Refuse to listen beyond this machine without a token, and on a port that is taken."""
        if not options.secret() and not is_loopback(options.listen):
            raise PipelineError(
                f"listen: {options.listen!r} is reachable from other machines, which needs a token: set token to "
                "env:NAME or file:PATH, which holds a secret of your own, or listen on 127.0.0.1"
            )
        require_free(options.listen, options.port)

    def close(self) -> None:
        """Send the visitors away."""
        if self._server is not None:
            self._server.close()

    def _serve(self, server: _Server) -> None:
        """Start the server."""
        self._server = server
        server.start()

    def _running(self) -> _Server:
        assert self._server is not None, "setup comes first"
        return self._server

    @property
    def _url(self) -> str:
        """Where it is, without the token: for the status."""
        return self._running().address + self._path

    def _connect(self) -> ControlClient:
        """Open a way to the supervisor; called in the thread that uses it."""
        return ControlClient(self.context.control, timeout_s=_CONTROL_TIMEOUT_S)
