"""Run pipelines of the zoo in real processes, watch them, and wait for what should come true."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.control import ControlClient
from engine.exceptions import ControlError
from engine.pipeline import Pipeline, parse_pipeline
from engine.supervisor import Supervisor

HERE = Path(__file__).parent
_PATIENCE_S = 20.0


def until(holds: Callable[[], Any], seconds: float = _PATIENCE_S) -> Any:
    """Return what a condition gives as soon as it is true."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := holds()):
        assert time.monotonic() < deadline, f"did not come true within {seconds:g} s"
        pause.wait(0.02)
    return found


def run_file() -> str:
    """Return a script that runs the pipeline given as JSON and prints its summary."""
    return str(HERE / "run_pipeline.py")


class Run:
    """A pipeline that runs in a thread of the test, or in a process of its own."""

    def __init__(self, nodes: dict[str, Any], *, folder: Path = HERE, **keys: Any) -> None:
        self.document = {"nodes": nodes, **keys}
        self.folder = folder
        self.events: list[Any] = []
        self.summary: dict[str, Any] = {}
        self.failure: BaseException | None = None
        self._client: ControlClient | None = None
        self._thread: threading.Thread | None = None
        self._supervisor: Supervisor | None = None

    def pipeline(self) -> Pipeline:
        return parse_pipeline(self.document, folder=self.folder, name="zoo")

    def go(self, seconds: float | None = None) -> dict[str, Any]:
        """Run to the end; return the summary."""
        self.start(seconds)
        return self.finish()

    def start(self, seconds: float | None = None) -> "Run":
        self._supervisor = Supervisor(self.pipeline(), on_event=self.events.append)
        self._thread = threading.Thread(target=self._run, args=(seconds,), daemon=True)
        self._thread.start()
        return self

    def _run(self, seconds: float | None) -> None:
        assert self._supervisor is not None
        try:
            self.summary = self._supervisor.run(seconds)
        except BaseException as error:
            self.failure = error

    def finish(self, seconds: float = 60.0) -> dict[str, Any]:
        assert self._thread is not None
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the run hangs; last events: {self.events[-5:]}"
        if self.failure is not None:
            raise self.failure
        return self.summary

    @property
    def client(self) -> ControlClient:
        if self._client is None:
            assert self._supervisor is not None
            directory = until(lambda: getattr(self._supervisor, "_run_directory", None))
            self._client = ControlClient(directory.control, timeout_s=10.0)
        return self._client

    def status(self) -> dict[str, Any]:
        return self.client.request("status")

    def node(self, name: str) -> dict[str, Any]:
        return self.status()["nodes"][name]

    def until_running(self) -> "Run":
        until(lambda: self.status()["phase"] == "running")
        return self

    def stop(self) -> dict[str, Any]:
        self.client.request("stop")
        return self.finish()

    def close(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            for _ in range(2):
                with contextlib.suppress(ControlError):
                    self.client.request("stop")
            if self._supervisor is not None:
                self._supervisor._signals = 2
            self._thread.join(20)
        if self._client is not None:
            self._client.close()


class Apart:
    """A pipeline under a supervisor in a process of its own."""

    def __init__(self, folder: Path, document: dict[str, Any], host: str | None = None) -> None:
        self.out = (folder / f"summary-{host or ''}.json").open("w+")
        arguments = json.dumps({"document": document, "folder": str(HERE), "host": host})
        self.process = subprocess.Popen([sys.executable, run_file(), arguments], stdout=self.out)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def summary(self) -> dict[str, Any]:
        self.process.wait(40)
        self.out.seek(0)
        return json.load(self.out)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.out.close()


def _zoo() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def make(nodes: dict[str, Any], **keys: Any) -> Run:
        runs.append(Run(nodes, **keys))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


zoo = pytest.fixture(_zoo, name="zoo")
zoo_of_module = pytest.fixture(_zoo, scope="module", name="zoo_of_module")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Callable[..., Apart]]:
    runs: list[Apart] = []

    def make(nodes: dict[str, Any], host: str | None = None, **keys: Any) -> Apart:
        runs.append(Apart(tmp_path, {"nodes": nodes, **keys}, host))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., list[list[int]]]:
    """Return what a Writer has written: value, gap, epoch, revision of every message."""

    def read(name: str = "out") -> list[list[int]]:
        path = tmp_path / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [[int(word) for word in line.split()] for line in lines if len(line.split()) == 4]

    return read


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left() -> Iterator[None]:
    yield
    until(lambda: not any(_is_child(child) for child in psutil.Process().children(recursive=True)), 5)


def _is_child(process: psutil.Process) -> bool:
    try:
        return "engine.child" in process.cmdline()
    except psutil.Error:
        return False
