"""What to suggest where a name is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[object]) -> str:
    """Return ``did you mean 'encode'?`` where a known name is near, else ``known:`` and all of them."""
    names = [str(other) for other in known]
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
