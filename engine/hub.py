"""The one thread of a process that owns its sockets; the node's own thread never touches one."""

import logging
import socket
import time
from collections.abc import Callable
from threading import Condition, Thread

import zmq

from engine.inlet import Inlet
from engine.outlet import Outlet
from engine.security import Keys

__all__ = ["Hub"]

_log = logging.getLogger(__name__)
_SIGN_OF_LIFE_S = 0.25


class Hub:
    """Moves messages between the sockets and the queues of one process.

    Attributes
    ----------
    lock : Condition
        Guards all queues and credits of the process; notified whenever something changes.
    inlets, outlets : list
        The ends of the process's links; fill them before `start`.

    Parameters
    ----------
    keys : Keys or None
        For endpoints that leave the machine.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self.lock = Condition()
        self.inlets: list[Inlet] = []
        self.outlets: list[Outlet] = []
        self._keys = keys
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._readers: dict[object, Callable[[], None]] = {}
        self._periodic: list[Callable[[], None]] = [self._keep_links_alive]
        self._after_turn: list[Callable[[], None]] = []
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._running = True
        self._thread = Thread(target=self._run, name="sockets", daemon=True)

    def open(self, outputs: dict[str, str], inputs: dict[str, str]) -> None:
        """Bind every outlet and connect every inlet.

        Parameters
        ----------
        outputs : dict of str to str
            Node of this process → endpoint that it listens at.
        inputs : dict of str to str
            Node that is read from → endpoint that it listens at.

        Raises
        ------
        LinkError
            If an endpoint cannot be bound.
        """
        for outlet in self.outlets:
            outlet.bind(self._context, outputs[outlet.name], self._keys)
            assert outlet.socket is not None
            self.watch(outlet.socket, outlet.read)
        for inlet in self.inlets:
            inlet.connect(self._context, inputs[inlet.edge.source], self._keys)
            assert inlet.socket is not None
            self.watch(inlet.socket, inlet.read)

    def dealer(self, endpoint: str) -> "zmq.Socket[bytes]":
        """Return a DEALER connected to an endpoint, for the control link."""
        dealer = self._context.socket(zmq.DEALER)
        dealer.linger = 500
        dealer.connect(endpoint)
        return dealer

    def watch(self, zmq_socket: "zmq.Socket[bytes]", reader: Callable[[], None]) -> None:
        """Call `reader` in the sockets' thread whenever there is something to read (before `start` only)."""
        self._poller.register(zmq_socket, zmq.POLLIN)
        self._readers[zmq_socket] = reader

    def every_quarter_second(self, action: Callable[[], None]) -> None:
        """Call `action` in the sockets' thread four times a second (before `start` only)."""
        self._periodic.append(action)

    def after_every_turn(self, action: Callable[[], None]) -> None:
        """Call `action` in the sockets' thread whenever it has been awake (before `start` only)."""
        self._after_turn.append(action)

    def start(self) -> None:
        """Start the thread."""
        self._poller.register(self._wake_in, zmq.POLLIN)
        self._readers[self._wake_in.fileno()] = self._drain_wakes
        self._thread.start()

    def wake(self) -> None:
        """Tell the sockets' thread that there is something to send."""
        try:
            self._wake_out.send(b"\0")
        except OSError:
            return  # a wake-up is under way already, or the thread has ended

    def _drain_wakes(self) -> None:
        try:
            while self._wake_in.recv(4096):
                continue
        except BlockingIOError:
            return

    def _run(self) -> None:
        due = time.monotonic()
        while self._running:
            timeout_ms = max(0, round((due - time.monotonic()) * 1e3))
            for ready, _ in self._poller.poll(timeout_ms):
                self._guarded(self._readers[ready])
            for inlet in self.inlets:
                inlet.grant()
            for outlet in self.outlets:
                self._guarded(outlet.pump)
            for action in self._after_turn:
                self._guarded(action)
            if time.monotonic() >= due:
                due = time.monotonic() + _SIGN_OF_LIFE_S
                for action in self._periodic:
                    self._guarded(action)
        for inlet in self.inlets:
            inlet.close()
        for outlet in self.outlets:
            outlet.close()
        for action in self._after_turn:  # what was queued since the last turn, such as the last words
            self._guarded(action)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Keep the thread alive whatever happens: without it, the node would be deaf and dumb."""
        try:
            action()
        except Exception:
            _log.exception("the sockets' thread met a fault and goes on")

    def _keep_links_alive(self) -> None:
        for inlet in self.inlets:
            inlet.grant(always=True)
        for outlet in self.outlets:
            outlet.bury_the_silent()

    def close(self) -> None:
        """Stop the thread and close every socket."""
        self._running = False
        self.wake()
        if self._thread.is_alive():
            self._thread.join(2.0)
        if self._keys is not None:
            self._keys.close()
        self._wake_in.close()
        self._wake_out.close()
        self._context.destroy(linger=500)
