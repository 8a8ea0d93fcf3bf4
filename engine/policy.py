"""What a link does when its consumer is slower than its producer; the consumer chooses."""

from typing import Any, Literal

import msgspec

from engine.exceptions import PipelineError

__all__ = ["Policy"]

_DEFAULT_DEPTH = {"drop_oldest": 32, "block": 4}
"""Live queues ride out a hiccup; in a replay everything that waits makes the picture older."""
_DEFAULT_BUFFER_S = 2.0


class Policy(msgspec.Struct, frozen=True):
    """A link's policy.

    Attributes
    ----------
    name : {"block", "drop_oldest", "latest"}
        ``block`` loses nothing: in a replay the source waits; on a live source it has a buffer of its own and what
        does not fit is counted lost. ``drop_oldest`` keeps a bounded queue. ``latest`` keeps the newest message.
    depth : int
        Messages that wait at most (``drop_oldest``; ``block`` in a replay).
    buffer_s : float
        Seconds of a live stream that wait at most (``block``).
    """

    name: Literal["block", "drop_oldest", "latest"]
    depth: int = _DEFAULT_DEPTH["block"]
    buffer_s: float = _DEFAULT_BUFFER_S

    @classmethod
    def parse(cls, text: Any) -> "Policy":
        """Read a policy as a pipeline file writes it.

        Parameters
        ----------
        text : str or dict
            ``latest``, ``block``, ``{block: SECONDS}``, ``drop_oldest`` or ``{drop_oldest: MESSAGES}``.

        Raises
        ------
        PipelineError
            If it is none of these.
        """
        name, value = next(iter(text.items())) if isinstance(text, dict) and len(text) == 1 else (text, None)
        match name, value:
            case "latest", None:
                return cls("latest", depth=1)
            case (("block" | "drop_oldest"), None):
                return cls(name, depth=_DEFAULT_DEPTH[name])
            case "block", int() | float() if 0 < value <= 3600:
                return cls("block", buffer_s=float(value))
            case "drop_oldest", int() if 1 <= value <= 1_000_000:
                return cls("drop_oldest", depth=value)
        raise PipelineError(
            f"policy {text!r} is none of: latest, block, {{block: seconds of buffer}}, "
            "drop_oldest, {drop_oldest: messages}"
        )

    def __str__(self) -> str:
        """Return the policy as a pipeline file writes it."""
        match self.name:
            case "drop_oldest":
                return f"drop_oldest: {self.depth}"
            case "block":
                return f"block: {self.buffer_s:g} s"
        return self.name
