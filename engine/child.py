"""The main program of a node's process; the supervisor starts it as ``python -P -m engine.child``.

The plan comes on standard input, which then stays open: when it closes, the supervisor is gone, and so is this process.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import psutil

from engine.assembly import import_kinds, make_members
from engine.control_link import ControlLink, ForwardingHandler
from engine.environment import keep_freed_memory
from engine.exceptions import ControlError, EngineError
from engine.hub import Hub
from engine.inlet import Inbox
from engine.loop import Loop, Member
from engine.security import Keys
from engine.signals import leave_to_supervisor
from engine.spawn_plan import SpawnPlan, read_plan
from engine.telemetry import ProcessReport

__all__ = ["Child", "main"]

_STATUS_EVERY_S = 0.25
_DRAIN_LIMIT_S = 30.0
_LATE_S = 1.0


class Child:
    """One process with its nodes, links and line to the supervisor.

    Parameters
    ----------
    plan : SpawnPlan
        What to run.
    """

    def __init__(self, plan: SpawnPlan) -> None:
        self._plan = plan
        self._name = "+".join(member["name"] for member in plan.members)
        self._hub = Hub(Keys(Path(plan.keys)) if plan.keys else None)
        self._control = self._open_control()
        self._inbox = Inbox(self._hub.lock)
        self._members: list[Member] = []
        self._to_close: list[Member] = []
        self._loop: Loop | None = None
        self._started = False
        self._status_due = 0.0
        self._process = psutil.Process()

    def _open_control(self) -> ControlLink:
        socket = self._hub.dealer(self._plan.control)
        control = ControlLink(
            socket,
            lock=self._hub.lock,
            wake=self._hub.wake,
            process=self._name,
            incarnation=self._plan.incarnation,
        )
        self._hub.watch(socket, control.read)
        self._hub.after_every_turn(control.pump)
        self._hub.every_quarter_second(self._send_report)
        return control

    def run(self) -> int:
        """Run to the end of the stream; return the exit status."""
        logging.getLogger().addHandler(ForwardingHandler(self._control))
        logging.getLogger().setLevel(logging.INFO)
        try:
            import_kinds(self._plan)
            self._members = make_members(self._plan, self._hub, self._inbox, wake=self._wake, pressure=self._pressure)
            self._hub.open(self._plan.outputs, self._plan.inputs)
            self._loop = Loop(self._members, self._hub, self._inbox, self._obey)
            self._hub.start()
            self._set_up()
            for inlet in self._hub.inlets:
                inlet.open()
            self._loop.run()
            self._drain()
        except Exception as error:
            self._hub_alive()
            self._fail(error)
            return self._close(failed=True)
        return self._close(failed=False)

    def _hub_alive(self) -> None:
        """Start the line to the supervisor if the failure came before it was open."""
        if self._loop is None:
            self._hub.inlets.clear()
            self._hub.outlets.clear()
            self._hub.start()

    def _pressure(self) -> float:
        """Return how full the fullest queue behind this process is; in a chain, being late counts as well."""
        late = self._loop.late_s / _LATE_S if self._loop and len(self._members) > 1 else 0.0
        return min(1.0, max([late, *(outlet.pressure() for outlet in self._hub.outlets)]))

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.wake()

    def _set_up(self) -> None:
        for member in self._members:
            self._to_close.append(member)
            member.node.setup()
        self._refresh_status()
        self._send_report()
        self._control.send("ready")
        while not self._started:
            self._obey()
            with self._hub.lock:
                if not self._control.has_command:
                    self._hub.lock.wait(0.1)

    def _drain(self) -> None:
        """Wait until every consumer has finished with everything."""
        for outlet in self._hub.outlets:
            outlet.end()
        deadline = time.monotonic() + _DRAIN_LIMIT_S if self._plan.live else float("inf")
        while not all(outlet.drained for outlet in self._hub.outlets) and time.monotonic() < deadline:
            assert self._loop is not None
            self._loop.turn()
            with self._hub.lock:
                self._hub.lock.wait(0.05)

    def _obey(self) -> None:
        """Carry out every command that waits; refresh what is shown of the nodes."""
        while (command := self._control.take_command()) is not None:
            self._carry_out(command)
        if time.monotonic() >= self._status_due:
            self._refresh_status()

    def _carry_out(self, command: dict[str, Any]) -> None:
        match command["type"]:
            case "start":
                self._started = True
                for node, dead in command["gone"].items():
                    self._part_with(node, dead=dead)
            case "stop":
                self._stop(command["abroad"])
            case "gone":
                self._part_with(command["node"], dead=command["dead"])
            case "request":
                self._answer(command)

    def _stop(self, abroad: list[str]) -> None:
        """End the stream here: a source makes no more; what comes from nodes of other hosts counts as ended."""
        assert self._loop is not None
        self._loop.stopping = self._started = True
        for inlet in self._hub.inlets:
            if inlet.edge.source in abroad:
                inlet.end()

    def _part_with(self, node: str, *, dead: bool) -> None:
        """Wait no longer for a node that will not come back."""
        for outlet in self._hub.outlets:
            outlet.forget(node, dead=dead)
        for inlet in self._hub.inlets:
            if inlet.edge.source == node:
                inlet.end()

    def _answer(self, command: dict[str, Any]) -> None:
        member = next(member for member in self._members if member.context.name == command["node"])
        bad_arguments = (ArithmeticError, LookupError, TypeError, ValueError) if command["request"] == "command" else ()
        refusals: tuple[type[Exception], ...] = (ControlError, *member.node.user_errors, *bad_arguments)
        try:
            if command["request"] == "set":
                result = member.set_option(command["option"], command["value"])
            else:
                result = member.node.command(command["name"], command["arguments"])
            self._refresh_status()
            self._send_report()  # who asks for the status after the answer sees what the answer did
            self._control.send("answer", id=command["id"], ok=True, result=_plain(result))
        except refusals as error:
            text = f"{type(error).__name__}: {error}" if isinstance(error, bad_arguments) else str(error)
            self._control.send("answer", id=command["id"], ok=False, error=text)

    def _refresh_status(self) -> None:
        """Copy what the node shows of itself, in the node's own thread."""
        self._status_due = time.monotonic() + _STATUS_EVERY_S
        for member in self._members:
            member.report.counters = _whole(member.context.counters)
            member.report.status = _plain(member.node.status())

    def _report(self) -> ProcessReport:
        return ProcessReport(
            beat=self._loop.beat if self._loop else 0,
            rss_mb=round(self._process.memory_info().rss / 2**20, 2),
            cpu_s=sum(self._process.cpu_times()[:2]),
            members=[member.report for member in self._members],
            outlets=[half for outlet in self._hub.outlets for half in outlet.statistics()],
            inlets=[inlet.statistics() for inlet in self._hub.inlets],
        )

    def _send_report(self) -> None:
        self._control.send("report", report=msgspec.to_builtins(self._report()))

    def _fail(self, error: Exception) -> None:
        user_errors = tuple(kind for member in self._members for kind in member.node.user_errors)
        for_user = isinstance(error, (EngineError, *user_errors))
        text = str(error) if for_user else f"{type(error).__name__}: {error}"
        # A full disk or a cable pulled out is told in one line; only a fault of ours needs its traceback.
        trace = "" if for_user or isinstance(error, OSError) else traceback.format_exc()
        self._control.send("failed", text=text, trace=trace, for_user=for_user)

    def _close(self, *, failed: bool) -> int:
        for member in self._to_close:
            try:
                if not failed:
                    member.report.status = _plain(member.node.status())
                member.node.close()
            except Exception as error:
                if not failed:  # the first failure is the reason; a node whose setup failed may not close either
                    self._fail(error)
                failed = True
            member.report.counters = _whole(member.context.counters)
        for outlet in self._hub.outlets:
            outlet.abandon()
        self._send_report()
        self._control.send("bye", done=not failed)
        self._hub.close()
        return int(failed)


def _plain(value: Any) -> Any:
    """Return what a node says in types that travel; numpy's numbers become Python's."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=lambda other: getattr(other, "tolist", other.__str__)())


def _whole(counters: Mapping[str, Any]) -> dict[str, int]:
    """Return counters as they travel: a plug-in may have left a fraction or a number of numpy's in them."""
    return {name: int(number) for name, number in counters.items()}


def _die_with_parent() -> None:
    """End this process when the supervisor's end of standard input closes, however it ended."""
    while os.read(0, 4096):
        continue
    os._exit(3)


def main() -> int:
    """Run one child; return its exit status."""
    leave_to_supervisor()
    plan = read_plan()
    Thread(target=_die_with_parent, name="orphan watch", daemon=True).start()
    keep_freed_memory()
    sys.setswitchinterval(0.001)  # the sockets' thread must not wait 5 ms for a busy node
    return Child(plan).run()


if __name__ == "__main__":
    raise SystemExit(main())
