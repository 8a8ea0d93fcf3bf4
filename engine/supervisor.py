"""The supervisor: starts a pipeline's processes, watches them, restarts them, and ends them in good order."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from engine.control import ControlServer
from engine.pipeline import Pipeline
from engine.plans import Planner
from engine.rundir import RunDirectory
from engine.summary import exit_status, status_table
from engine.telemetry import ProcessReport
from engine.worker import Failure, Phase, Worker

__all__ = ["Event", "Supervisor"]

_STARTUP_LIMIT_S = 120.0
_HANG_LIMIT_S = 30.0
_DRAIN_LIMIT_S = 35.0
_PROBLEMS_LIMIT = 200


class Event(NamedTuple):
    """Something that the user should hear of."""

    level: str
    """``info``, ``warning`` or ``error``."""
    node: str
    """The node or process it is about; empty for the run itself."""
    text: str


class Supervisor:
    """Runs one pipeline on this host.

    Parameters
    ----------
    pipeline : Pipeline
        As `engine.pipeline.load_pipeline` returns it.
    host : str, optional
        Which of the pipeline's hosts this is.
    on_event : callable, optional
        Called with every `Event`, in the thread that runs.

    Raises
    ------
    PipelineError
        If the host does not fit the pipeline.
    """

    def __init__(
        self, pipeline: Pipeline, host: str | None = None, on_event: Callable[[Event], None] | None = None
    ) -> None:
        self._planner = Planner(pipeline, host)
        self._on_event = on_event or (lambda event: None)
        self._name, self._live = pipeline.name, pipeline.graph.live
        self._workers = {
            "+".join(chain): Worker("+".join(chain), self._planner.threads(chain)) for chain in self._planner.chains
        }
        self._by_node = {node: worker for worker in self._workers.values() for node in worker.nodes}
        self.phase = Phase.STARTING
        self._problems: deque[str] = deque(maxlen=_PROBLEMS_LIMIT)
        self._started_wall, self._started = time.time(), time.monotonic()
        self._running_since = self._stopping_since = float("inf")
        self._signals = 0
        self._user_error = False
        self._pending: dict[int, tuple[bytes, Any, str, Any]] = {}
        self._request_number = 0

    def run(self, seconds: float | None = None) -> dict[str, Any]:
        """Run until the source ends, Ctrl-C, or `seconds` of running have passed; return the summary.

        The first Ctrl-C (or SIGTERM) ends the sources and drains `block` links; a second one ends everything at once.
        """
        self._run_directory = RunDirectory(self._name)
        try:
            self._server = ControlServer(self._run_directory.control)
            with self._signals_counted():
                for worker in self._workers.values():
                    self._spawn(worker)
                while not all(worker.ended for worker in self._workers.values()):
                    self._turn(seconds)
            self.phase = Phase.FAILED if self._failed else Phase.STOPPED
            return self.summary()
        finally:
            for worker in self._workers.values():
                worker.kill()
            self._server.close()
            self._run_directory.remove()

    @contextmanager
    def _signals_counted(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(number: int, frame: object) -> None:
            self._signals += 1

        before = {number: signal.signal(number, count) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _turn(self, seconds: float | None) -> None:
        for identity, message in self._server.receive(0.05):
            self._hear(identity, message)
        for worker in self._workers.values():
            self._watch(worker)
        if self._signals >= 2:
            self._abort("stopped at once by a second signal")
        elif self._signals or (seconds is not None and self._seconds_running >= seconds):
            self.stop()
        if self._live and time.monotonic() - self._stopping_since > _DRAIN_LIMIT_S:
            self._abort(f"not drained within {_DRAIN_LIMIT_S:g} s")

    @property
    def _seconds_running(self) -> float:
        return max(time.monotonic() - self._running_since, 0.0)

    @property
    def _failed(self) -> bool:
        return any(worker.phase is Phase.FAILED for worker in self._workers.values())

    def stop(self) -> None:
        """End the sources; everything else ends when its inputs have."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self.phase, self._stopping_since = Phase.STOPPING, time.monotonic()
        for worker in self._workers.values():
            heads = self._planner.is_source(worker.nodes) or self._planner.reads_abroad(worker.nodes)
            if heads and worker.phase in (Phase.READY, Phase.RUNNING):
                self._command(worker, "stop")
                worker.phase = Phase.STOPPING
            elif heads and worker.phase is Phase.STARTING and not worker.alive:
                worker.phase = Phase.STOPPED  # it was waiting for its restart

    def _abort(self, why: str) -> None:
        for worker in self._workers.values():
            if not worker.ended:
                self._problem("error", worker.name, why)
                worker.kill()
                worker.bury()
                worker.phase = Phase.FAILED

    def _event(self, level: str, node: str, text: str) -> None:
        self._on_event(Event(level, node, text))

    def _problem(self, level: str, node: str, text: str) -> None:
        self._problems.append(f"{node}: {text}")
        self._event(level, node, text)

    # Lives of the processes

    def _spawn(self, worker: Worker) -> None:
        ended = [node for node, other in self._by_node.items() if other.ended]
        incarnation = worker.incarnation + 1
        steps = self._resume_steps(worker) if incarnation else {}
        worker.spawn(self._planner.plan(worker.nodes, self._run_directory, incarnation, ended, steps))

    def _resume_steps(self, worker: Worker) -> dict[str, int]:
        """Last step that all consumers of a restarted source are known to have had: it goes on there, losing nothing."""
        steps = [
            member.step
            for edge in self._planner.consumers(worker.nodes)
            if edge.target in self._by_node
            for member in self._by_node[edge.target].whole_report.members
            if member.name == edge.target and member.step >= 0
        ]
        return {worker.nodes[0]: min(steps)} if steps else {}

    def _watch(self, worker: Worker) -> None:
        now = time.monotonic()
        if worker.ended:
            return
        if now >= worker.restart_at:
            self._spawn(worker)
        elif worker.restart_at == float("inf") and not worker.alive:
            self._died(worker)
        elif worker.phase is Phase.STARTING and worker.alive and now - worker.started_at > _STARTUP_LIMIT_S:
            self._end_life(worker, Failure.STARTUP_TIMEOUT, f"not ready within {_STARTUP_LIMIT_S:g} s")
        elif worker.phase is Phase.RUNNING and worker.silent_s > _HANG_LIMIT_S:
            self._end_life(worker, Failure.HANG, f"one message has kept it busy for {_HANG_LIMIT_S:g} s")

    def _died(self, worker: Worker) -> None:
        for identity, message in self._server.receive(0.0):  # its last words may still be under way
            self._hear(identity, message)
        if not worker.ended:
            kind = Failure.EXCEPTION if worker.failed_text else Failure.CRASH
            self._end_life(worker, kind, worker.failed_text or worker.describe_exit())

    def _end_life(self, worker: Worker, kind: Failure, why: str) -> None:
        worker.kill()
        worker.release()
        worker.bury()
        worker.failure = str(kind)
        delay = None if self._user_error or self._signals else worker.plan_restart()
        if delay is None:
            self._give_up(worker, f"{kind}: {why}")
        else:
            worker.phase = Phase.STARTING
            self._problem("warning", worker.name, f"{kind}: {why}; starts again in {delay:.1f} s")

    def _give_up(self, worker: Worker, why: str) -> None:
        """Go on without a process that will not stay up, as far as that makes sense."""
        worker.phase = Phase.FAILED
        self._problem("error", worker.name, why if self._user_error else f"{why}; given up")
        for node in worker.nodes:
            for producer in self._planner.producers(worker.nodes):
                if producer in self._by_node:
                    self._command(self._by_node[producer], "forget", target=node)
        sinks_left = any(self._planner.is_sink(other.nodes) and not other.ended for other in self._workers.values())
        if not self._planner.is_sink(worker.nodes) or not sinks_left or self._user_error:
            self.stop()
        for edge in self._planner.consumers(worker.nodes):
            if edge.target in self._by_node and not self._by_node[edge.target].ended:
                self._command(self._by_node[edge.target], "stop")

    def _command(self, worker: Worker, what: str, **fields: Any) -> None:
        if worker.identity and not worker.ended:
            self._server.send(worker.identity, type=what, **fields)

    # What children and clients say

    def _hear(self, identity: bytes, message: dict[str, Any]) -> None:
        if "request" in message:
            self._serve(identity, message)
            return
        worker = self._workers.get(str(message.get("process")))
        if worker is None or message.get("incarnation") != worker.incarnation:
            return
        worker.identity = identity
        match message.get("type"):
            case "ready":
                worker.phase = Phase.READY
                self._start_when_ready(worker)
            case "report":
                worker.take_report(msgspec.convert(message["report"], ProcessReport), self._seconds_running)
            case "log":
                self._hear_log(worker, message)
            case "failed":
                worker.failed_text = message["text"]
                self._user_error |= message["for_user"]
                if message["trace"]:
                    self._event("error", worker.name, message["trace"])
            case "answer":
                self._pass_on_answer(message)
            case "bye" if message["how"] == "done":
                worker.release()
                worker.phase = Phase.STOPPED

    def _hear_log(self, worker: Worker, message: dict[str, Any]) -> None:
        level = message["level"].lower()
        if level in ("warning", "error", "critical"):
            self._problem("error" if level == "critical" else level, worker.name, message["text"])
        else:
            self._event("info", worker.name, message["text"])

    def _start_when_ready(self, worker: Worker) -> None:
        """Start everything once everybody is ready; later, a restarted process at once."""
        if self.phase is Phase.STARTING and all(other.phase is Phase.READY for other in self._workers.values()):
            self.phase, self._running_since = Phase.RUNNING, time.monotonic()
            self._event("info", "", f"running: {', '.join(self._workers)}")
            for other in self._workers.values():
                self._start(other)
        elif self.phase is Phase.RUNNING:
            self._event("info", worker.name, "runs again")
            self._start(worker)
        elif self.phase is Phase.STOPPING:
            self._start(worker)
            self.stop()

    def _start(self, worker: Worker) -> None:
        self._command(worker, "start")
        worker.phase = Phase.RUNNING

    def _serve(self, identity: bytes, message: dict[str, Any]) -> None:
        number = message.get("id")
        match message["request"]:
            case "status":
                self._server.answer(identity, number, result=self.status())
            case "stop":
                self._signals = max(self._signals, 1)
                self._server.answer(identity, number, result="stopping")
            case "set" | "command" if message.get("node") in self._by_node:
                self._forward(identity, message)
            case "set" | "command":
                known = ", ".join(self._by_node)
                self._server.answer(identity, number, error=f"no node {message.get('node')!r}; known: {known}")
            case unknown:
                error = f"unknown request {unknown!r}; known: status, set, command, stop"
                self._server.answer(identity, number, error=error)

    def _forward(self, identity: bytes, message: dict[str, Any]) -> None:
        worker = self._by_node[message["node"]]
        if worker.phase is not Phase.RUNNING:
            self._server.answer(identity, message.get("id"), error=f"{message['node']} is {worker.phase}, not running")
            return
        self._request_number += 1
        self._pending[self._request_number] = (identity, message.get("id"), message["node"], message.get("option"))
        if len(self._pending) > 1000:
            self._pending.pop(next(iter(self._pending)))
        fields = {key: value for key, value in message.items() if key != "id"}
        self._command(worker, "request", id=self._request_number, **fields)

    def _pass_on_answer(self, message: dict[str, Any]) -> None:
        identity, number, node, option = self._pending.pop(message["id"], (b"", None, "", None))
        if not identity:
            return
        if message["ok"] and option is not None:  # a restart must come back with the value in force
            options = self._planner.spec(node).options
            changed = {**msgspec.to_builtins(options), option: message["result"]}
            self._planner.spec(node).options = msgspec.convert(changed, type(options))
        self._server.answer(identity, number, result=message.get("result"), error=message.get("error"))

    # What it all comes to

    def status(self) -> dict[str, Any]:
        """Return the state of the run: see the documentation of `engine.summary`."""
        return {
            "pipeline": self._name,
            "pid": os.getpid(),
            "seconds": round(self._seconds_running, 3),
            "phase": str(self.phase),
            "live": self._live,
            "problems": list(self._problems),
            **status_table(list(self._workers.values()), self._planner),
        }

    def summary(self) -> dict[str, Any]:
        """Return the status with what is known only at the end."""
        status = self.status()
        return {
            **status,
            "started": self._started_wall,
            "rss_mb_series": {worker.name: worker.rss_series for worker in self._workers.values()},
            "exit_status": exit_status(status, user_error=self._user_error, failed=self._failed),
        }
