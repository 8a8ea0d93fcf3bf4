"""The commands as a user meets them: real processes, in a folder of their own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Spikemm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tuning fork of 96×128 px at 10 kHz: 0.3 px at 310 Hz, 3,000 steps."""
    path = tmp_path_factory.mktemp("fork") / "fork.dat"
    size = ["--height", "96", "--width", "128", "--rate", "10000"]
    ended = _run(["simulate", "tuning-fork", str(path), "--seconds", "0.3", "--frequency", "310", *size], path.parent)
    assert ended.returncode == 0, ended.stderr
    return path


@pytest.fixture
def spikemm(tmp_path: Path) -> Spikemm:
    """Run a command in a folder of its own; the result has its status and what it wrote."""
    return lambda *arguments: _run([str(argument) for argument in arguments], tmp_path)


@pytest.fixture
def refused(spikemm: Spikemm) -> Callable[..., str]:
    """Run a command that must be refused: one line, status 2; return the line."""

    def run(*arguments: object) -> str:
        ended = spikemm(*arguments)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("spikemm: ")
        assert ended.stderr.count("\n") == 1
        return ended.stderr

    return run


def _run(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tools.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
