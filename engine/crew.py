"""The processes of a run: found by name or node, started with what they have to know, and told of each other's end."""

from typing import Any

from engine.control import ControlServer
from engine.plans import Planner
from engine.rundir import RunDirectory
from engine.worker import Phase, Worker

__all__ = ["Crew"]


class Crew:
    """All workers of this host. When something is to happen to them is the supervisor's business.

    Parameters
    ----------
    planner : Planner
        Knows which processes there are, and their plans.
    server : ControlServer
        By which commands reach them.
    run_directory : RunDirectory
        Where their endpoints are.

    Attributes
    ----------
    workers : list[Worker]
        One a process.
    by_node : dict[str, Worker]
        The process of every node.
    """

    def __init__(self, planner: Planner, server: ControlServer, run_directory: RunDirectory) -> None:
        self._planner, self._server, self._run_directory = planner, server, run_directory
        self.workers = [Worker("+".join(chain), planner.threads(chain)) for chain in planner.chains]
        self.by_node = {node: worker for worker in self.workers for node in worker.nodes}
        self._by_name = {worker.name: worker for worker in self.workers}

    def named(self, name: str) -> Worker | None:
        """Return the worker of this name, if there is one."""
        return self._by_name.get(name)

    @property
    def left(self) -> list[Worker]:
        """Workers that have not ended for good."""
        return [worker for worker in self.workers if not worker.ended]

    @property
    def failed(self) -> bool:
        """True if one of them was given up."""
        return any(worker.phase is Phase.FAILED for worker in self.workers)

    @property
    def hopeless(self) -> set[str]:
        """Nodes that have met what no restart can cure."""
        return {node for worker in self.workers if worker.hopeless for node in worker.nodes}

    def is_spared(self, worker: Worker) -> bool:
        """Tell whether the others can go on without it: a sink beside which another one is left."""
        others = [other for other in self.left if other is not worker]
        return self._planner.is_sink(worker.nodes) and any(self._planner.is_sink(other.nodes) for other in others)

    def spawn(self, worker: Worker) -> None:
        """Start a worker's next life.

        Raises
        ------
        OSError
            If the machine has no process to give.
        """
        incarnation = worker.incarnation + 1
        steps = self._resume_steps(worker) if incarnation else {}
        worker.spawn(self._planner.plan(worker.nodes, self._run_directory, incarnation, steps))

    def _resume_steps(self, worker: Worker) -> dict[str, int]:
        """Last step that all consumers of a restarted source are known to have had: it goes on there."""
        steps = [
            member.step
            for edge in self._planner.consumers(worker.nodes)
            if edge.target in self.by_node
            for member in self.by_node[edge.target].whole_report.members
            if member.name == edge.target and member.step >= 0
        ]
        return {worker.nodes[0]: min(steps)} if steps else {}

    def start(self, worker: Worker) -> None:
        """Let a worker that is ready begin, without those that have ended meanwhile."""
        gone = {node: other.phase is Phase.FAILED for node, other in self.by_node.items() if other.ended}
        self._command(worker, "start", gone=gone)
        worker.phase = Phase.RUNNING

    def stop(self) -> None:
        """End the sources and what comes from other hosts; everything else ends when its inputs have."""
        for worker in self.workers:
            ready, source = worker.phase is Phase.READY, self._planner.is_source(worker.nodes)
            abroad = self._planner.abroad(worker.nodes)
            if (source or abroad) and (ready or worker.phase is Phase.RUNNING):
                self._command(worker, "stop", abroad=abroad)
            if ready:
                self.start(worker)  # behind the stop: a source must not make a message in between
            if (source or abroad) and worker.phase is Phase.RUNNING:
                worker.phase = Phase.STOPPING
            elif (source or self._planner.reads_abroad(worker.nodes)) and worker.restart_at < float("inf"):
                self.end(worker, Phase.STOPPED, dead=True)

    def end(self, worker: Worker, phase: Phase, *, dead: bool) -> None:
        """Note that a process will not run again, and tell those that would wait for it."""
        worker.phase, worker.restart_at = phase, float("inf")
        for other in self.workers:
            for node in worker.nodes:
                self._command(other, "gone", node=node, dead=dead)

    def kill(self) -> None:
        """End all processes at once."""
        for worker in self.workers:
            worker.kill()
            worker.release()

    def _command(self, worker: Worker, what: str, **fields: Any) -> None:
        if worker.identity and not worker.ended:
            self._server.send(worker.identity, type=what, **fields)
