"""The folder of a running pipeline: its sockets, and how others find it."""

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

import psutil

from engine.exceptions import ControlError, EngineError

__all__ = ["RunDirectory", "RunningPipeline", "find_run", "running_pipelines"]


class RunningPipeline(NamedTuple):
    """A pipeline that runs on this machine."""

    name: str
    pid: int
    endpoint: str
    """Of its control socket."""


def _root() -> Path:
    """Folder for the runs of this user alone.

    Raises
    ------
    EngineError
        If somebody else owns it: its sockets could be theirs.
    """
    root = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"spikemm-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise EngineError(f"{root} is open to others; remove it, it is made anew")
    return root


class RunDirectory:
    """Makes the folder of one run and removes it at the end.

    Parameters
    ----------
    name : str
        The pipeline's name.
    """

    def __init__(self, name: str) -> None:
        self._path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=_root()))
        self.control = f"ipc://{self._path}/run.control"  # no node can have this name
        about = {"name": name, "pid": os.getpid(), "endpoint": self.control}
        (self._path / "run.json").write_text(json.dumps(about), encoding="utf-8")

    def endpoint(self, node: str) -> str:
        """Return the endpoint at which a node's output listens."""
        return f"ipc://{self._path}/{node}"

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._path, ignore_errors=True)


def running_pipelines() -> list[RunningPipeline]:
    """Every pipeline of this user that runs on this machine; folders that a killed one has left are removed."""
    found = []
    for about in sorted(_root().glob("*/run.json")):
        try:
            run = RunningPipeline(**json.loads(about.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if psutil.pid_exists(run.pid):
            found.append(run)
        else:
            shutil.rmtree(about.parent, ignore_errors=True)
    return found


def find_run(name: str | None) -> RunningPipeline:
    """Return the one running pipeline, or the one of that name or process id.

    Raises
    ------
    ControlError
        If there is none, or more than one to choose from.
    """
    runs = running_pipelines()
    fitting = [run for run in runs if name is None or name in (run.name, str(run.pid))]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{run.name} ({run.pid})" for run in runs) or "none"
    what = "no pipeline" if name is None else f"no pipeline {name!r}"
    if len(fitting) > 1:
        raise ControlError(f"several pipelines run: {listed}; say which one by name or process id")
    raise ControlError(f"{what} is running here; running: {listed}")
