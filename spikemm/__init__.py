"""The algorithms of SpikeMM: spikes in, magnified frames out.

`Recording` and `SpikeRing` are the way in; the other modules are imported by name.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikemm.recording import Recording
    from spikemm.ring import SpikeRing

__all__ = ["Recording", "SpikeRing"]

_HOMES = {"Recording": "spikemm.recording", "SpikeRing": "spikemm.ring"}


def __getattr__(name: str) -> Any:
    """Import on first use: a process that only reads a recording does without the compiler that the ring needs."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'spikemm' has no attribute {name!r}")
