"""What a user sees while a pipeline runs: its events, and on a terminal one line that moves."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from engine.control import ControlClient, find_run
from engine.exceptions import ControlError
from nodes.http.listen import with_token
from nodes.secret import read_secret
from tools.tables import console

__all__ = ["RunMonitor"]

_EVERY_S = 0.5


class RunMonitor:
    """Tell events line by line, and watch the run of this process from a thread.

    Parameters
    ----------
    quiet : bool
        Tell warnings and errors only.
    open_page : bool
        Open the first page that a node serves in a browser, where there is a screen.
    clock : callable
        Seconds since 1970; what happens is told with the local time, and with the date once it is another day.
    """

    def __init__(self, *, quiet: bool, open_page: bool, clock: Callable[[], float] = time.time) -> None:
        self._quiet = quiet
        self._open_page = open_page and _has_screen()
        self._clock = clock
        self._first_day = self._today()
        self._out, self._err = console(), console(stderr=True)
        self._ended = threading.Event()
        self._line = self._out.status("starting")
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        """Start watching."""
        if not self._quiet and self._out.is_terminal:
            self._line.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError):  # the terminal may have gone, and the summary is still to be written
            self._line.stop()

    def say(self, text: str) -> None:
        """Print a line of information."""
        if not self._quiet:
            self._out.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print an event with its time."""
        self.say(f"{self._time()} {text}")

    def warn(self, text: str) -> None:
        """Print a line with its time to standard error."""
        self._err.print(f"{self._time()} {text}", markup=False, highlight=False, soft_wrap=True)

    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self._clock()))

    def _time(self) -> str:
        date = "" if self._today() == self._first_day else "%Y-%m-%d "
        return time.strftime(f"{date}%H:%M:%S", time.localtime(self._clock()))

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            try:
                with ControlClient(find_run(str(os.getpid())).endpoint, timeout_s=2.0) as client:
                    self._look(client)
            except ControlError:
                continue  # not listening yet, or no longer

    def _look(self, client: ControlClient) -> None:
        while not self._ended.wait(_EVERY_S):
            status = client.request("status")
            self._line.update(_progress(status))
            pages = [node for node in status["nodes"].values() if node["type"] == "Web" and "url" in node["status"]]
            if self._open_page and pages:
                self._open_page = False
                webbrowser.open(_address(pages[0]))


def _address(page: dict[str, Any]) -> str:
    """Return where a page is, with the token: no status holds it, but whoever started the run has it."""
    reference = page["options"]["token"]
    return with_token(page["status"]["url"], read_secret("token", reference) if reference else "")


def _progress(status: dict[str, Any]) -> str:
    nodes = [f"{name} {node['emitted'] or node['processed']}" for name, node in status["nodes"].items()]
    lost = sum(link.get("lost", 0) for link in status["links"])
    return f"{status['phase']} {status['seconds']:.0f} s  messages: {', '.join(nodes)}" + (
        f"  lost: {lost}" if lost else ""
    )


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
