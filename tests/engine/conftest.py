"""Both ends of links in one thread: what a hub does, one turn at a time."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from engine import Message, Policy, array
from engine.graph import Edge
from engine.inlet import Arrival, Inbox, Inlet
from engine.link_protocol import Grant, Hello, Tag
from engine.outlet import Outlet
from engine.statistics import OutletStatistics


@dataclass(kw_only=True, eq=False)
class Number(Message, kind="test.number"):
    values: Any = array()


@dataclass
class Ends:
    """One producer and its consumers on one endpoint."""

    context: "zmq.Context[zmq.Socket[bytes]]"
    endpoint: str = field(default_factory=lambda: f"inproc://{uuid.uuid4().hex}")
    live: bool = False
    lock: Condition = field(default_factory=Condition)
    outlet: Outlet = field(init=False)
    inlets: list[Inlet] = field(default_factory=list)
    sockets: "list[zmq.Socket[bytes]]" = field(default_factory=list)

    def produce_for(self, *edges: Edge, context: "zmq.Context[zmq.Socket[bytes]] | None" = None) -> Outlet:
        """Open a producer that knows these consumers."""
        self.outlet = Outlet("source", list(edges), live=self.live, lock=self.lock, wake=lambda: None)
        self.outlet.bind(context or self.context, self.endpoint, None)
        return self.outlet

    def consume(
        self, name: str = "sink", policy: Any = "block", port: str = "in", inbox: Inbox | None = None
    ) -> tuple[Inlet, Inbox]:
        """Open a consumer."""
        inbox = inbox or Inbox(self.lock)
        inlet = Inlet(self.edge(name, policy, port), inbox, lock=self.lock, wake=lambda: None)
        inlet.connect(self.context, self.endpoint, None)
        inlet.open()
        self.inlets.append(inlet)
        return inlet, inbox

    def dealer(self) -> "zmq.Socket[bytes]":
        """Open a consumer that says only what the test makes it say."""
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(self.endpoint)
        self.sockets.append(socket)
        return socket

    def raw_consumer(self, name: str = "guest", connection: str = "c") -> "zmq.Socket[bytes]":
        """Open a consumer by hand; it has said hello and granted nothing."""
        socket = self.dealer()
        self.say(socket, Tag.HELLO, Hello(1, name, "in", connection, "block"))
        return socket

    @staticmethod
    def say(socket: "zmq.Socket[bytes]", tag: Tag, *payload: Hello | Grant) -> None:
        socket.send_multipart([tag.value, *map(msgspec.msgpack.encode, payload)])

    @staticmethod
    def heard(socket: "zmq.Socket[bytes]") -> list[list[bytes]]:
        """Return everything that has come for a consumer made by hand."""
        parts = []
        while socket.poll(0):
            parts.append(socket.recv_multipart())
        return parts

    def turn(self, until: Callable[[], bool] | None = None) -> None:
        """Move everything that can move; over ipc, go on until a condition holds."""
        for _ in range(5 if until is None else 2000):
            if until is not None and until():
                return
            for inlet in self.inlets:
                if inlet.socket is not None and not inlet.socket.closed:
                    inlet.read()
                    inlet.grant()
            if self.outlet.socket is not None and not self.outlet.socket.closed:
                self.outlet.socket.poll(0 if until is None else 5)
                self.outlet.read()
                self.outlet.pump()
        assert until is None, "the condition did not come true"

    @staticmethod
    def edge(target: str = "sink", policy: Any = "block", port: str = "in") -> Edge:
        return Edge("source", target, port, Policy.parse(policy))

    def put(self, *steps: int, nbytes: int = 8, **fields: Any) -> None:
        """Let the producer send one message a step."""
        for step in steps:
            self.outlet.put(Number(step=step, values=np.full(nbytes // 8, step, np.int64), **fields))

    @staticmethod
    def take(inbox: Inbox) -> Arrival:
        """Take the next message and do not finish with it."""
        arrival = inbox.get(0.0)
        assert arrival is not None
        return arrival

    def values(self, inbox: Inbox) -> list[int]:
        """Take and finish with everything that comes."""
        found = []
        self.turn()
        while (arrival := inbox.get(0.0)) is not None:
            arrival.inlet.done(arrival, 0.0)
            found.append(arrival.message.step)
            self.turn()
        return found

    def sender(self) -> OutletStatistics:
        """Return the producer's half of its first link."""
        return self.outlet.statistics()[0]


@pytest.fixture
def context() -> "Iterator[zmq.Context[zmq.Socket[bytes]]]":
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def ends(context: "zmq.Context[zmq.Socket[bytes]]") -> Ends:
    return Ends(context)
