"""What a node's process tells its supervisor about itself, and how reports of several lives add up."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.graph import Edge
from engine.statistics import InletStatistics, OutletStatistics

__all__ = ["MemberReport", "ProcessReport", "add_lives", "died", "link_table"]


class MemberReport(msgspec.Struct):
    """One node, since its process began."""

    name: str
    processed: int = 0
    emitted: int = 0
    busy_s: float = 0.0
    step: int = -1
    """Last step sent or taken."""
    counters: dict[str, int] = {}
    status: dict[str, Any] = {}


class ProcessReport(msgspec.Struct):
    """One process, since it began."""

    beat: int = 0
    """Grows while the node's thread goes round its loop."""
    rss_mb: float = 0.0
    cpu_s: float = 0.0
    members: list[MemberReport] = []
    outlets: list[OutletStatistics] = []
    inlets: list[InletStatistics] = []


_OUTLET_TOTALS = ("sent", "delivered", "dropped", "flushed", "lost", "bytes", "blocked_s")
_INLET_TOTALS = ("received", "flushed", "bad", "gap_steps")


def add_lives(before: ProcessReport | None, after: ProcessReport) -> ProcessReport:
    """Return the report of a process over several lives: totals add up, the rest is the last life's."""
    if before is None:
        return after
    members = {member.name: member for member in before.members}
    return ProcessReport(
        after.beat,
        after.rss_mb,
        before.cpu_s + after.cpu_s,
        [_add_members(members.get(member.name), member) for member in after.members] or before.members,
        _add_halves(before.outlets, after.outlets, _OUTLET_TOTALS),
        _add_halves(before.inlets, after.inlets, _INLET_TOTALS),
    )


def died(report: ProcessReport) -> ProcessReport:
    """Return the last report of a process that was killed.

    Nobody can tell any more what became of the messages that were queued or under way in it: what never arrived shows
    as `gap_steps` at the receiver.
    """
    outlets = [half._replace(in_flight=0, depth=0) for half in report.outlets]
    return msgspec.structs.replace(report, outlets=outlets)


def _add_members(before: MemberReport | None, after: MemberReport) -> MemberReport:
    if before is None:
        return after
    return MemberReport(
        after.name,
        before.processed + after.processed,
        before.emitted + after.emitted,
        before.busy_s + after.busy_s,
        max(after.step, before.step),
        _add_counters(before.counters, after.counters),
        after.status or before.status,
    )


def _add_counters(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Add counters of the same name; of one that is a maximum, called ``…_max``, the larger counts."""
    largest = {name: max(before.get(name, 0), after.get(name, 0)) for name in before | after if name.endswith("_max")}
    return dict(Counter(before) + Counter(after)) | largest


def _add_halves(before: list[Any], after: list[Any], totals: tuple[str, ...]) -> list[Any]:
    """Add the totals of two lives' halves of the same links."""
    earlier = {half[:3]: half for half in before}
    added = []
    for half in after:
        old = earlier.pop(half[:3], None)
        sums = {name: getattr(half, name) + getattr(old, name) for name in totals} if old else {}
        added.append(half._replace(**sums))
    return [*added, *earlier.values()]


def link_table(reports: list[ProcessReport], local: Iterable[Edge] = ()) -> list[dict[str, Any]]:
    """Join the two halves of every link; the ages are the receiver's, the rest the sender's unless only it can know.

    Parameters
    ----------
    reports : list[ProcessReport]
        One a process.
    local : iterable of Edge
        Links with both ends on this host: their rows have every figure from the start. Of a link to another host, or
        to a guest, only the figures of the half that is here are in the row.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for edge in local:
        _join(rows, OutletStatistics(*edge[:3], policy=str(edge.policy)))
        _join(rows, InletStatistics(*edge[:3], policy=str(edge.policy)))
    for report in reports:
        for outlet in report.outlets:
            _join(rows, outlet)
        for inlet in report.inlets:
            _join(rows, inlet)
    return list(rows.values())


def _join(rows: dict[tuple[str, str, str], dict[str, Any]], half: OutletStatistics | InletStatistics) -> None:
    row = rows.setdefault(half[:3], {})
    figures = {**half._asdict(), "flushed": half.flushed + row.get("flushed", 0)}
    if isinstance(half, InletStatistics):
        figures["age_ms"] = figures.pop("age")._asdict()
    row.update(figures)
