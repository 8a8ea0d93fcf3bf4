"""Drive a node by hand: no sockets, no processes, no waiting."""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.clocks import Clock, ManualClock
from engine.context import Context
from engine.message import Message
from engine.node import Node, Source, Wait

__all__ = ["drive", "make_node", "produced"]


def make_node(node_type: type[Node], clock: Clock | None = None, /, **options: Any) -> Any:
    """Make and set up a node.

    Parameters
    ----------
    node_type : type[Node]
        Its class.
    clock : Clock, optional
        A `ManualClock` by default.
    **options
        As in a pipeline file, checked like there; ``context`` may hold keyword arguments for its `Context`.
    """
    surroundings = options.pop("context", {})
    context = Context(name=node_type.__name__.lower(), clock=clock or ManualClock(), **surroundings)
    node = node_type(msgspec.convert(options, node_type.Options), context)
    node.setup()
    return node


def drive(node: Any, messages: Iterable[Message], port: str = "in", *, flush: bool = True) -> list[Message]:
    """Push messages through a stage or sink; return what comes out, the flush included."""
    out: list[Message] = []
    for message in messages:
        out.extend(node.process(message, port) or ())
    if flush:
        out.extend(node.flush() or ())
    return out


def produced(source: Source, clock: ManualClock, *, limit: int = 10_000) -> list[Message]:
    """Run a source to its end, moving the clock on whenever it waits; at most `limit` messages."""
    out: list[Message] = []
    while len(out) < limit:
        made = source.produce()
        if made is None:
            break
        if isinstance(made, Wait):
            clock.advance(max(made.until - clock.now(), 1e-6))
        else:
            out.append(made)
    return out
