"""What a node asks of those upstream of it by `wants`: numbers, as ``"hop:20"``, a hop that stays, and a scale."""

from collections.abc import Iterable

__all__ = ["FIXED_HOP", "SCALE", "wished_number"]

FIXED_HOP = "fixed hop"
"""Asked of `encode` by who would be misled by fewer frames: a frequency above half their rate folds to another one."""

SCALE = "scale"
"""Asked of `measure` by who needs readings in µm or mm/s."""


def wished_number(wanted: Iterable[str], name: str, default: int) -> int:
    """Largest number that was asked for under a name, or `default` where nobody asked."""
    prefix = f"{name}:"
    return max((int(wish.removeprefix(prefix)) for wish in wanted if wish.startswith(prefix)), default=default)
