"""A child's line to its supervisor: commands come in, reports and answers go out."""

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Any

import msgspec
import zmq

__all__ = ["ControlLink", "ForwardingHandler"]


class ControlLink:
    """Queues between the node's thread and the sockets' thread.

    Parameters
    ----------
    socket : zmq.Socket
        A DEALER connected to the supervisor; read and written in the sockets' thread alone.
    lock : Condition
        Shared with the hub; notified when a command comes.
    wake : callable
        Tells the sockets' thread that there is something to send.
    process : str
        Name of this process.
    incarnation : int
        Which of its lives this is.
    """

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        *,
        lock: Condition,
        wake: Callable[[], None],
        process: str,
        incarnation: int,
    ) -> None:
        self._socket, self._lock, self._wake = socket, lock, wake
        self._stamp = {"process": process, "incarnation": incarnation}
        self._commands: deque[dict[str, Any]] = deque()
        self._outgoing: deque[dict[str, Any]] = deque(maxlen=1000)

    def send(self, what: str, **fields: Any) -> None:
        """Queue a message for the supervisor (any thread)."""
        self._outgoing.append({"type": what, **self._stamp, **fields})
        self._wake()

    def take_command(self) -> dict[str, Any] | None:
        """Return the next command, if there is one (the node's thread)."""
        with self._lock:
            return self._commands.popleft() if self._commands else None

    @property
    def has_command(self) -> bool:
        """True while a command waits (with the lock held)."""
        return bool(self._commands)

    def read(self) -> None:
        """Take what the supervisor has sent (the sockets' thread)."""
        while True:
            try:
                packed = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            with self._lock:
                self._commands.append(msgspec.msgpack.decode(packed))
                self._lock.notify_all()

    def pump(self) -> None:
        """Send what is queued (the sockets' thread); a supervisor that does not listen must not hold up the links."""
        while self._outgoing:
            message = self._outgoing.popleft()
            try:
                self._socket.send(msgspec.msgpack.encode(message), zmq.NOBLOCK)
            except zmq.Again:
                self._outgoing.appendleft(message)
                return


class ForwardingHandler(logging.Handler):
    """Sends warnings and errors of this process to the supervisor's terminal."""

    def __init__(self, link: ControlLink) -> None:
        super().__init__(logging.INFO)
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        self._link.send("log", level=record.levelname, text=self.format(record))
