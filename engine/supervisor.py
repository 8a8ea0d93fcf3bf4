"""The supervisor: starts a pipeline's processes, watches them, restarts them, and ends them in good order."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from engine.control import ControlServer
from engine.crew import Crew
from engine.pipeline import Pipeline
from engine.plans import Planner
from engine.reporter import Event, Reporter
from engine.requests import Desk
from engine.rundir import RunDirectory
from engine.signals import ENDING
from engine.summary import exit_status, status_table
from engine.telemetry import ProcessReport
from engine.worker import Failure, Phase, Worker

__all__ = ["Supervisor"]

_STARTUP_LIMIT_S = 120.0
_HANG_LIMIT_S = 30.0
_DRAIN_LIMIT_S = 35.0
_LAST_WORDS_S = 0.5


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
        self._say = Reporter(on_event)
        self._name = f"{pipeline.name}@{host}" if host else pipeline.name
        self._live = pipeline.graph.live
        self.phase = Phase.STARTING
        self._started_wall, self._started = time.time(), time.monotonic()
        self._running_since = self._stopping_since = float("inf")
        self._signals = 0
        self._user_error = False

    def run(self, seconds: float | None = None) -> dict[str, Any]:
        """Run until the source ends, Ctrl-C, or `seconds` of running have passed; return the summary.

        The first Ctrl-C (or SIGTERM) ends the sources and drains `block` links; a second one ends everything at once.
        A terminal that closes counts as the first, however often it says so.
        """
        with self._signals_counted():
            self._run_directory = RunDirectory(self._name)
            try:
                return self._run(seconds)
            finally:
                self._run_directory.remove()

    def _run(self, seconds: float | None) -> dict[str, Any]:
        self._server = ControlServer(self._run_directory.control)
        self._crew = Crew(self._planner, self._server, self._run_directory)
        self._desk = Desk(self._server, self._crew.by_node, self._planner)
        try:
            self._say.event("info", "", f"starting: {', '.join(worker.name for worker in self._crew.workers)}")
            for worker in self._crew.workers:
                self._spawn(worker)
            while self._crew.left:
                self._turn(seconds)
            self.phase = Phase.FAILED if self._crew.failed else Phase.STOPPED
            return self.summary()
        finally:
            self._crew.kill()
            self._server.close()

    @contextmanager
    def _signals_counted(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(number: int, frame: object) -> None:
            self._signals = max(self._signals, 1) if number == signal.SIGHUP else self._signals + 1

        spared = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()  # as nohup asks
        before = {number: signal.signal(number, count) for number in ENDING if number not in spared}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _turn(self, seconds: float | None) -> None:
        for identity, message in self._server.receive(0.05):
            self._hear(identity, message)
        for worker in self._crew.workers:
            if not worker.ended:
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

    def stop(self) -> None:
        """End the sources; everything else ends when its inputs have."""
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self.phase, self._stopping_since = Phase.STOPPING, time.monotonic()
        self._crew.stop()

    def _abort(self, why: str) -> None:
        for worker in self._crew.left:
            self._say.problem("error", worker.name, why)
            worker.kill()
            worker.bury()
            worker.phase = Phase.FAILED

    # Lives of the processes

    def _spawn(self, worker: Worker) -> None:
        try:
            self._crew.spawn(worker)
        except OSError as error:  # no memory or no process left: there may be some in a moment
            self._end_life(worker, Failure.CRASH, f"cannot be started: {error.strerror}")

    def _watch(self, worker: Worker) -> None:
        now = time.monotonic()
        if now >= worker.restart_at:
            self._spawn(worker)
        elif worker.restart_at == float("inf") and not worker.alive:
            self._died(worker)
        elif worker.phase is Phase.STARTING and worker.alive and now - worker.started_at > _STARTUP_LIMIT_S:
            self._end_life(worker, Failure.STARTUP_TIMEOUT, f"not ready within {_STARTUP_LIMIT_S:g} s")
        elif worker.phase in (Phase.RUNNING, Phase.STOPPING) and worker.silent_s > _HANG_LIMIT_S:
            busy = f"one message has kept it busy for {_HANG_LIMIT_S:g} s"
            self._end_life(worker, Failure.HANG, worker.failed_text or busy)

    def _died(self, worker: Worker) -> None:
        deadline = time.monotonic() + _LAST_WORDS_S
        while not (worker.said_bye or worker.killed) and time.monotonic() < deadline:  # they may still be under way
            for identity, message in self._server.receive(0.05):
                self._hear(identity, message)
        if not worker.ended:
            kind = Failure.EXCEPTION if worker.failed_text else Failure.CRASH
            self._end_life(worker, kind, worker.failed_text or worker.describe_exit())

    def _end_life(self, worker: Worker, kind: Failure, why: str) -> None:
        worker.kill()
        worker.release()
        worker.bury()
        worker.failure = str(kind)
        self._desk.fail(worker.nodes, str(kind))
        delay = None if worker.hopeless or self._user_error or self._signals else worker.plan_restart()
        if delay is None:
            self._give_up(worker, why if worker.hopeless else f"{kind}: {why}; given up")
        else:
            worker.phase = Phase.STARTING
            self._say.problem("warning", worker.name, f"{kind}: {why}; starts again in {delay:.1f} s")

    def _give_up(self, worker: Worker, why: str) -> None:
        """Go on without a process that will not stay up, where that makes sense: a full disk ends its recorder only."""
        never = worker.hopeless and self.phase is Phase.STARTING
        spared = self._crew.is_spared(worker) and not never
        ending = self.phase is Phase.STOPPING
        # What a user's error brings about elsewhere while the run ends, as a file without a frame, is no news.
        if not (worker.hopeless and ending and self._user_error):
            self._say.problem("error", worker.name, why)
        self._user_error |= worker.hopeless and not (spared or ending)
        self._crew.end(worker, Phase.FAILED, dead=True)
        if not spared:
            self.stop()
        self._start_if_all_ready()

    # What children and clients say

    def _hear(self, identity: bytes, message: dict[str, Any]) -> None:
        if "request" in message:
            self._serve(identity, message)
            return
        worker = self._crew.named(str(message.get("process")))
        if worker is None or message.get("incarnation") != worker.incarnation:
            return
        if worker.ended or worker.restart_at < float("inf"):
            return  # the books of that life are closed
        worker.identity = identity
        match message.get("type"):
            case "ready":
                worker.phase = Phase.READY
                self._welcome(worker)
            case "report":
                worker.take_report(msgspec.convert(message["report"], ProcessReport), self._seconds_running)
                self._say.losses(worker, self._crew.hopeless)
            case "log":
                self._say.log(worker, message)
            case "failed":
                worker.failed_text = message["text"]
                worker.hopeless = message["for_user"]
                self._say.trace(worker, message["trace"])
            case "answer":
                self._desk.answer(message)
            case "bye":
                worker.said_bye = True
                if message["done"]:
                    worker.release()
                    self._crew.end(worker, Phase.STOPPED, dead=False)
                    self._start_if_all_ready()

    def _start_if_all_ready(self) -> None:
        workers = self._crew.left
        if self.phase is Phase.STARTING and all(worker.phase is Phase.READY for worker in workers):
            self.phase, self._running_since = Phase.RUNNING, time.monotonic()
            self._say.event("info", "", f"running: {', '.join(worker.name for worker in workers)}")
            for worker in workers:
                self._crew.start(worker)

    def _welcome(self, worker: Worker) -> None:
        """Start everything once everybody is ready; later, a restarted process at once."""
        if self.phase is Phase.STARTING:
            self._start_if_all_ready()
        elif self.phase is Phase.RUNNING:
            self._say.event("info", worker.name, "runs again")
            self._crew.start(worker)
        elif self.phase is Phase.STOPPING:
            self.stop()

    def _serve(self, identity: bytes, message: dict[str, Any]) -> None:
        number = message.get("id")
        match message["request"]:
            case "status":
                self._server.answer(identity, number, result=self.status())
            case "stop":
                self._signals = max(self._signals, 1)
                self._server.answer(identity, number, result="stopping")
            case "set" | "command":
                self._desk.serve(identity, message)
            case unknown:
                error = f"unknown request {unknown!r}; known: status, set, command, stop"
                self._server.answer(identity, number, error=error)

    # What it all comes to

    def status(self) -> dict[str, Any]:
        """Return the state of the run: see the documentation of `engine.summary`."""
        return {
            "pipeline": self._name,
            "pid": os.getpid(),
            "seconds": round(self._seconds_running, 3),
            "phase": str(self.phase),
            "live": self._live,
            "problems": list(self._say.problems),
            **status_table(self._crew.workers, self._planner, self._run_directory),
        }

    def summary(self) -> dict[str, Any]:
        """Return the status with what is known only at the end."""
        status = self.status()
        return {
            **status,
            "started": self._started_wall,
            "rss_mb_series": {worker.name: worker.rss_series for worker in self._crew.workers},
            "exit_status": exit_status(status, user_error=self._user_error, failed=self._crew.failed),
        }
