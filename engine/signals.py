"""Signals that end a run: the supervisor alone acts on them, whoever of its processes gets them as well."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ENDING", "held_back", "leave_to_supervisor"]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager's stop, and a terminal that closes."""


@contextmanager
def held_back() -> Iterator[None]:
    """Hold them back in this thread; a process that is made meanwhile is born so, and none ends it unprepared."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_supervisor() -> None:
    """Ignore them in a child from now on: a service manager sends them to every process, and the child has to drain."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
