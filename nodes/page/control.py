"""The page's way to the rest of the pipeline: its status once a second, and the commands of its controls."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from engine.exceptions import ControlError

__all__ = ["Control", "ControlDesk", "page_status", "without_folders"]

_LINK_FIELDS = (
    "source", "target", "port", "policy", "sent", "delivered", "dropped", "flushed", "lost", "bad", "gap_steps",
    "in_flight", "depth", "age_ms",
)  # fmt: skip
_NODE_FIELDS = ("type", "process", "phase", "restarts", "failure", "processed", "emitted", "busy", "cpu", "rss_mb")
_FOLDERS = re.compile(r"(?<![\w.:/~])/(?:[^\s/]+/)+")  # that an absolute path leads through


class Control(Protocol):
    """A client of the pipeline's control socket."""

    def request(self, request: str, **arguments: Any) -> Any:
        """Ask and wait for the answer; raises ControlError."""

    def close(self) -> None:
        """Hang up."""


class ControlDesk:
    """One client of the control socket, used from one thread of its own because it blocks.

    Parameters
    ----------
    connect : callable or None
        Makes the client. None where there is no pipeline around the page: every request is refused.
    """

    def __init__(self, connect: Callable[[], Control] | None) -> None:
        self._connect = connect
        self._client: Control | None = None
        self._thread = ThreadPoolExecutor(1, "control")

    async def request(self, request: str, **arguments: Any) -> Any:
        """Ask the supervisor.

        Raises
        ------
        ControlError
            If it refuses, or does not answer in time.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: self._ask(request, arguments))

    def close(self) -> None:
        """Hang up."""
        self._thread.submit(self._hang_up)
        self._thread.shutdown()

    def _ask(self, request: str, arguments: dict[str, Any]) -> Any:
        if self._connect is None:
            raise ControlError("there is no pipeline to ask")
        if self._client is None:
            self._client = self._connect()
        return self._client.request(request, **arguments)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()


def page_status(status: dict[str, Any]) -> dict[str, Any]:
    """Return what of the supervisor's status the page may see: no option but live ones, no address, no absolute path.

    An address may carry the token of another server of the pipeline, and a page has more readers than its machine.

    Parameters
    ----------
    status : dict
        The supervisor's status.
    """
    nodes = {name: _page_node(node) for name, node in status.get("nodes", {}).items()}
    links = [{key: link.get(key) for key in _LINK_FIELDS} for link in status.get("links", [])]
    kept = {key: without_folders(status.get(key)) for key in ("pipeline", "phase", "seconds", "live", "problems")}
    return {**kept, "nodes": nodes, "links": links}


def without_folders(value: Any) -> Any:
    """Return a value of JSON in which each absolute path is only its last name; a relative one stays as it is."""
    match value:
        case str():
            return _FOLDERS.sub("", value)
        case dict():
            return {key: without_folders(entry) for key, entry in value.items()}
        case list() | tuple():
            return [without_folders(entry) for entry in value]
    return value


def _page_node(node: dict[str, Any]) -> dict[str, Any]:
    options = node.get("options", {})
    return {
        **{key: without_folders(node.get(key)) for key in _NODE_FIELDS},
        "live": {name: options.get(name) for name in node.get("live_options", [])},
        "status": {key: without_folders(value) for key, value in node.get("status", {}).items() if key != "url"},
    }
