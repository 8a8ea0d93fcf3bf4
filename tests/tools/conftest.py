"""The commands as a user meets them: their words, their status and what they write, in a folder of their own."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.environment import thread_environment

Spikemm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tuning fork of 96×128 px at 10 kHz: 0.3 px at 310 Hz, 3,000 steps."""
    from tools.simulate import simulate

    path = tmp_path_factory.mktemp("fork") / "fork.dat"
    simulate("tuning-fork", path, seconds=0.3, frequency=310.0, height=96, width=128, rate=10_000.0)
    return path


@pytest.fixture
def spikemm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Spikemm:
    """Run a command in this process, which spares the seconds that a new one takes to load its libraries."""
    from tools import cli

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        words = [str(argument) for argument in arguments]
        capsys.readouterr()
        with monkeypatch.context() as patch, contextlib.chdir(tmp_path), pytest.raises(SystemExit) as ended:
            patch.setattr("sys.argv", ["spikemm", *words])
            # What a command changes in its process for good must not outlast it here.
            patch.setattr(cli, "keep_freed_memory", lambda: None)
            for name, value in thread_environment(1).items():
                patch.setenv(name, value)
            cli.main()
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Spikemm:
    """Run a command as a process of its own."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tools.cli", *(str(argument) for argument in arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)

    return run


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
