"""A server's way to the rest of its pipeline: what the supervisor is asked, and told."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from engine.exceptions import ControlError

__all__ = ["Control", "ControlDesk"]


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
        Makes the client. None where there is no pipeline around: every request is refused.
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
        try:
            return self._client.request(request, **arguments)
        except OverflowError as error:  # of a whole number that the wire cannot hold
            raise ControlError(f"{request} cannot be sent: {error}") from None

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
