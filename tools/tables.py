"""Tables of a pipeline's nodes and links, from the status or the summary of a run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "link_table", "node_table"]

_COUNTS = ("sent", "delivered", "dropped", "flushed", "lost", "bad", "gap_steps")
_WIDTH = 160


def console(*, stderr: bool = False) -> "Console":
    """Return a console as wide as the terminal, and wide enough for the tables where there is none."""
    from rich.console import Console

    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDTH)


def node_table(status: dict[str, Any]) -> "Table":
    """One row a node: what it did, what it cost, and what went wrong."""
    from rich.table import Table

    table = Table(title="nodes", title_justify="left")
    for heading in ("node", "type", "phase"):
        table.add_column(heading, overflow="fold")
    for heading in ("messages in", "out", "busy %", "CPU %", "MB", "restarts"):
        table.add_column(heading, justify="right")
    table.add_column("counted", overflow="fold")
    for name, node in status["nodes"].items():
        # `busy` is the part of its time in which the node works; `cpu` is that of its whole process.
        shares = (f"{100 * node['busy']:.0f}", f"{100 * node['cpu']:.0f}")
        figures = (*shares, f"{node['rss_mb']:.0f}", str(node["restarts"]))
        counted = ", ".join(f"{key} {value}" for key, value in sorted(node["counters"].items()) if value)
        remark = "; ".join(filter(None, (node["failure"], counted)))
        table.add_row(name, node["type"], node["phase"], str(node["processed"]), str(node["emitted"]), *figures, remark)
    return table


def link_table(status: dict[str, Any]) -> "Table":
    """One row a link: what went through it, what did not, and how old it was on arrival.

    A link of which only one end has reported yet has zeros for the other's figures.
    """
    from rich.table import Table

    table = Table(title="links", title_justify="left")
    table.add_column("link", overflow="fold")
    table.add_column("policy")
    for heading in (*_COUNTS, "MB", "blocked s"):
        table.add_column(heading.replace("_", " "), justify="right")
    table.add_column("age ms p50 / p99 / max", justify="right")
    for link in status["links"]:
        counts = [str(link.get(key, 0)) for key in _COUNTS]
        age = link.get("age_ms") or {"p50": 0.0, "p99": 0.0, "max": 0.0}
        table.add_row(
            f"{link['source']} → {link['target']}" + ("" if link["port"] == "in" else f".{link['port']}"),
            str(link["policy"]),
            *counts,
            f"{link.get('bytes', 0) / 1e6:.1f}",
            f"{link.get('blocked_s', 0.0):.1f}",
            f"{age['p50']:.0f} / {age['p99']:.0f} / {age['max']:.0f}",
        )
    return table
