"""What a process that computes needs around it: a stated number of threads, and memory that stays."""

import ctypes
import sys

__all__ = ["keep_freed_memory", "thread_environment"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_ARRAY_BYTES = 32 << 20  # the most that glibc takes
_KEPT_BYTES = 512 << 20


def thread_environment(threads: int) -> dict[str, str]:
    """Return the variables that fix the threads of numerical libraries; set them before any of these is imported."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    # Threads that spin while they wait starve every other process of a shared machine.
    return dict.fromkeys(names, str(threads)) | {"OMP_WAIT_POLICY": "PASSIVE"}


def keep_freed_memory() -> None:
    """Let this process keep the memory of freed frames for the next ones.

    glibc gives each large array back to the system, which clears its pages anew for the next frame: on one machine that
    took 60 % of the encoder's time. Elsewhere than on glibc this does nothing.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGEST_ARRAY_BYTES)
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
