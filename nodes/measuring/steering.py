"""Steering: a measured frequency on its way to the strobe that it is to lock, by the control socket."""

import logging
import threading
from collections.abc import Callable
from math import isfinite
from typing import Any, Protocol, Self

from engine.control import ControlClient
from engine.exceptions import EngineError

__all__ = ["Steering"]

_TOLERANCE_HZ = 0.005
_TIMEOUT_S = 2.0
_RETRY_S = 1.0


class _Client(Protocol):
    """A client of the pipeline's control socket."""

    def request(self, request: str, **arguments: Any) -> Any:
        """Ask and wait for the answer; raises ControlError."""

    def close(self) -> None:
        """Close the connection."""


class Steering:
    """Tell a node's strobe which frequency to show, from a thread of its own: whoever measures never waits.

    Of frequencies that come faster than they are taken only the newest is sent. One within 0.005 Hz of what the strobe
    has is not: by that the picture drifts through less than 2° of a cycle a second. One that is refused or gets no
    answer is offered again, a second later, unless there is a newer one; a failure is logged once, and so is its end.

    Parameters
    ----------
    control_endpoint : str
        The pipeline's control socket, ``Context.control``.
    node : str
        The `encode` node whose `strobe_hz` is set.
    connect : callable, optional
        Makes the client; by default a `ControlClient`.
    """

    def __init__(self, control_endpoint: str, node: str, *, connect: Callable[[str], _Client] | None = None) -> None:
        self._endpoint, self._node = control_endpoint, node
        self._connect = connect or (lambda endpoint: ControlClient(endpoint, timeout_s=_TIMEOUT_S))
        self._log = logging.getLogger(__name__)
        self._changed = threading.Condition()
        self._offered: float | None = None
        self._taken: float | None = None
        self._closed = self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"steering {node}", daemon=True)
        self._thread.start()

    def offer(self, hz: float) -> None:
        """Take the newest measurement, in Hz; returns at once. What is no frequency is left out."""
        if not (isfinite(hz) and hz > 0.0):
            return
        with self._changed:
            self._offered = hz
            self._changed.notify()

    def close(self) -> None:
        """End the thread; what it has not sent is not sent any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        client = self._connect(self._endpoint)
        try:
            while (hz := self._next()) is not None:
                self._send(client, hz)
        finally:
            client.close()

    def _next(self) -> float | None:
        """Wait for a frequency that is worth sending; None at the end."""
        with self._changed:
            if self._failing:
                self._changed.wait_for(lambda: self._closed, _RETRY_S)
            self._changed.wait_for(lambda: self._closed or self._matters())
            return None if self._closed else self._offered

    def _matters(self) -> bool:
        if self._offered is None:
            return False
        return self._taken is None or abs(self._offered - self._taken) > _TOLERANCE_HZ

    def _send(self, client: _Client, hz: float) -> None:
        try:
            client.request("set", node=self._node, option="strobe_hz", value=hz)
        except EngineError as error:
            if not self._failing:
                self._log.warning("%s is not steered to %.3f Hz: %s", self._node, hz, error)
            self._failing = True
            return
        if self._failing:
            self._log.info("%s is steered again, to %.3f Hz", self._node, hz)
        self._failing, self._taken = False, hz

    def __enter__(self) -> Self:
        """Return the steering."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End the thread."""
        self.close()
