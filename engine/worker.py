"""One child process as its supervisor sees it: its lives, its reports, its budget of restarts."""

import os
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from enum import StrEnum
from typing import Any

from engine.environment import thread_environment
from engine.signals import held_back
from engine.spawn_plan import SpawnPlan, write_plan
from engine.telemetry import ProcessReport, add_lives, died

__all__ = ["Failure", "Phase", "Worker"]

_RESTARTS = 5
_WINDOW_S = 60.0
_FIRST_BACKOFF_S = 0.1
_SERIES_EVERY_S = 5.0
_SERIES_LIMIT = 400
_EXIT_LIMIT_S = 5.0


class Phase(StrEnum):
    """Where a process, or the whole run, is in its life."""

    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a life ended that should not have."""

    CRASH = "crash"
    EXCEPTION = "exception"
    HANG = "hang"
    STARTUP_TIMEOUT = "startup timeout"


class Worker:
    """A process that runs one node or one chain.

    Parameters
    ----------
    name : str
        The names of its nodes, joined by ``+``.
    threads : int
        Threads that numerical libraries may use in it.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.nodes = name.split("+")
        self._threads = threads
        self.phase = Phase.STARTING
        self.incarnation = -1
        self.failure = ""
        self.failed_text, self.hopeless = "", False
        self.said_bye = False
        self.identity = b""
        self.report = ProcessReport()
        self._past: ProcessReport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)
        self.restart_at = float("inf")
        self.started_at = self.heard_at = self._beat_at = time.monotonic()
        self._recent_cpu = 0.0
        self._first_start = 0.0
        self.rss_series: list[list[float]] = []

    def spawn(self, plan: SpawnPlan) -> None:
        """Start the process; its environment is fixed before its interpreter starts."""
        environment = os.environ | thread_environment(self._threads)
        self.incarnation = plan.incarnation
        self.phase, self.identity, self.restart_at = Phase.STARTING, b"", float("inf")
        self.failed_text, self.hopeless, self.said_bye = "", False, False
        self.started_at = self._beat_at = time.monotonic()
        self._first_start = self._first_start or self.started_at
        with held_back():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.child"], stdin=subprocess.PIPE, env=environment, process_group=0
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(write_plan(plan))
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it has died already; the exit status tells

    @property
    def pid(self) -> int:
        """Process id of the present life; 0 before the first."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def ended(self) -> bool:
        """True when it will not run again."""
        return self.phase in (Phase.STOPPED, Phase.FAILED)

    @property
    def killed(self) -> bool:
        """True if a signal has ended it: there are no last words."""
        return self._process is not None and (self._process.returncode or 0) < 0

    def describe_exit(self) -> str:
        """Say how the process ended."""
        status = self._process.returncode if self._process else None
        return f"killed by signal {-status}" if status is not None and status < 0 else f"exit status {status}"

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()

    def release(self) -> None:
        """Reap the process and close our end of its standard input."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.wait(_EXIT_LIMIT_S)
            except subprocess.TimeoutExpired:  # a thread that the node has left behind
                self.kill()
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def take_report(self, report: ProcessReport, run_seconds: float) -> None:
        """Keep a report; its difference to the one before tells the recent use of the processor."""
        now = time.monotonic()
        if report.cpu_s >= self.report.cpu_s:
            self._recent_cpu = (report.cpu_s - self.report.cpu_s) / max(now - self.heard_at, 1e-3)
        if report.beat != self.report.beat or self.phase not in (Phase.RUNNING, Phase.STOPPING):
            self._beat_at = now
        self.report, self.heard_at = report, now
        self._sample_memory(run_seconds)

    def _sample_memory(self, run_seconds: float) -> None:
        if not self.rss_series or run_seconds - self.rss_series[-1][0] >= _SERIES_EVERY_S:
            self.rss_series.append([round(run_seconds, 1), self.report.rss_mb])
        if len(self.rss_series) > _SERIES_LIMIT:  # days of running: keep every other sample
            del self.rss_series[1:-1:2]

    @property
    def silent_s(self) -> float:
        """Seconds since the node's thread was last seen to go round its loop."""
        return time.monotonic() - self._beat_at

    @property
    def whole_report(self) -> ProcessReport:
        """The report over all lives."""
        return add_lives(self._past, self.report)

    def bury(self) -> None:
        """Close the books of a life that did not end by itself."""
        self._past = add_lives(self._past, died(self.report))
        self.report = ProcessReport()

    @property
    def restarts(self) -> int:
        """How often it was started anew."""
        return max(self.incarnation, 0)

    def plan_restart(self) -> float | None:
        """Return the seconds to wait before the next start, or None when the budget is spent."""
        now = time.monotonic()
        if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _WINDOW_S:
            return None
        recent = sum(now - moment < _WINDOW_S for moment in self._restarts)
        self._restarts.append(now)
        delay = _FIRST_BACKOFF_S * 2.0**recent
        self.restart_at = now + delay
        return delay

    @property
    def lifetime_s(self) -> float:
        """Seconds from its first start to now, or to its last report once it has ended."""
        return max((self.heard_at if self.ended else time.monotonic()) - self._first_start, 1e-3)

    def status(self) -> dict[str, Any]:
        """Return what is shown of the process with each node; `cpu` is recent, or the mean once it has ended."""
        cpu_s = self.whole_report.cpu_s
        return {
            "process": self.name,
            "pid": self.pid,
            "phase": str(self.phase),
            "restarts": self.restarts,
            "failure": self.failure,
            "cpu": round(cpu_s / self.lifetime_s if self.ended else self._recent_cpu, 3),
            "cpu_s": round(cpu_s, 2),
            "rss_mb": self.report.rss_mb,
        }
