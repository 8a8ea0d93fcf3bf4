"""What a supervisor tells a process at its birth, and how it gets there: on the child's standard input."""

import struct
import sys
from typing import Any

import msgspec

__all__ = ["SpawnPlan", "read_plan", "write_plan"]


class SpawnPlan(msgspec.Struct):
    """Everything a child process needs to know, handed to it on its standard input."""

    pipeline: str
    members: list[dict[str, Any]]
    """One a node: name, port (the only one inside a chain), reference (module:Class), options, wanted."""
    edges: list[list[Any]]
    """Links that begin or end here: source, target, port, policy as a dict."""
    outputs: dict[str, str]
    inputs: dict[str, str]
    live: bool
    control: str
    folders: list[str]
    kinds: list[str]
    """Modules that define the kinds of message that arrive."""
    keys: str
    incarnation: int
    resume_steps: dict[str, int]


def write_plan(plan: SpawnPlan) -> bytes:
    """Return a plan as it goes to a child's standard input."""
    packed = msgspec.msgpack.encode(plan)
    return struct.pack("<I", len(packed)) + packed


def read_plan() -> SpawnPlan:
    """Read the plan from standard input."""
    (length,) = struct.unpack("<I", sys.stdin.buffer.read(4))
    return msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=SpawnPlan)
