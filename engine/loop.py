"""The loop of a node's process: take a message, let the node work, pass on what it makes; live and in a chain alike."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.context import Context
from engine.exceptions import ControlError
from engine.hub import Hub
from engine.inlet import Arrival, Inbox
from engine.message import Message
from engine.node import Node, Sink, Source, Stage, Wait, live_options
from engine.outlet import Outlet
from engine.telemetry import MemberReport

__all__ = ["Loop", "Member"]

_PATIENCE_S = 0.05


@dataclass
class Member:
    """One node of the process, with its place in the chain.

    Attributes
    ----------
    node : Node
        The node.
    port : str
        Where it takes what comes from the member before.
    outlet : Outlet or None
        Where its messages leave the process.
    downstream : Member or None
        The member that takes them inside the process.
    last : Message or None
        What it has taken last: a flush inherits from it.
    """

    node: Node
    port: str = "in"
    outlet: Outlet | None = None
    downstream: "Member | None" = None
    report: MemberReport = field(init=False)
    _seq: int = 0
    _revision: int = 0
    last: Message | None = None

    def __post_init__(self) -> None:
        """Start the report."""
        self.report = MemberReport(self.context.name)

    @property
    def context(self) -> Context:
        """The node's surroundings."""
        return self.node.context

    def stamp(self, message: Message, origin: Message | None) -> Message:
        """Fill in the envelope of a message that the node has made."""
        context = self.context
        wall = context.clock.wall()
        message.stream, message.seq = context.name, self._seq
        message.revision = self._revision + (origin.revision if origin else 0)
        if origin is None:
            message.epoch, message.flush_before = context.epoch, context.flush_before
            message.source_time = message.source_time or wall
        else:
            message.epoch, message.flush_before = origin.epoch, origin.flush_before
            message.source_time = origin.source_time
            message.rate_hz = message.rate_hz or origin.rate_hz
            message.stamps = dict(origin.stamps)
        message.stamps[context.name] = wall
        self._seq += 1
        self.report.emitted += 1
        self.report.step = message.next_step - message.hop
        return message

    def set_option(self, option: str, value: Any) -> Any:
        """Change a live option; return the value that is now in force.

        Raises
        ------
        ControlError
            If there is no such live option, or the value does not fit it.
        """
        live = live_options(type(self.node.options))
        name = self.context.name
        if option not in live:
            known = ", ".join(sorted(live)) or "none"
            raise ControlError(f"{name}.{option} cannot be changed while running; live options: {known}")
        try:
            changed = msgspec.convert(
                {**msgspec.to_builtins(self.node.options), option: value}, type(self.node.options)
            )
        except msgspec.ValidationError as error:
            raise ControlError(f"{name}.{option}: {error} (got {value!r})") from None
        before, self.node.options = self.node.options, changed
        try:
            self.node.reconfigure(frozenset({option}))
        except self.node.user_errors as error:
            self.node.options = before
            self.node.reconfigure(frozenset({option}))
            raise ControlError(f"{name}.{option}: {error}") from None
        self._revision += 1
        return msgspec.to_builtins(getattr(changed, option))


class Loop:
    """Runs the members of one process, first to last.

    Parameters
    ----------
    members : list[Member]
        The chain; usually one.
    hub : Hub
        The process's links.
    inbox : Inbox
        What has arrived for the first member.
    obey : callable
        Carries out the commands that wait; called between messages and while waiting.

    Attributes
    ----------
    beat : int
        Grows with every turn.
    stopping : bool
        Set it to end a source's stream.
    late_s : float
        Age of the last message when it was taken, in seconds.
    """

    def __init__(self, members: list[Member], hub: Hub, inbox: Inbox, obey: Callable[[], None]) -> None:
        self._members, self._hub, self._inbox, self._obey = members, hub, inbox, obey
        self.beat = 0
        self.stopping = False
        self.late_s = 0.0
        self._woken = False
        self._idle_due = 0.0

    def run(self) -> None:
        """Work until the stream ends, then flush every member."""
        head = self._members[0]
        if isinstance(head.node, Source):
            self._run_source(head, head.node)
        else:
            self._run_inlets()
        for member in self._members:
            self._flush(member)

    def wake(self) -> None:
        """Let a source that waits be asked again at once, or not begin to wait; may be called from any thread."""
        with self._hub.lock:
            self._woken = True
            self._hub.lock.notify_all()

    def turn(self) -> None:
        """Go once round: show that the loop is alive, obey."""
        self.beat += 1
        self._obey()

    def _run_source(self, member: Member, source: Source) -> None:
        while True:
            self.turn()
            made = None if self.stopping else source.produce()
            if made is None:
                return
            if isinstance(made, Wait):
                self._wait(made.until - member.context.clock.now())
            else:
                member.report.processed += 1
                self._emit(member, made, None)
            self._idle()

    def _wait(self, seconds: float) -> None:
        """Wait, but no longer than until a command or `wake` comes or the loop should show that it is alive."""
        with self._hub.lock:
            if seconds > 0 and not self._woken:
                self._hub.lock.wait(min(seconds, _PATIENCE_S))
            self._woken = False

    def _run_inlets(self) -> None:
        while True:
            self.turn()
            arrival = self._inbox.get(_PATIENCE_S)
            if arrival is not None:
                self._take(arrival)
            elif all(inlet.ended for inlet in self._hub.inlets):
                return
            self._idle()

    def _idle(self) -> None:
        """Let stages make what is due by the clock, such as word that nothing comes any more."""
        if time.monotonic() < self._idle_due:
            return
        self._idle_due = time.monotonic() + _PATIENCE_S
        for member in self._members:
            if isinstance(member.node, Stage):
                for out in member.node.idle() or ():
                    self._emit(member, out, member.last)

    def _take(self, arrival: Arrival) -> None:
        inlet, message = arrival.inlet, arrival.message
        inlet.note_gap(message)
        clock = self._members[0].context.clock
        self.late_s = clock.wall() - message.source_time
        self._feed(self._members[0], message, inlet.edge.port)  # what it fails on is not finished with: it is lost
        inlet.done(arrival, max(clock.wall() - message.source_time, 0.0))

    def _feed(self, member: Member, message: Message, port: str) -> None:
        """Let a member process a message and pass on what it makes."""
        member.last = message
        start = time.perf_counter()
        made: Iterable[Message] = list(member.node.process(message, port) or ())  # type: ignore[attr-defined]
        member.report.busy_s += time.perf_counter() - start
        member.report.processed += 1
        if isinstance(member.node, Sink) and not message.sparse:
            member.report.step = message.next_step - message.hop
        for out in made:
            self._emit(member, out, message)

    def _emit(self, member: Member, message: Message, origin: Message | None) -> None:
        member.stamp(message, origin)
        if member.outlet is not None and self._room(member, message):
            member.outlet.put(message)
        if member.downstream is not None:
            self._feed(member.downstream, message, member.downstream.port)

    def _room(self, member: Member, message: Message) -> bool:
        """Wait for room on `block` links; False if a seek has made the message void meanwhile."""
        outlet, context = member.outlet, member.context
        assert outlet is not None
        outlet.flush(message.flush_before)
        while not outlet.wait_for_room(_PATIENCE_S):
            self.turn()
            if message.epoch < context.flush_before:
                context.count("flushed")
                return False
        return True

    def _flush(self, member: Member) -> None:
        for out in member.node.flush() or () if not isinstance(member.node, Source) else ():  # type: ignore[attr-defined]
            self._emit(member, out, member.last)
