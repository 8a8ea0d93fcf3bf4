"""Turn a checked pipeline into one plan for each process of a host."""

from pathlib import Path
from typing import Any

import msgspec

from engine.exceptions import EngineError, PipelineError
from engine.graph import Edge, NodeSpec
from engine.node import Sink, Source, steered_options
from engine.pipeline import Pipeline
from engine.rundir import RunDirectory
from engine.spawn_plan import SpawnPlan

__all__ = ["Planner"]


class Planner:
    """Knows which processes a host runs, and what each has to be told.

    Parameters
    ----------
    pipeline : Pipeline
        The checked pipeline.
    host : str or None
        Which of the hosts that the pipeline names this is.

    Raises
    ------
    PipelineError
        If the host does not fit the pipeline, a link between hosts has no tcp endpoint, or a node of this host
        refuses its options.
    """

    def __init__(self, pipeline: Pipeline, host: str | None) -> None:
        self.pipeline, self._graph = pipeline, pipeline.graph
        nodes = self._graph.nodes
        hosts = sorted({spec.host for spec in nodes.values() if spec.host})
        if hosts and host not in hosts:
            raise PipelineError(
                f"the pipeline spans the hosts {', '.join(hosts)}; say which one this is: --host {hosts[0]}"
            )
        if host and not hosts:
            raise PipelineError(f"--host {host}: no node of the pipeline names a host")
        self._local = {name for name, spec in nodes.items() if not hosts or spec.host == host}
        for edge in self._graph.edges():
            self._check_crossing(edge)
        self.chains = [chain for chain in self._graph.chains if self._is_local(chain)]
        for chain in self.chains:
            for name in chain:
                self._check_steered(self.spec(name))
                _check_options(self.spec(name))

    def _is_local(self, chain: list[str]) -> bool:
        here = {name in self._local for name in chain}
        if len(here) > 1:
            raise PipelineError(f"chain {' → '.join(chain)}: its nodes are on different hosts; a chain is one process")
        return here == {True}

    def _check_crossing(self, edge: Edge) -> None:
        nodes = self._graph.nodes
        crosses = nodes[edge.source].host != nodes[edge.target].host
        if crosses and not nodes[edge.source].endpoint.startswith("tcp://"):
            raise PipelineError(
                f"nodes.{edge.source}.endpoint: {edge.target!r} reads it from another host; give it endpoint: tcp://ADDRESS:PORT"
            )

    def _check_steered(self, spec: NodeSpec) -> None:
        for option in steered_options(type(spec.options)):
            other = getattr(spec.options, option)
            if other is not None and other not in self._local:
                raise PipelineError(
                    f"nodes.{spec.name}.{option}: {other!r} runs on another host, and options are set within one; "
                    "give both the same host"
                )

    def spec(self, name: str) -> NodeSpec:
        """Return a node's description."""
        return self._graph.nodes[name]

    def threads(self, chain: list[str]) -> int:
        """Threads for numerical libraries in a chain's process."""
        return max(self.spec(name).threads for name in chain)

    def is_source(self, chain: list[str]) -> bool:
        """Tell whether a process makes messages of its own."""
        return issubclass(self.spec(chain[0]).node_type, Source)

    def is_sink(self, chain: list[str]) -> bool:
        """Tell whether nobody reads from a process."""
        return issubclass(self.spec(chain[-1]).node_type, Sink) and not self.consumers(chain)

    def abroad(self, chain: list[str]) -> list[str]:
        """Nodes of other hosts that a process reads from."""
        return [name for name in self.producers(chain) if name not in self._local]

    def reads_abroad(self, chain: list[str]) -> bool:
        """Tell whether a process reads from other hosts alone."""
        return bool(self.producers(chain)) and self.abroad(chain) == self.producers(chain)

    def consumers(self, chain: list[str]) -> list[Edge]:
        """Links from a process to other processes."""
        return [edge for name in chain for edge in self._graph.consumers(name) if edge.target not in chain]

    def local_links(self) -> list[Edge]:
        """Links between two processes of this host."""
        return [edge for chain in self.chains for edge in self.consumers(chain) if edge.target in self._local]

    def producers(self, chain: list[str]) -> list[str]:
        """Nodes that a process reads from."""
        return list(self.spec(chain[0]).inputs.values())

    def plan(self, chain: list[str], run: RunDirectory, incarnation: int, resume_steps: dict[str, int]) -> SpawnPlan:
        """Return what a process has to be told for one of its lives."""
        edges = self.consumers(chain) + [edge for edge in self._graph.edges() if edge.target == chain[0]]
        return SpawnPlan(
            pipeline=self.pipeline.name,
            members=[self._member(name) for name in chain],
            edges=[[*edge[:3], msgspec.to_builtins(edge.policy)] for edge in edges],
            outputs={name: self._endpoint(name, run) for name in chain if self._has_outlet(name, chain)},
            inputs={name: self._endpoint(name, run) for name in self.producers(chain)},
            live=self._graph.live,
            control=run.control,
            kinds=[str(self.spec(name).node_type.emits.__module__) for name in self.producers(chain)],
            folders=[str(folder) for folder in self.pipeline.folders],
            keys=str(Path(self.pipeline.keys).resolve()) if self.pipeline.keys else "",
            incarnation=incarnation,
            resume_steps=resume_steps,
        )

    def _member(self, name: str) -> dict[str, Any]:
        spec = self.spec(name)
        return {
            "name": name,
            "port": next(iter(spec.inputs), ""),
            "reference": spec.reference,
            "options": msgspec.to_builtins(spec.options),
            "wanted": sorted(self._graph.wanted[name]),
        }

    def _has_outlet(self, name: str, chain: list[str]) -> bool:
        """Tell whether a node listens: always at the end of a chain, for guests too; inside it where asked to."""
        if issubclass(self.spec(name).node_type, Sink):
            return False
        read_from_outside = any(edge.target not in chain for edge in self._graph.consumers(name))
        return name == chain[-1] or read_from_outside or bool(self.spec(name).endpoint)

    def listening(self, run: RunDirectory) -> dict[str, str]:
        """Return the endpoint of every node of this host that listens."""
        listeners = [name for chain in self.chains for name in chain if self._has_outlet(name, chain)]
        return {name: self._endpoint(name, run) for name in listeners}

    def _endpoint(self, name: str, run: RunDirectory) -> str:
        return self.spec(name).endpoint or run.endpoint(name)


def _check_options(spec: NodeSpec) -> None:
    """Run the node's own check; what it says gets the place in front."""
    user_errors: tuple[type[Exception], ...] = (EngineError, *spec.node_type.user_errors)
    try:
        spec.node_type.check(spec.options)
    except user_errors as error:
        raise PipelineError(f"nodes.{spec.name}: {error}") from None
