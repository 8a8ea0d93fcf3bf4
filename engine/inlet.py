"""The consumer's end of one link: a DEALER socket that grants credit for what the node can take."""

import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Any, NamedTuple

import msgspec
import zmq

from engine.envelope import WIRE_VERSION, decode
from engine.exceptions import EnvelopeError
from engine.graph import Edge
from engine.link_protocol import Grant, Hello, Tag
from engine.message import Message
from engine.security import Keys
from engine.statistics import AgeHistogram, InletStatistics

__all__ = ["Arrival", "Inbox", "Inlet"]

_log = logging.getLogger(__name__)
_WINDOW_MESSAGES = 4
_WINDOW_BYTES = 32 << 20


class Arrival(NamedTuple):
    """A message in the inbox."""

    inlet: "Inlet"
    message: Message
    nbytes: int
    connection: str
    """The connection whose credit it took."""


class Inbox:
    """What has arrived for a node on all of its ports, in order of arrival; credits bound it.

    Parameters
    ----------
    lock : Condition
        Shared with the hub; notified when something arrives.
    """

    def __init__(self, lock: Condition) -> None:
        self._lock = lock
        self._arrivals: deque[Arrival] = deque()

    def put(self, arrival: Arrival) -> None:
        """Add a message; older ones of its link that it makes void are let go (with the lock held)."""
        void = [
            old
            for old in self._arrivals
            if old.inlet is arrival.inlet and old.message.epoch < arrival.message.flush_before
        ]
        for old in void:
            self._arrivals.remove(old)
            old.inlet.flushed += 1
            old.inlet.finished(old)
        self._arrivals.append(arrival)
        self._lock.notify_all()

    def get(self, timeout_s: float) -> Arrival | None:
        """Return the next message, or None if none came within `timeout_s`."""
        with self._lock:
            if not self._arrivals:
                self._lock.wait(timeout_s)
            return self._arrivals.popleft() if self._arrivals else None

    def holds(self, inlet: "Inlet") -> bool:
        """Tell whether a message of this inlet waits here (with the lock held)."""
        return any(arrival.inlet is inlet for arrival in self._arrivals)


class Inlet:
    """Receives one link's messages.

    `open`, `done` and `note_gap` belong to the node's thread; `connect`, `read`, `grant` and `close` to the one that
    owns the sockets.

    Parameters
    ----------
    edge : Edge
        The link.
    inbox : Inbox
        Where messages go.
    lock : Condition
        Shared with the hub.
    wake : callable
        Tells the sockets' thread that there is credit to grant.
    """

    def __init__(self, edge: Edge, inbox: Inbox, *, lock: Condition, wake: Callable[[], None]) -> None:
        self.edge = edge
        self._inbox, self._lock, self._wake = inbox, lock, wake
        self._window = 0
        self._connection = ""
        self._done = self._done_bytes = 0
        self._granted_done = -1
        self._end_seen = self._refused = False
        self._epoch = self._next_step = -1
        self._received = self._bad = self._gap_steps = 0
        self.flushed = 0
        self._ages = AgeHistogram()
        self.socket: zmq.Socket[bytes] | None = None

    def connect(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, keys: Keys | None) -> None:
        """Open the socket and say hello; the producer need not be there yet."""
        socket = context.socket(zmq.DEALER)
        socket.set_hwm(0)  # credits bound what is under way
        socket.linger = 200
        socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 500
        if keys is not None and endpoint.startswith("tcp://"):
            keys.join(socket)
        socket.connect(endpoint)
        self.socket = socket
        self._hello()

    def open(self) -> None:
        """Begin to grant credit: the node is ready to take what comes, so that nothing grows old in front of it."""
        with self._lock:
            self._window = 1 if self.edge.policy.name == "latest" else _WINDOW_MESSAGES
            self._granted_done = -1
        self._wake()

    def _hello(self) -> None:
        """Open a new connection: all totals start again."""
        assert self.socket is not None
        policy = self.edge.policy
        self._connection = uuid.uuid4().hex
        with self._lock:
            self._done = self._done_bytes = 0
        hello = Hello(
            WIRE_VERSION, self.edge.target, self.edge.port, self._connection, policy.name, policy.depth, policy.buffer_s
        )
        self._say(Tag.HELLO, hello)
        self.grant(always=True)

    def _say(self, tag: Tag, *payload: Hello | Grant) -> None:
        assert self.socket is not None
        try:
            self.socket.send_multipart([tag.value, *map(msgspec.msgpack.encode, payload)], zmq.NOBLOCK)
        except zmq.Again:  # ZeroMQ has given the connection up: the two ends do not speak the same security
            if not self._refused:
                _log.error("%s: %s refuses the connection; do both have the same keys?", *reversed(self.edge[:2]))
            self._refused = True

    def grant(self, *, always: bool = False) -> None:
        """Tell the producer what it may send: on news, or as a sign of life."""
        assert self.socket is not None
        with self._lock:
            done, done_bytes, window = self._done, self._done_bytes, self._window
            if done == self._granted_done and not always:
                return
            self._granted_done = done
        grant = Grant(self._connection, done + window, done_bytes + _WINDOW_BYTES, done)
        self._say(Tag.GRANT, grant)

    def read(self) -> None:
        """Take what the producer has sent."""
        assert self.socket is not None
        while True:
            try:
                tag, *parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            text = bytes(parts[0].buffer).decode(errors="replace") if parts else ""
            match bytes(tag.buffer):
                case Tag.DATA.value:
                    self._arrive(text, [part.buffer for part in parts[1:]])
                case Tag.END.value:
                    self.end()
                case Tag.WHO.value if text == self._connection:  # later ones answer what was said before the new hello
                    self._hello()
                case Tag.REFUSED.value:
                    _log.error("%s refuses %s: %s", self.edge.source, self.edge.target, text)

    def _arrive(self, connection: str, parts: Sequence[Any]) -> None:
        nbytes = sum(len(part) for part in parts)
        try:
            message = decode(parts)
        except EnvelopeError as error:
            with self._lock:
                self._bad += 1
                bad = self._bad
                self._give_back(connection, nbytes)
            if bad & (bad - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a broken producer must not flood the log
                source, target = self.edge[:2]
                _log.warning("%s: message %d that could not be read came from %s: %s", target, bad, source, error)
            return
        with self._lock:
            self._received += 1
            self._inbox.put(Arrival(self, message, nbytes, connection))

    def end(self) -> None:
        """Note that nothing more will come."""
        with self._lock:
            self._end_seen = True
            self._lock.notify_all()

    @property
    def ended(self) -> bool:
        """True when the producer has ended the stream and everything of it has been taken."""
        with self._lock:
            return self._end_seen and not self._inbox.holds(self)

    def note_gap(self, message: Message) -> None:
        """Set `message.gap` to the steps that are missing before it on this link, whatever took them."""
        if message.epoch == self._epoch and not message.sparse:
            missing = message.step - self._next_step
            if missing >= message.hop:  # less than a hop is the grid of a hop that has changed
                message.gap = max(message.gap, missing)
        self._gap_steps += message.gap
        self._epoch, self._next_step = message.epoch, message.next_step

    def done(self, arrival: Arrival, age_s: float) -> None:
        """Note that the node has finished with a message; its credit goes back."""
        with self._lock:
            self._ages.add(age_s)
            self.finished(arrival)
        self._wake()

    def finished(self, arrival: Arrival) -> None:
        """Give back the credit of a message (with the lock held)."""
        self._give_back(arrival.connection, arrival.nbytes)

    def _give_back(self, connection: str, nbytes: int) -> None:
        if connection == self._connection:  # what a producer sent before it was restarted took none of this one's
            self._done += 1
            self._done_bytes += nbytes

    def statistics(self) -> InletStatistics:
        """Return the consumer's half of the link."""
        with self._lock:
            return InletStatistics(
                *self.edge[:3],
                policy=str(self.edge.policy),
                received=self._received,
                flushed=self.flushed,
                bad=self._bad,
                gap_steps=self._gap_steps,
                age=self._ages.statistics(),
            )

    def close(self) -> None:
        """Take leave and close the socket."""
        if self.socket is not None:
            self.grant()
            self._say(Tag.BYE)
            self.socket.close()
