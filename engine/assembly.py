"""The parts of a node's process, made from its plan: its members, and the ends of its links."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.context import Context
from engine.graph import Edge
from engine.hub import Hub
from engine.inlet import Inbox, Inlet
from engine.loop import Member
from engine.node import Source
from engine.outlet import Outlet
from engine.plugins import append_paths, find_node_type
from engine.policy import Policy
from engine.spawn_plan import SpawnPlan

__all__ = ["import_kinds", "make_members"]


def import_kinds(plan: SpawnPlan) -> None:
    """Make what the nodes upstream send known here: a sink that takes any message need not know the kinds itself."""
    append_paths([Path(folder) for folder in plan.folders])
    for module in plan.kinds:
        importlib.import_module(module)


def make_members(
    plan: SpawnPlan, hub: Hub, inbox: Inbox, *, wake: Callable[[], None], pressure: Callable[[], float]
) -> list[Member]:
    """Make the nodes of a process, first to last, and add the ends of its links to its hub.

    Parameters
    ----------
    plan : SpawnPlan
        What to make.
    hub : Hub
        Gets an inlet for every link into the first node, and an outlet for every node that is read from outside.
    inbox : Inbox
        Where the inlets put messages.
    wake : callable
        See `Context.wake`.
    pressure : callable
        See `Context.output_pressure`.
    """
    edges = [Edge(source, target, port, msgspec.convert(policy, Policy)) for source, target, port, policy in plan.edges]
    members: list[Member] = []
    for described in plan.members:
        member = _make_member(plan, described)
        member.context.wake, member.context.output_pressure = wake, pressure
        member.outlet = _make_outlet(plan, member.context.name, edges, hub)
        if members:
            members[-1].downstream = member
        members.append(member)
    head = members[0].context.name
    hub.inlets += [Inlet(edge, inbox, lock=hub.lock, wake=hub.wake) for edge in edges if edge.target == head]
    return members


def _make_member(plan: SpawnPlan, described: dict[str, Any]) -> Member:
    name = described["name"]
    node_type = find_node_type(described["reference"])
    context = Context(
        name=name,
        pipeline=plan.pipeline,
        wanted=frozenset(described["wanted"]),
        live=plan.live,
        incarnation=plan.incarnation,
        resume_step=plan.resume_steps.get(name),
        first_epoch=plan.incarnation << 20 if issubclass(node_type, Source) else 0,  # lives share no number
        control=plan.control,
    )
    return Member(node_type(msgspec.convert(described["options"], node_type.Options), context), described["port"])


def _make_outlet(plan: SpawnPlan, name: str, edges: list[Edge], hub: Hub) -> Outlet | None:
    if name not in plan.outputs:
        return None
    own = [edge for edge in edges if edge.source == name]
    outlet = Outlet(name, own, live=plan.live, lock=hub.lock, wake=hub.wake)
    hub.outlets.append(outlet)
    return outlet
