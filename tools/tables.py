"""Tables of a pipeline's nodes and links, from the status or the summary of a run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "tables"]

_COUNTS = ("sent", "delivered", "dropped", "flushed", "lost", "bad", "gap_steps")
_FEW_COUNTS = ("sent", "dropped", "lost", "gap_steps")
_WIDTH = 160
_ROOM_FOR_ALL = 150
_NONE = "–"
_FEW_FIGURES = ("in", "out", "CPU %", "MB", "restarts")


def console(*, stderr: bool = False) -> "Console":
    """Return a console as wide as the terminal, and wide enough for the tables where there is none."""
    from rich.console import Console

    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDTH)


def tables(status: dict[str, Any], width: int) -> "list[Table]":
    """Return a table of the nodes and one of the links, with fewer columns where `width` characters hold no more."""
    fits = width >= _ROOM_FOR_ALL
    return [_node_table(status, fits), _link_table(status, fits)]


def _empty_table(title: str, fits: bool) -> "Table":
    from rich.table import Table

    if fits:
        return Table(title=title, title_justify="left")
    return Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))


def _node_table(status: dict[str, Any], fits: bool) -> "Table":
    """One row a node: what it did, what it cost, and what went wrong."""
    table = _empty_table("nodes", fits)
    for heading in ("node", "type", "phase") if fits else ("node", "phase"):
        table.add_column(heading, overflow="fold")
    for heading in ("messages in", "out", "busy %", "CPU %", "MB", "restarts") if fits else _FEW_FIGURES:
        table.add_column(heading, justify="right")
    if fits:
        table.add_column("counted", overflow="fold")
    readers = {link["target"] for link in status["links"]}
    for name, node in status["nodes"].items():
        messages = str(node["processed"]) if name in readers else _NONE, str(node["emitted"])
        # `busy` is the part of its time in which the node works; `cpu` is that of its whole process.
        busy, cpu = f"{100 * node['busy']:.0f}", f"{100 * node['cpu']:.0f}"
        costs = cpu, f"{node['rss_mb']:.0f}", str(node["restarts"])
        if fits:
            table.add_row(name, node["type"], node["phase"], *messages, busy, *costs, _remark(node))
        else:
            table.add_row(name, node["phase"], *messages, *costs)
    return table


def _remark(node: dict[str, Any]) -> str:
    counted = ", ".join(f"{key} {value}" for key, value in sorted(node["counters"].items()) if value)
    return "; ".join(filter(None, (node["failure"], counted)))


def _link_table(status: dict[str, Any], fits: bool) -> "Table":
    """One row a link: what went through it, what did not, and how old it was on arrival.

    A link of which only one end has reported yet has zeros for the other's figures.
    """
    table = _empty_table("links", fits)
    table.add_column("link", overflow="fold")
    table.add_column("policy")
    counts = _COUNTS if fits else _FEW_COUNTS
    for heading in (*counts, "MB", "blocked s") if fits else counts:
        table.add_column(heading.replace("_", " ") if fits else heading.removesuffix("_steps"), justify="right")
    ages = ("p50", "p99", "max") if fits else ("p50", "p99")
    table.add_column(f"age ms {' / '.join(ages)}" if fits else "age p50/p99", justify="right")
    for link in status["links"]:
        costs = (f"{link.get('bytes', 0) / 1e6:.1f}", f"{link.get('blocked_s', 0.0):.1f}") if fits else ()
        table.add_row(
            f"{link['source']} → {link['target']}" + ("" if link["port"] == "in" else f".{link['port']}"),
            str(link["policy"]),
            *(str(link.get(key, 0)) for key in counts),
            *costs,
            _age(link, ages, " / " if fits else "/"),
        )
    return table


def _age(link: dict[str, Any], which: tuple[str, ...], between: str) -> str:
    age = link.get("age_ms")
    if not age or not (age["p50"] or link.get("delivered")):
        return _NONE
    return between.join(f"{age[key]:.0f}" for key in which)
