"""The control socket of a running pipeline, from both sides.

A client sends ``{"id", "request", …}`` and gets ``{"id", "ok", "result" | "error"}``; both are msgpack.
"""

import itertools
import time
from types import TracebackType
from typing import Any, Self

import msgspec
import zmq

from engine.exceptions import ControlError, LinkError
from engine.rundir import RunningPipeline, find_run, running_pipelines

__all__ = ["ControlClient", "ControlServer", "RunningPipeline", "find_run", "running_pipelines"]


class ControlClient:
    """Talks to one running pipeline; use it from one thread.

    Parameters
    ----------
    endpoint : str
        As `running_pipelines` or a node's context tells.
    timeout_s : float
        How long to wait for an answer.
    """

    def __init__(self, endpoint: str, timeout_s: float = 5.0) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.connect(endpoint)
        self._timeout_s = timeout_s
        self._ids = itertools.count(1)

    def request(self, request: str, **arguments: Any) -> Any:
        """Send a request and return its result.

        Raises
        ------
        ControlError
            If it is refused, or no answer comes in time.
        """
        number = next(self._ids)
        self._socket.send(msgspec.msgpack.encode({"id": number, "request": request, **arguments}))
        deadline = time.monotonic() + self._timeout_s
        while self._socket.poll(max(0, round((deadline - time.monotonic()) * 1e3))):
            answer = msgspec.msgpack.decode(self._socket.recv())
            if answer["id"] != number:
                continue  # a late answer to a request that was given up
            if not answer["ok"]:
                raise ControlError(answer["error"])
            return answer["result"]
        raise ControlError(f"no answer to {request!r} within {self._timeout_s:g} s; is the pipeline still running?")

    def close(self) -> None:
        """Close the connection."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()


class ControlServer:
    """The supervisor's side: one socket for its children and for clients.

    Parameters
    ----------
    endpoint : str
        Where to listen.

    Raises
    ------
    LinkError
        If it cannot be bound.
    """

    def __init__(self, endpoint: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 500
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise LinkError(f"control socket {endpoint}: {zmq.strerror(error.errno or 0)}") from None

    def receive(self, timeout_s: float) -> list[tuple[bytes, dict[str, Any]]]:
        """Return every message that is there, waiting at most `timeout_s` for the first: (identity, message)."""
        messages = []
        ready = self._socket.poll(round(timeout_s * 1e3))
        while ready:
            identity, packed = self._socket.recv_multipart()[:2]
            try:
                message = msgspec.msgpack.decode(packed)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                message = None
            if isinstance(message, dict):
                messages.append((identity, message))
            ready = self._socket.poll(0)
        return messages

    def send(self, identity: bytes, **message: Any) -> None:
        """Send a message; one to somebody who has gone is dropped."""
        self._socket.send_multipart([identity, msgspec.msgpack.encode(message)])

    def answer(self, identity: bytes, number: Any, *, result: Any = None, error: str | None = None) -> None:
        """Answer a client's request."""
        outcome = {"ok": True, "result": result} if error is None else {"ok": False, "error": error}
        self.send(identity, id=number, **outcome)

    def close(self) -> None:
        """Close the socket."""
        self._context.destroy(linger=500)
