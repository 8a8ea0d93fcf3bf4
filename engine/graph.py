"""The graph of a pipeline: who reads from whom, checked before anything starts."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

import msgspec

from engine.exceptions import PipelineError
from engine.message import Message
from engine.nearest import nearest
from engine.node import Node, Source, live_options, steered_options
from engine.policy import Policy

__all__ = ["Edge", "Graph", "NodeSpec"]

_LOOPBACK = ("tcp://127.", "tcp://localhost:", "tcp://[::1]:", "ipc://", "inproc://")


class NodeSpec(msgspec.Struct):
    """One node as its pipeline file describes it."""

    name: str
    node_type: type[Node]
    reference: str
    options: msgspec.Struct
    inputs: dict[str, str]
    policy: Policy | dict[str, Policy] | None = None
    host: str = ""
    endpoint: str = ""
    threads: int = 1

    def policy_at(self, port: str, fallback: Policy) -> Policy:
        """Policy of the link that ends at a port."""
        policy = self.policy.get(port) if isinstance(self.policy, dict) else self.policy
        return policy or fallback

    @property
    def leaves_the_machine(self) -> bool:
        """True if its output listens beyond loopback."""
        return bool(self.endpoint) and not self.endpoint.startswith(_LOOPBACK)


class Edge(NamedTuple):
    """One link: `target`'s `port` reads from `source`."""

    source: str
    target: str
    port: str
    policy: Policy


class Graph(msgspec.Struct):
    """A checked graph.

    Attributes
    ----------
    nodes : dict[str, NodeSpec]
        By name, every node after those it reads from.
    chains : list[list[str]]
        Every node once, grouped by the process that runs it.
    wanted : dict[str, frozenset[str]]
        What each node's consumers ask of it.
    live : bool
        True if a source of the graph waits for nobody.
    """

    nodes: dict[str, NodeSpec]
    chains: list[list[str]]
    wanted: dict[str, frozenset[str]]
    live: bool

    @classmethod
    def build(cls, specs: list[NodeSpec], chains: list[list[str]]) -> "Graph":
        """Check and order the nodes.

        Raises
        ------
        PipelineError
            If an input is missing or does not fit, an option names a node that is not there or does not fit, the links
            form a cycle, or a chain is not one.
        """
        by_name = {spec.name: spec for spec in specs}
        for spec in specs:
            _check_inputs(spec, by_name)
            _check_steered(spec, by_name)
        ordered = {name: by_name[name] for name in _order(by_name)}
        for spec in ordered.values():
            _check_kinds(spec, by_name)
        live = any(issubclass(spec.node_type, Source) and spec.node_type.is_live(spec.options) for spec in specs)
        return cls(ordered, _check_chains(chains, ordered), _wanted(ordered), live)

    def edges(self) -> Iterator[Edge]:
        """Every link with its policy."""
        fallback = Policy.parse("drop_oldest") if self.live else Policy.parse("block")
        for spec in self.nodes.values():
            for port, source in spec.inputs.items():
                yield Edge(source, spec.name, port, spec.policy_at(port, fallback))

    def consumers(self, name: str) -> list[Edge]:
        """Return the links that read from a node."""
        return [edge for edge in self.edges() if edge.source == name]


def _check_inputs(spec: NodeSpec, by_name: dict[str, NodeSpec]) -> None:
    place = f"nodes.{spec.name}.inputs"
    if issubclass(spec.node_type, Source):
        if spec.inputs:
            raise PipelineError(f"{place}: {spec.node_type.__name__} is a source and reads from nobody")
        return
    if not spec.inputs:
        raise PipelineError(f"{place}: missing; name the node that {spec.name!r} reads from")
    for source in spec.inputs.values():
        if source not in by_name:
            raise PipelineError(f"{place}: no node {source!r}; {nearest(source, by_name)}")


def _check_steered(spec: NodeSpec, by_name: dict[str, NodeSpec]) -> None:
    """Check the options that name another node."""
    for option, live in steered_options(type(spec.options)).items():
        name = getattr(spec.options, option)
        fitting = [other.name for other in by_name.values() if live in live_options(type(other.options))]
        if name is None or name in fitting:
            continue
        why = f"{name!r} has no live option {live}" if name in by_name else f"no node {name!r}"
        hint = nearest(name, fitting) if fitting else f"no node of this pipeline has a live option {live}"
        raise PipelineError(f"nodes.{spec.name}.{option}: {why}; {hint}")


def _order(by_name: dict[str, NodeSpec]) -> list[str]:
    try:
        return list(TopologicalSorter({spec.name: spec.inputs.values() for spec in by_name.values()}).static_order())
    except CycleError as error:
        raise PipelineError(f"nodes: links form a cycle: {' → '.join(reversed(error.args[1]))}") from None


def _check_kinds(spec: NodeSpec, by_name: dict[str, NodeSpec]) -> None:
    accepts = spec.node_type.accepts
    if isinstance(accepts, dict):
        if list(spec.inputs) == ["in"]:
            spec.inputs = {_port_for(by_name[spec.inputs["in"]].node_type, accepts): spec.inputs["in"]}
        _check_ports(spec, accepts)
    for port, source in spec.inputs.items():
        wanted = accepts[port] if isinstance(accepts, dict) else accepts
        _check_kind(spec, source, by_name[source].node_type.emits, wanted)


def _port_for(source: type[Node], accepts: dict[str, type[Message]]) -> str:
    """Find the port that ``inputs: name`` means: the first that takes what the source sends."""
    fitting = (port for port, kind in accepts.items() if source.emits and issubclass(source.emits, kind))
    return next(fitting, next(iter(accepts)))


def _check_ports(spec: NodeSpec, accepts: dict[str, type[Message]]) -> None:
    unknown, missing = spec.inputs.keys() - accepts, accepts.keys() - spec.inputs - spec.node_type.optional_ports
    if not unknown and not missing:
        return
    has = ", ".join(f"{port} (optional)" if port in spec.node_type.optional_ports else port for port in accepts)
    raise PipelineError(
        f"nodes.{spec.name}.inputs: ports {', '.join(spec.inputs)}; {spec.node_type.__name__} has {has}"
    )


def _check_kind(spec: NodeSpec, source: str, emits: type[Message] | None, wanted: type[Message] | None) -> None:
    place = f"nodes.{spec.name}.inputs"
    if emits is None:
        raise PipelineError(f"{place}: {source!r} is a sink and sends nothing")
    if wanted is None or not issubclass(emits, wanted):
        takes = wanted.kind or "any message" if wanted else "nothing"
        raise PipelineError(f"{place}: {source!r} sends {emits.kind}, {spec.name!r} takes {takes}")


def _check_chains(chains: list[list[str]], nodes: dict[str, NodeSpec]) -> list[list[str]]:
    """Return the chains, completed by one of its own for every other node."""
    chained = [name for chain in chains for name in chain]
    for name in chained:
        if name not in nodes:
            raise PipelineError(f"chain: no node {name!r}; {nearest(name, nodes)}")
        if chained.count(name) > 1:
            raise PipelineError(f"chain: {name!r} is there twice; a node runs in one process")
    for chain in chains:
        for upstream, downstream in pairwise(chain):
            if list(nodes[downstream].inputs.values()) != [upstream]:
                raise PipelineError(
                    f"chain: {downstream!r} does not read from {upstream!r} alone; chain neighbours only"
                )
    heads = {chain[0]: chain for chain in chains if chain}
    return [heads.get(name, [name]) for name in nodes if name in heads or name not in chained]


def _wanted(nodes: dict[str, NodeSpec]) -> dict[str, frozenset[str]]:
    """Ask every node, last first, what it wants of those it reads from."""
    wanted: dict[str, frozenset[str]] = dict.fromkeys(nodes, frozenset())
    for spec in reversed(nodes.values()):
        asked = spec.node_type.wants(spec.options, wanted[spec.name])
        for source in spec.inputs.values():
            wanted[source] |= asked
    return wanted
