"""What the engine gives a node to work with."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.clocks import Clock, WallClock

__all__ = ["Context"]


@dataclass
class Context:
    """A node's surroundings, the same in its own process, in a chain and in a test.

    Attributes
    ----------
    name : str
        The node's name in the pipeline.
    pipeline : str
        The pipeline's name.
    clock : Clock
        Where time comes from.
    wanted : frozenset of str
        What the nodes that read from this one ask of it.
    live : bool
        True where the stream's source waits for nobody.
    incarnation : int
        0 at the first start, one more after each restart: a file sink starts a new file.
    resume_step : int or None
        For a restarted source: the last step that it is known to have sent.
    first_epoch : int
        Number of the first epoch a source may use.
    control : str
        Endpoint of the pipeline's control socket; empty in tests.
    counters : Counter
        Numbers for the summary, such as ``steps_lost``; add to them with `count`.
    epoch, flush_before : int
        Where a source's time line is; see `new_epoch`.
    output_pressure : callable
        Returns how full the fullest ``drop_oldest`` queue behind this process is, from 0 to 1. In a chain, which has no
        queues inside, a message that is 1 s late counts as a full one.
    wake : callable
        Ends the `Wait` of a source at once; for a source that is fed by a thread of its own, from any thread.
    """

    name: str
    pipeline: str = ""
    clock: Clock = field(default_factory=WallClock)
    wanted: frozenset[str] = frozenset()
    live: bool = False
    incarnation: int = 0
    resume_step: int | None = None
    first_epoch: int = 0
    control: str = ""
    counters: Counter[str] = field(default_factory=Counter)
    epoch: int = field(init=False)
    flush_before: int = 0
    output_pressure: Callable[[], float] = lambda: 0.0
    wake: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        """Start in the first epoch."""
        self.epoch = self.first_epoch

    @property
    def log(self) -> logging.Logger:
        """The node's logger; warnings and errors reach the supervisor's terminal."""
        return logging.getLogger(f"node.{self.name}")

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter of the summary."""
        self.counters[name] += int(amount)  # a numpy number cannot be reported

    def new_epoch(self, *, flush: bool) -> None:
        """Open a new epoch of the time line (sources only).

        Parameters
        ----------
        flush : bool
            True after a seek: older messages that are still queued anywhere are void, and counted `flushed`.
            False at the end of a loop: they still belong to what the user asked to see.
        """
        self.epoch += 1
        if flush:
            self.flush_before = self.epoch
