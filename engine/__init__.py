"""The streaming runtime: messages, links, clocks, nodes and their supervisor. It knows nothing of spikes."""

from engine.context import Context
from engine.message import Message, array, array_map
from engine.node import Live, Node, NoOptions, Sink, Source, Stage, Wait, node_with
from engine.policy import Policy

__all__ = [
    "Context",
    "Live",
    "Message",
    "NoOptions",
    "Node",
    "Policy",
    "Sink",
    "Source",
    "Stage",
    "Wait",
    "array",
    "array_map",
    "node_with",
]
