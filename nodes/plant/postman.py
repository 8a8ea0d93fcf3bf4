"""Delivery by HTTP in a thread of its own: in order, tried again until it succeeds or is too old, bounded."""

import http.client
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Letter", "Postman"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_URGENT_PAUSE_S = 0.25
_GOODBYE_S = 1.0
_PASSING = frozenset({408, 425, 429})
"""Refusals that another try may cure, besides the server's own failures."""


class Letter(NamedTuple):
    """One body to be delivered."""

    body: bytes
    headers: Mapping[str, str]
    due_s: float
    """Monotonic time after which nobody wants it any more."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Following would turn the POST into a GET."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere."""
        return


class Postman:
    """Posts letters to one address.

    Parameters
    ----------
    url : str
        Where to.
    capacity : int
        Letters that wait at most; the oldest goes.
    timeout_s : float
        How long one try may hang in the network.
    say : callable
        Takes a line for the log.

    Attributes
    ----------
    counts : Counter
        ``events_taken``; of these ``events_delivered``, ``events_dropped`` (no room), ``events_expired`` and
        ``events_refused`` (the server will not have it); ``events_retries``.
    """

    def __init__(self, url: str, *, capacity: int, timeout_s: float, say: Callable[[str], None]) -> None:
        self._url, self._capacity, self._timeout_s, self._say = url, capacity, timeout_s, say
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._waiting: deque[Letter] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._urgent = False
        self._failing = False
        self._crash: Exception | None = None
        self.counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Letters not yet delivered, the one under way included."""
        return len(self._waiting)

    def post(self, letter: Letter) -> None:
        """Hand over a letter; never waits. Raises what has ended the thread."""
        with self._changed:
            self._raise_crash()
            self.counts["events_taken"] += 1
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self._lose("dropped", f"more than {self._capacity} events wait")
            self._waiting.append(letter)
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Try again at once, and wait until everything is delivered, at most so long; return whether it is.

        Raises what has ended the thread.
        """
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting or self._crash is not None, seconds)
            self._raise_crash()
            return not self._waiting

    def close(self) -> None:
        """Stop; what waits, or was not answered yet, is dropped and counted."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_GOODBYE_S)
        with self._changed:
            if self._waiting:
                self.counts["events_dropped"] += len(self._waiting)
                self._say(f"{len(self._waiting)} events were never delivered")
            self._waiting.clear()

    def _raise_crash(self) -> None:
        if self._crash is not None:
            raise self._crash

    def _run(self) -> None:
        try:
            self._deliver()
        except Exception as error:  # it comes out where the node is, instead of ending a thread unseen
            with self._changed:
                self._crash = error
                self._changed.notify_all()

    def _deliver(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while (letter := self._next()) is not None:
            if self._settle(letter):
                pause_s = _FIRST_PAUSE_S
                continue
            self.counts["events_retries"] += 1
            pause_s = self._rest(pause_s)

    def _rest(self, seconds: float) -> float:
        """Wait before the next try; return how long to wait before the one after it."""
        with self._changed:
            calm = not self._urgent
            pause_s = seconds * random.uniform(0.5, 1.0) if calm else _URGENT_PAUSE_S
            self._changed.wait_for(lambda: self._closing or (calm and self._urgent), pause_s)
            return _FIRST_PAUSE_S if self._urgent else min(2 * seconds, _LONGEST_PAUSE_S)

    def _next(self) -> Letter | None:
        """Return the oldest letter, which stays in the queue until it is settled; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or bool(self._waiting))
            return None if self._closing else self._waiting[0]

    def _settle(self, letter: Letter) -> bool:
        """Try once, if anybody still wants it; return False if it should be tried again."""
        late = time.monotonic() >= letter.due_s
        outcome, reason = ("expired", "too old") if late else self._try(letter)
        if outcome == "failed" and time.monotonic() >= letter.due_s:
            outcome = "expired"
        with self._changed:
            if outcome == "failed":
                self._tell_failing(reason)
                return False
            if self._waiting and self._waiting[0] is letter:  # it may have been dropped to make room
                self._waiting.popleft()
                self._changed.notify_all()
                if outcome == "delivered":
                    self.counts["events_delivered"] += 1
                else:
                    self._lose(outcome, reason)
            self._failing = self._failing and outcome != "delivered"
            return True

    def _try(self, letter: Letter) -> tuple[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "spikemm", **letter.headers}
        request = urllib.request.Request(self._url, letter.body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout_s):
                return "delivered", ""
        except urllib.error.HTTPError as error:
            with error:
                passing = error.code >= 500 or error.code in _PASSING
            return "failed" if passing else "refused", f"status {error.code}"
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            return "failed", str(reason) or type(reason).__name__
        except ValueError as error:
            return "refused", f"it cannot be sent: {type(error).__name__}"

    def _tell_failing(self, reason: str) -> None:
        """Say so once, until a delivery succeeds again."""
        if not self._failing:
            self._say(f"delivery fails ({reason}); trying again")
        self._failing = True

    def _lose(self, how: str, reason: str) -> None:
        """Count a lost letter; say so of the 1st, 2nd, 4th, 8th …: a flood must not fill the log."""
        self.counts[f"events_{how}"] += 1
        number = self.counts[f"events_{how}"]
        if number & (number - 1) == 0:
            self._say(f"{number} events {how} ({reason})")
