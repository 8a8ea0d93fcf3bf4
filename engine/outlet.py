"""The producer's end of its links: one ROUTER socket, and a bounded queue with credits for each consumer."""

import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Any

import zmq

from engine.consumer import Consumer
from engine.envelope import WIRE_VERSION, encode
from engine.exceptions import EnvelopeError, LinkError, PipelineError
from engine.graph import Edge
from engine.link_protocol import Hello, Tag, read_grant, read_hello
from engine.message import Message
from engine.policy import Policy
from engine.queues import OutboundQueue, Parcel
from engine.security import Keys
from engine.statistics import OutletStatistics

__all__ = ["Outlet"]

_log = logging.getLogger(__name__)
_SILENCE_S = 10.0
_GUESTS_LIMIT = 16
_TURNED_AWAY_LIMIT = 64
_ZERO_COPY_BYTES = 64 * 1024


class Outlet:
    """Sends one node's messages to all of its consumers.

    `put`, `wait_for_room` and `end` belong to the node's thread; `bind`, `read`, `pump` and `close` to the thread
    that owns the sockets; both hold `lock`.

    Parameters
    ----------
    name : str
        The node that sends.
    edges : list[Edge]
        The consumers that the pipeline names: nothing is lost before they are there. Others may join as guests.
    live : bool
        True if the stream waits for nobody.
    lock : Condition
        Shared with the hub; notified whenever room or the state changes.
    wake : callable
        Tells the sockets' thread that there is something to send.
    """

    def __init__(self, name: str, edges: list[Edge], *, live: bool, lock: Condition, wake: Callable[[], None]) -> None:
        self.name = name
        self._live, self._lock, self._wake = live, lock, wake
        self._consumers = [Consumer(edge, OutboundQueue(edge.policy, live=live), guest=False) for edge in edges]
        self._by_identity: dict[bytes, Consumer] = {}
        self._turned_away: deque[bytes] = deque(maxlen=_TURNED_AWAY_LIMIT)  # what else they say is not answered
        self._ended = False
        self.socket: zmq.Socket[bytes] | None = None

    def put(self, message: Message) -> None:
        """Queue a message for every consumer; it must not change from here on.

        On a `block` link of a replay, `wait_for_room` first.
        """
        with self._lock:
            if not self._consumers:
                return
        parts = encode(message)
        nbytes = sum(len(part) if isinstance(part, bytes) else part.nbytes for part in parts)
        seconds = message.count * message.hop / message.rate_hz if message.rate_hz else 0.0
        parcel = Parcel(parts, nbytes, message.epoch, message.flush_before, seconds, time.monotonic())
        with self._lock:
            for consumer in self._consumers:
                if consumer.identity or not consumer.guest:
                    consumer.queue.offer(parcel)
        self._wake()

    def flush(self, epoch: int) -> None:
        """Let go of everything queued that is older than `epoch`."""
        with self._lock:
            for consumer in self._consumers:
                consumer.queue.flush(epoch)

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until no `block` queue of a replay is full; return False if `timeout_s` was not enough."""
        with self._lock:
            full = [consumer for consumer in self._consumers if consumer.queue.full]
            if not full:
                return True
            start = time.monotonic()
            self._lock.wait(timeout_s)
            waited = time.monotonic() - start
            for consumer in full:
                consumer.blocked_s += waited
            return not any(consumer.queue.full for consumer in self._consumers)

    def end(self) -> None:
        """Tell every consumer, behind the last message, that nothing follows."""
        with self._lock:
            self._ended = True
        self._wake()

    @property
    def drained(self) -> bool:
        """True when every consumer has finished with everything and knows that the stream has ended."""
        with self._lock:
            return all(consumer.drained for consumer in self._consumers)

    def pressure(self) -> float:
        """Return how full the fullest `drop_oldest` queue is, from 0 to 1."""
        with self._lock:
            here = [consumer for consumer in self._consumers if consumer.granted.messages]  # others want nothing yet
            return max((consumer.queue.pressure for consumer in here), default=0.0)

    def forget(self, target: str, *, dead: bool) -> None:
        """Wait for a consumer no longer: it will not come back. One that is not dead may still be taking its leave."""
        with self._lock:
            for consumer in [consumer for consumer in self._consumers if consumer.edge.target == target]:
                consumer.guest = True
                if dead or not consumer.identity:
                    self._leave(consumer)
            self._lock.notify_all()

    def abandon(self) -> None:
        """Count what is still queued or under way as lost: the process is about to end."""
        with self._lock:
            for consumer in self._consumers:
                consumer.disconnect()
                consumer.lost += consumer.queue.clear()

    def statistics(self) -> list[OutletStatistics]:
        """Return the producer's half of every link."""
        with self._lock:
            return [consumer.statistics() for consumer in self._consumers]

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, keys: Keys | None) -> None:
        """Open the socket.

        Raises
        ------
        LinkError
            If the endpoint cannot be bound.
        """
        socket = context.socket(zmq.ROUTER)
        socket.set_hwm(0)  # credits bound what is under way; a second limit would only drop in silence
        socket.linger = 0
        socket.router_handover = True
        if keys is not None and endpoint.startswith("tcp://"):
            keys.serve(socket)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise LinkError(
                f"{self.name}: cannot listen at {endpoint}: {zmq.strerror(error.errno or 0)}; choose another"
            ) from None
        self.socket = socket

    def read(self) -> None:
        """Take what consumers have said."""
        assert self.socket is not None
        while True:
            try:
                identity, *parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                with self._lock:
                    self._hear(identity, parts)
            except (EnvelopeError, PipelineError, ValueError) as error:
                if parts[:1] == [Tag.HELLO.value]:
                    self._turned_away.append(identity)
                _log.warning("%s: a consumer sent nonsense: %s", self.name, error)
                self._send(identity, [Tag.REFUSED.value, str(error).encode()])

    def _hear(self, identity: bytes, parts: list[bytes]) -> None:
        tag, payload = Tag(parts[0] if parts else b""), parts[1] if len(parts) > 1 else b""
        consumer = self._by_identity.get(identity)
        if tag is Tag.HELLO:
            self._welcome(identity, read_hello(payload))
        elif tag is Tag.GRANT and consumer is None and identity not in self._turned_away:
            self._send(identity, [Tag.WHO.value, read_grant(payload).connection.encode()])
        elif tag is Tag.GRANT and consumer is not None:
            consumer.credit(read_grant(payload), time.monotonic())
        elif tag is Tag.BYE and consumer is not None:
            self._leave(consumer)
        self._lock.notify_all()

    def _welcome(self, identity: bytes, hello: Hello) -> None:
        if hello.version != WIRE_VERSION:
            raise EnvelopeError(f"{hello.node} speaks version {hello.version}, this end {WIRE_VERSION}")
        policy = hello.chosen_policy()
        consumer = self._known(hello) or self._admit(hello, policy)
        self._by_identity.pop(consumer.identity, None)
        consumer.connect(identity, hello.connection, time.monotonic())
        self._by_identity[identity] = consumer

    def _known(self, hello: Hello) -> Consumer | None:
        for consumer in self._consumers:
            if (consumer.edge.target, consumer.edge.port) == (hello.node, hello.port):
                return consumer
        return None

    def _admit(self, hello: Hello, policy: Policy) -> Consumer:
        """Let a consumer join that the pipeline does not name."""
        if sum(consumer.guest for consumer in self._consumers) >= _GUESTS_LIMIT:
            raise EnvelopeError(f"{hello.node}: {_GUESTS_LIMIT} guests have been here already; restart the run")
        queue = OutboundQueue(policy, live=self._live)
        consumer = Consumer(Edge(self.name, hello.node, hello.port, policy), queue, guest=True)
        self._consumers.append(consumer)
        return consumer

    def _leave(self, consumer: Consumer) -> None:
        self._by_identity.pop(consumer.identity, None)
        consumer.leave()

    def pump(self) -> None:
        """Send whatever there is credit for."""
        with self._lock:
            for consumer in self._consumers:
                if consumer.identity:
                    self._pump(consumer)
            self._lock.notify_all()

    def _pump(self, consumer: Consumer) -> None:
        while (parcel := consumer.queue.peek()) is not None and consumer.may_send(parcel):
            consumer.take()
            self._send(consumer.identity, [Tag.DATA.value, consumer.connection.encode(), *parcel.parts])
        if self._ended and not consumer.queue and not consumer.end_sent:
            consumer.end_sent = True
            self._send(consumer.identity, [Tag.END.value])

    def _send(self, identity: bytes, parts: list[Any]) -> None:
        assert self.socket is not None
        self.socket.send_multipart([identity, *parts], copy=False, copy_threshold=_ZERO_COPY_BYTES)

    def bury_the_silent(self) -> None:
        """End connections that have given no sign of life for 10 s."""
        with self._lock:
            for consumer in list(self._consumers):
                if consumer.identity and time.monotonic() - consumer.last_heard > _SILENCE_S:
                    _log.warning(
                        "%s: %s is silent for %g s and counts as gone", self.name, consumer.edge.target, _SILENCE_S
                    )
                    self._leave(consumer)

    def close(self) -> None:
        """Close the socket."""
        if self.socket is not None:
            self.socket.close()
