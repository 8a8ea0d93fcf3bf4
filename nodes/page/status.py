"""What the page may see of the pipeline's status."""

import re
from typing import Any

__all__ = ["page_status", "without_folders"]

_LINK_FIELDS = (
    "source", "target", "port", "policy", "sent", "delivered", "dropped", "flushed", "lost", "bad", "gap_steps",
    "in_flight", "depth", "age_ms",
)  # fmt: skip
_NODE_FIELDS = ("type", "process", "phase", "restarts", "failure", "processed", "emitted", "busy", "cpu", "rss_mb")
_FOLDERS = re.compile(r"(?<![\w.:/~])/(?:[^\s/]+/)+")  # that an absolute path leads through


def page_status(status: dict[str, Any]) -> dict[str, Any]:
    """Return what of the supervisor's status the page may see: no address, no absolute path, few options.

    The options are the live ones, and what a recorder keeps.
    An address may carry the token of another server of the pipeline, and a page has more readers than its machine.

    Parameters
    ----------
    status : dict
        The supervisor's status.
    """
    nodes = {name: _page_node(node) for name, node in status.get("nodes", {}).items()}
    links = [{key: link.get(key) for key in _LINK_FIELDS} for link in status.get("links", [])]
    kept = {key: without_folders(status.get(key)) for key in ("pipeline", "phase", "seconds", "live", "problems")}
    return {**kept, "nodes": nodes, "links": links}


def without_folders(value: Any) -> Any:
    """Return a value of JSON in which each absolute path is only its last name; a relative one stays as it is."""
    match value:
        case str():
            return _FOLDERS.sub("", value)
        case dict():
            return {key: without_folders(entry) for key, entry in value.items()}
        case list() | tuple():
            return [without_folders(entry) for entry in value]
    return value


def _page_node(node: dict[str, Any]) -> dict[str, Any]:
    options = node.get("options", {})
    return {
        **{key: without_folders(node.get(key)) for key in _NODE_FIELDS},
        **({"keep": options.get("keep")} if node.get("type") == "Record" else {}),
        "live": {name: options.get(name) for name in node.get("live_options", [])},
        "status": {key: without_folders(value) for key, value in node.get("status", {}).items() if key != "url"},
    }
