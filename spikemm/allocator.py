"""Keep the C library from giving a frame's temporaries back to the system only to ask for them again."""

import torch

__all__ = ["keep_freed_memory"]

_BYTES = 31 * 2**20
"""Just below the 32 MiB up to which glibc adapts."""


def keep_freed_memory() -> None:
    """Let freed memory be used again by this process.

    Notes
    -----
    glibc maps large blocks one by one, and returns what is free at the end of its heap: at 250×400 pixels that makes
    some 2000 page faults a frame, 2 ms and more. It raises the sizes from which it does so to that of any mapped block
    that is freed, and twice it; see ``M_MMAP_THRESHOLD`` in mallopt(3). The block is never touched, so it costs
    nothing. With other C libraries nothing happens.
    """
    torch.empty(_BYTES, dtype=torch.uint8)
