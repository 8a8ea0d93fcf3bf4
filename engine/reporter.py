"""What a supervisor says while it runs: events for the user, and the problems that the summary repeats."""

import time
from collections import deque
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Any, NamedTuple

from engine.worker import Worker

__all__ = ["Event", "Reporter"]

_PROBLEMS_LIMIT = 200
_TRACES_LIMIT = 20
_LOSS_EVERY_S = 10.0


class Event(NamedTuple):
    """Something that the user should hear of."""

    level: str
    """``info``, ``warning`` or ``error``."""
    node: str
    """The node or process it is about; empty for the run itself."""
    text: str


class Reporter:
    """Passes events on, and keeps the last 200 problems.

    Parameters
    ----------
    on_event : callable or None
        Called with every `Event`.
    """

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self._on_event = on_event or (lambda event: None)
        self._losses_told: dict[tuple[str, str, str], tuple[int, float]] = {}
        self._traces_told: deque[str] = deque(maxlen=_TRACES_LIMIT)
        self.problems: deque[str] = deque(maxlen=_PROBLEMS_LIMIT)

    def event(self, level: str, node: str, text: str) -> None:
        """Tell the user something; the run goes on where nobody can be told, as without the terminal or the pipe."""
        with suppress(OSError):
            self._on_event(Event(level, node, text))

    def problem(self, level: str, node: str, text: str) -> None:
        """Tell the user something that the summary is to repeat."""
        self.problems.append(f"{node}: {text}")
        self.event(level, node, text)

    def log(self, worker: Worker, message: dict[str, Any]) -> None:
        """Pass on what a child's logger has said."""
        level = message["level"].lower()
        if level in ("warning", "error", "critical"):
            self.problem("error" if level == "critical" else level, worker.name, message["text"])
        else:
            self.event("info", worker.name, message["text"])

    def trace(self, worker: Worker, text: str) -> None:
        """Show a traceback; one that every restart brings back is shown once."""
        if text and text not in self._traces_told:
            self._traces_told.append(text)
            self.event("error", worker.name, text)

    def losses(self, worker: Worker, hopeless: Container[str]) -> None:
        """Say so when a link that promises to lose nothing loses something: at once, then every 10 s at most.

        What is lost on its way to a node that has failed for good is no news beside that.
        """
        for half in worker.whole_report.outlets:
            if half.target in hopeless:
                continue
            told, when = self._losses_told.get(half[:3], (0, -_LOSS_EVERY_S))
            if half.policy.startswith("block") and half.lost > told and time.monotonic() - when >= _LOSS_EVERY_S:
                self._losses_told[half[:3]] = (half.lost, time.monotonic())
                self.problem("error", worker.name, f"{half.lost} messages to {half.target} are lost ({half.policy})")
