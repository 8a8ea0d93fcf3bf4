"""What became of the events that a node has taken over: for the summary, over all of its lives."""

from collections import Counter

from engine import Context
from engine.control import ControlClient
from engine.exceptions import ControlError

__all__ = ["Ledger"]

_SETTLED = ("delivered", "dropped", "expired", "refused", "lost")


class Ledger:
    """Carries what a thread counts into the node's counters.

    In a run that ends by itself ``events_taken`` is the sum of ``events_delivered``, ``_dropped``, ``_expired``,
    ``_refused`` and ``_lost``: the last is what a life that was killed had taken and not settled, as far as it had
    reported (it does so four times a second).

    Parameters
    ----------
    context : Context
        The node's.
    counts : Counter
        What its thread counts.
    """

    def __init__(self, context: Context, counts: Counter[str]) -> None:
        self._context, self._counts = context, counts
        self._told: Counter[str] = Counter()
        if context.incarnation and context.control:
            self._take_over()

    def update(self) -> None:
        """Bring the node's counters up to date."""
        for name, number in tuple(self._counts.items()):
            self._context.count(name, number - self._told[name])
            self._told[name] = number

    def _take_over(self) -> None:
        """Count what the lives before have left; one that ended by an error of its own has left nothing."""
        try:
            with ControlClient(self._context.control) as client:
                before = client.request("status")["nodes"][self._context.name]["counters"]
        except ControlError as error:
            self._context.log.warning("what was under way in the life before is lost, and not counted: %s", error)
            return
        lost = before.get("events_taken", 0) - sum(before.get(f"events_{how}", 0) for how in _SETTLED)
        if lost > 0:
            self._context.count("events_lost", lost)
            self._context.log.warning("%d events that were under way in the life before are lost", lost)
