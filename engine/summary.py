"""What a run comes to: one table of nodes, one of links, and an exit status.

Both tables are the same in the status of a running pipeline and in the summary at its end; every figure counts from the
start of the run, over all lives of a process.
"""

from typing import Any

import msgspec

from engine.node import live_options
from engine.plans import Planner
from engine.rundir import RunDirectory
from engine.telemetry import MemberReport, link_table
from engine.worker import Worker

__all__ = ["exit_status", "status_table"]


def status_table(workers: list[Worker], planner: Planner, run: RunDirectory) -> dict[str, Any]:
    """Return ``{"nodes": {name: …}, "links": […]}``."""
    endpoints = planner.listening(run)
    nodes: dict[str, Any] = {}
    for worker in workers:
        members = {member.name: member for member in worker.whole_report.members}
        for name in worker.nodes:
            nodes[name] = {
                **_node_row(worker, planner, members.get(name, MemberReport(name))),
                "endpoint": endpoints.get(name, ""),
            }
    return {"nodes": nodes, "links": link_table([worker.whole_report for worker in workers], planner.local_links())}


def _node_row(worker: Worker, planner: Planner, member: MemberReport) -> dict[str, Any]:
    spec = planner.spec(member.name)
    return {
        "type": spec.node_type.__name__,
        **worker.status(),
        "busy": round(member.busy_s / worker.lifetime_s, 3),
        "processed": member.processed,
        "emitted": member.emitted,
        "step": member.step,
        "counters": member.counters,
        "options": msgspec.to_builtins(spec.options),
        "live_options": sorted(live_options(type(spec.options))),
        "status": member.status,
    }


def exit_status(status: dict[str, Any], *, user_error: bool, failed: bool) -> int:
    """Return 0 if the run kept every promise, 1 if it did not, 2 if it was asked for something impossible.

    A `block` link promises to lose nothing; a node promises to stay up, or to come back, and a source to keep what it
    was given: what its buffer could not hold is its counter ``steps_overrun``.
    """
    if user_error:
        return 2
    broken = any(link["policy"].startswith("block") and link.get("lost") for link in status["links"])
    overrun = any(node["counters"].get("steps_overrun") for node in status["nodes"].values())
    return 1 if failed or broken or overrun else 0
