"""What clients ask of a running pipeline: answered here, or passed on to the node's process and back."""

from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec

from engine.control import ControlServer
from engine.exceptions import ControlError
from engine.plans import Planner
from engine.worker import Phase, Worker

__all__ = ["Desk"]

_PENDING_LIMIT = 1000


class _Pending(NamedTuple):
    """A request that a node has to answer."""

    client: bytes
    """Identity of the client's connection."""
    number: Any
    """The client's own number of the request."""
    node: str
    option: str | None
    """The live option that is to change."""


class Desk:
    """Passes requests on to nodes and remembers who waits for the answers.

    Parameters
    ----------
    server : ControlServer
        Where clients and children are.
    by_node : dict[str, Worker]
        The process of every node.
    planner : Planner
        Keeps the options that are in force, so that a restart comes back with them.
    """

    def __init__(self, server: ControlServer, by_node: dict[str, Worker], planner: Planner) -> None:
        self._server, self._by_node, self._planner = server, by_node, planner
        self._count = 0
        self._pending: OrderedDict[int, _Pending] = OrderedDict()

    def serve(self, client: bytes, message: dict[str, Any]) -> None:
        """Pass a ``set`` or ``command`` on, or say why not."""
        try:
            self._pass_on(client, message)
        except ControlError as error:
            self._server.answer(client, message.get("id"), error=str(error))

    def _pass_on(self, client: bytes, message: dict[str, Any]) -> None:
        node = str(message.get("node"))
        worker = self._by_node.get(node)
        if worker is None:
            raise ControlError(f"no node {node!r}; known: {', '.join(self._by_node)}")
        if worker.phase is not Phase.RUNNING:
            later = "; try again in a moment" if worker.phase in (Phase.STARTING, Phase.READY) else ""
            raise ControlError(f"{node} is {worker.phase}, not running{later}")
        fields = _fields(message)
        self._count += 1
        self._pending[self._count] = _Pending(client, message.get("id"), node, fields.get("option"))
        if len(self._pending) > _PENDING_LIMIT:
            self._pending.popitem(last=False)
        self._server.send(worker.identity, type="request", id=self._count, node=node, **fields)

    def answer(self, message: dict[str, Any]) -> None:
        """Pass a node's answer back to the client that waits for it."""
        pending = self._pending.pop(message["id"], None)
        if pending is None:
            return
        if message["ok"] and pending.option is not None:
            spec = self._planner.spec(pending.node)
            changed = {**msgspec.to_builtins(spec.options), pending.option: message["result"]}
            spec.options = msgspec.convert(changed, type(spec.options))
        self._server.answer(pending.client, pending.number, result=message.get("result"), error=message.get("error"))

    def fail(self, nodes: list[str], why: str) -> None:
        """Answer every request that some nodes can no longer answer."""
        for number in [number for number, pending in self._pending.items() if pending.node in nodes]:
            pending = self._pending.pop(number)
            self._server.answer(pending.client, pending.number, error=f"{pending.node} has failed meanwhile: {why}")


def _fields(message: dict[str, Any]) -> dict[str, Any]:
    """Return what goes on to the node's process, checked."""
    if message["request"] == "set":
        if not isinstance(message.get("option"), str) or "value" not in message:
            raise ControlError("set: send node, option (a text) and value")
        return {"request": "set", "option": message["option"], "value": message["value"]}
    arguments = message.get("arguments") or {}
    if not isinstance(message.get("name"), str) or not isinstance(arguments, dict):
        raise ControlError("command: send node, name (a text) and arguments (a map)")
    return {"request": "command", "name": message["name"], "arguments": arguments}
