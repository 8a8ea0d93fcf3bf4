"""The message: what every kind has in common, and how a kind declares its arrays.

A kind is a dataclass below :class:`Message`. Fields made by :func:`array` or :func:`array_map` travel as raw parts of
the multipart message; the fields of :class:`Message` form the envelope; every other field travels in the header under
its own name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from engine.exceptions import EnvelopeError

__all__ = ["Array", "Message", "array", "array_map", "kind_named"]

Array = Any
"""A numpy array; inside a chain also a tensor, which stays on its device until it meets a link."""

_kinds: dict[str, type["Message"]] = {}


def array(*, optional: bool = False) -> Any:
    """Declare a dataclass field that travels as one array (None when absent, if `optional`)."""
    if optional:
        return field(default=None, metadata={"array": "one"})
    return field(metadata={"array": "one"})


def array_map() -> Any:
    """Declare a dataclass field that is a dict of name to array, each travelling as one part; empty by default."""
    return field(default_factory=dict, metadata={"array": "map"})


@dataclass(kw_only=True, eq=False)
class Message:
    """One message of a stream.

    Attributes
    ----------
    kind : str
        The kind's name on the wire.
    sparse : bool
        True for a kind whose messages come now and then: the steps between two of them are not missing.
    step : int
        Sensor step of the first item: the step itself for spikes, the centre of its window for frames.
    count : int
        Number of items (steps or frames).
    hop : int
        Steps from one item to the next.
    gap : int
        Steps that are missing right before this message, because the sensor or a link lost them.
    rate_hz : float
        Steps per second; 0 on a message that a node has just made means "as in the message it came from".
    stream : str
        The node that sent it.
    seq : int
        Number of the message on its stream, from 0.
    epoch : int
        Which run of the source's time line the steps belong to (start, seek, loop).
    flush_before : int
        Messages of an epoch below this one are void wherever they are still queued.
    revision : int
        Grows with every live option that was changed upstream.
    source_time : float
        Wall time, in seconds since 1970, at which the last step covered left the source.
    stamps : dict[str, float]
        Wall time at which each node sent it on.
    """

    kind: ClassVar[str] = ""
    sparse: ClassVar[bool] = False

    step: int
    count: int = 1
    hop: int = 1
    gap: int = 0
    rate_hz: float = 0.0
    stream: str = ""
    seq: int = 0
    epoch: int = 0
    flush_before: int = 0
    revision: int = 0
    source_time: float = 0.0
    stamps: dict[str, float] = field(default_factory=dict)

    def __init_subclass__(cls, kind: str = "") -> None:
        """Register the kind under its name on the wire."""
        if kind:
            cls.kind = kind
            _kinds[kind] = cls

    @property
    def next_step(self) -> int:
        """The step that follows the last item, if nothing is lost."""
        return self.step + self.count * self.hop

    @property
    def steps(self) -> range:
        """Sensor step of every item."""
        return range(self.step, self.next_step, self.hop)

    def named_arrays(self) -> Iterator[tuple[str, Array]]:
        """Every array with its name on the wire, in order."""
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.metadata.get("array") == "one" and value is not None:
                yield spec.name, value
            elif spec.metadata.get("array") == "map":
                yield from ((f"{spec.name}/{name}", part) for name, part in value.items())

    def validate(self) -> None:
        """Check what the envelope cannot know; a kind overrides it.

        Raises
        ------
        EnvelopeError
            If the arrays do not fit the envelope or each other.
        """


def kind_named(kind: str) -> type[Message]:
    """Return the class registered for a kind.

    Raises
    ------
    EnvelopeError
        If no such kind is known in this process.
    """
    try:
        return _kinds[kind]
    except KeyError:
        raise EnvelopeError(f"unknown kind of message {kind!r}; known: {', '.join(sorted(_kinds))}") from None
