"""Numbers that a node asks of those upstream of it, as ``"hop:20"`` in `wants`."""

from collections.abc import Iterable

__all__ = ["wished_number"]


def wished_number(wanted: Iterable[str], name: str, default: int) -> int:
    """Largest number that was asked for under a name, or `default` where nobody asked."""
    prefix = f"{name}:"
    return max((int(wish.removeprefix(prefix)) for wish in wanted if wish.startswith(prefix)), default=default)
