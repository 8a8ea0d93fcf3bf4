"""One consumer as its producer sees it: a bounded queue, a connection, and the credit that it has granted."""

from engine.graph import Edge
from engine.link_protocol import Grant
from engine.queues import OutboundQueue, Parcel
from engine.statistics import OutletStatistics

__all__ = ["Consumer"]

_STALE_S = 0.5


class Consumer:
    """One consumer: its queue, its credit, and the connection that it has at the moment.

    All of it belongs to the `Outlet`, whose lock is held.

    Parameters
    ----------
    edge : Edge
        The link.
    queue : OutboundQueue
        What waits for it.
    guest : bool
        True for one that the pipeline does not name, or that will not come back: nobody waits for it.
    """

    def __init__(self, edge: Edge, queue: OutboundQueue, *, guest: bool) -> None:
        self.edge, self.queue, self.guest = edge, queue, guest
        self.identity = b""
        self.connection = ""
        self.granted = Grant("", 0, 0, 0)
        self.sent = self.sent_bytes = 0
        self.total_sent = self.total_bytes = self.total_done = 0
        self.lost = 0
        self.blocked_s = 0.0
        self.last_heard = 0.0
        self.end_sent = self.finished = False

    @property
    def in_flight(self) -> int:
        """Messages of this connection that are not finished with."""
        return self.sent - self.granted.done

    def connect(self, identity: bytes, connection: str, now_s: float) -> None:
        """Start a connection; whatever was with the one before is lost."""
        self.disconnect()
        self.finished, self.last_heard = False, now_s
        self.identity, self.connection = identity, connection
        self.granted = Grant(connection, 0, 0, 0)

    def disconnect(self) -> None:
        """End the connection and count what it had not finished with."""
        self.lost += self.in_flight
        self.identity, self.connection = b"", ""
        self.granted, self.sent, self.sent_bytes = Grant("", 0, 0, 0), 0, 0
        self.end_sent = False

    def leave(self) -> None:
        """Let it go; a guest may come back under its name, and its losses stay on the record."""
        self.finished |= self.end_sent and self.in_flight == 0
        self.disconnect()
        if self.guest:
            self.lost += self.queue.clear()

    def credit(self, grant: Grant, now_s: float) -> None:
        """Take what it says it can take and has finished with; what does not fit its connection is a late word."""
        self.last_heard = now_s
        if grant.connection != self.connection or not self.granted.done <= grant.done <= self.sent:
            return
        if self.granted.messages == 0:  # it begins: what has waited for it is no longer live
            self.queue.drop_queued_before(now_s - _STALE_S)
        self.total_done += grant.done - self.granted.done
        self.granted = grant

    @property
    def drained(self) -> bool:
        """True when it has finished with everything and knows that the stream has ended, or nobody waits for it."""
        if not self.identity and self.queue.may_let_go:
            return True
        waiting = bool(self.queue) or self.in_flight > 0
        return self.finished or (not waiting and (self.end_sent or (self.guest and not self.identity)))

    def may_send(self, parcel: Parcel) -> bool:
        """Is there credit for a parcel? One larger than the byte credit goes when nothing else is in flight."""
        if not self.identity or self.sent >= self.granted.messages:
            return False
        return self.sent_bytes + parcel.nbytes <= self.granted.bytes or self.in_flight == 0

    def take(self) -> None:
        """Take the oldest parcel out of the queue and put it under way."""
        parcel = self.queue.take()
        self.sent += 1
        self.sent_bytes += parcel.nbytes
        self.total_sent += 1
        self.total_bytes += parcel.nbytes

    def statistics(self) -> OutletStatistics:
        """Return this half of the link's statistics."""
        return OutletStatistics(
            *self.edge[:3],
            policy=str(self.edge.policy),
            sent=self.total_sent,
            delivered=self.total_done,
            dropped=self.queue.dropped,
            flushed=self.queue.flushed,
            lost=self.lost + self.queue.lost,
            in_flight=self.in_flight,
            depth=len(self.queue),
            bytes=self.total_bytes,
            blocked_s=self.blocked_s,
            connected=bool(self.identity),
        )
