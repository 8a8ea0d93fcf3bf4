"""What a node is: the base classes below which every node type, bundled or plugged in, is written.

A node says what it accepts and emits, declares its options as a typed struct, and has up to four methods: `setup`,
`process` (`produce` for a source), `flush` and `close`. It runs in one thread of its own process, and never sees a
socket.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

import msgspec

from engine.context import Context
from engine.exceptions import ControlError
from engine.message import Message
from engine.policy import Policy

__all__ = [
    "Live",
    "NoOptions",
    "Node",
    "Sink",
    "Source",
    "Stage",
    "Wait",
    "live_options",
    "node_with",
    "steered_options",
]

Live = msgspec.Meta(extra={"live": True})
"""Marks an option that may change while the node runs: ``alpha: Annotated[float, Live] = 10``."""


def node_with(option: str) -> msgspec.Meta:
    """Mark an option that names another node, one with a live option: ``steers: Annotated[str, node_with("hop")]``."""
    return msgspec.Meta(extra={"node_with": option})


class NoOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of a node that has none."""


class Wait(NamedTuple):
    """What a source returns when nothing is due yet.

    Attributes
    ----------
    until : float
        Time of the node's clock, in seconds, at which to ask again; a command wakes it earlier.
    """

    until: float


class Node:
    """Base of all nodes; derive from `Source`, `Stage` or `Sink`.

    Attributes
    ----------
    Options : type[msgspec.Struct]
        The node's options with their types, bounds and defaults; a pipeline file's keys are checked against it.
    accepts : type[Message], dict of str to type[Message], or None
        Kind of message taken, the same on every port or by port name. None: the node takes nothing.
    optional_ports : frozenset of str
        Ports that a pipeline may leave unconnected; one port at least is connected.
    emits : type[Message] or None
        Kind of message sent. None: the node sends nothing.
    policy : Policy, dict of str to Policy, or None
        Policy of its input links where the pipeline names none, for all or by port. None, and a port that is not
        named: ``block`` in a replay, ``drop_oldest`` when live.
    user_errors : tuple of exception types
        Errors whose text is for the user and which a restart cannot cure: they end the run with that one line.
    """

    Options: ClassVar[type[msgspec.Struct]] = NoOptions
    accepts: ClassVar[type[Message] | dict[str, type[Message]] | None] = None
    optional_ports: ClassVar[frozenset[str]] = frozenset()
    emits: ClassVar[type[Message] | None] = None
    policy: ClassVar[Policy | dict[str, Policy] | None] = None
    user_errors: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, options: Any, context: Context) -> None:
        self.options = options
        self.context = context

    @classmethod
    def check(cls, options: Any) -> None:
        """Look, before anything starts, for what would make the node fail; raise an error fit for the user."""

    @classmethod
    def wants(cls, options: Any, wanted: frozenset[str]) -> frozenset[str]:
        """Return what this node asks of the nodes it reads from.

        Parameters
        ----------
        options : Options
            The node's options.
        wanted : frozenset of str
            What the nodes that read from this one ask of it, such as ``"raw"`` or ``"interval:32"``.
        """
        return frozenset()

    def setup(self) -> None:
        """Acquire what the node needs; runs in its own process, once, before the first message."""

    def reconfigure(self, changed: frozenset[str]) -> None:
        """React to live options that changed; `self.options` already holds the new values."""

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Carry out a command from the control socket; return what to answer.

        Raises
        ------
        ControlError
            If the node does not know the command, or refuses it.
        """
        raise ControlError(f"{self.context.name} takes no command {name!r}")

    def status(self) -> dict[str, Any]:
        """Return what the node shows of itself in the status, besides its counters."""
        return {}

    def close(self) -> None:
        """Release everything; runs once if `setup` has begun, also where it failed half-way."""


class Source(Node):
    """A node that makes messages.

    Attributes
    ----------
    live : bool
        True for a source that waits for nobody, like a camera.
    """

    live: ClassVar[bool] = False

    @classmethod
    def is_live(cls, options: Any) -> bool:
        """Tell whether the source waits for nobody; override it where an option decides that."""
        return cls.live

    def produce(self) -> Message | Wait | None:
        """Return the next message, when to ask again, or None at the end of the stream. Never sleeps."""
        raise NotImplementedError


class Stage(Node):
    """A node that turns messages into messages."""

    def process(self, message: Any, port: str) -> Iterable[Message] | None:
        """Take one message; return those that it brings forth."""
        raise NotImplementedError

    def idle(self) -> Iterable[Message] | None:
        """Return what is due by the clock; called some 20 times a second, whether messages come or not."""
        return None

    def flush(self) -> Iterable[Message] | None:
        """Return what is still held back; the stream has ended."""
        return None


class Sink(Node):
    """A node that takes messages and sends none."""

    def process(self, message: Any, port: str) -> None:
        """Take one message."""
        raise NotImplementedError

    def flush(self) -> None:
        """Finish what is still open; the stream has ended."""


def live_options(options: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the options that may change while the node runs."""
    return frozenset(_marked(options, "live"))


def steered_options(options: type[msgspec.Struct]) -> dict[str, str]:
    """Options that name another node → the live option that the other must have."""
    return _marked(options, "node_with")


def _marked(options: type[msgspec.Struct], key: str) -> dict[str, Any]:
    """Options whose type has a mark of this key → what it says."""
    return {
        spec.name: meta.extra[key]
        for spec in msgspec.structs.fields(options)
        for meta in getattr(spec.type, "__metadata__", ())
        if isinstance(meta, msgspec.Meta) and meta.extra and key in meta.extra
    }
