import io

import pytest
from rich.console import Console

from tools.tables import tables

NODE = {
    "type": "Magnify",
    "phase": "running",
    "processed": 1_234_567,
    "emitted": 1_234_567,
    "busy": 0.987,
    "cpu": 0.987,
    "rss_mb": 1234.5,
    "restarts": 3,
    "failure": "",
    "counters": {"hop_raised": 3, "steps_lost": 0},
}
LINK = {
    "source": "reconstruct",
    "target": "magnify",
    "port": "in",
    "policy": "drop_oldest: 8",
    "sent": 123_456,
    "delivered": 123_000,
    "dropped": 1_234,
    "lost": 12,
    "gap_steps": 12_345,
    "age_ms": {"p50": 1234.0, "p99": 2345.0, "max": 3456.0},
}
STATUS = {"nodes": {"reconstruct": NODE, "magnify": NODE}, "links": [LINK]}


def printed(status, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(*tables(status, width))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_every_node_and_link_is_one_unbroken_line(width):
    rows = printed(STATUS, width)
    assert max(map(len, rows)) <= width
    (node,) = [row for row in rows if "magnify" in row and "→" not in row]
    for figure in ("running", "1234567", "1234", "99", "3"):
        assert figure in node
    (link,) = [row for row in rows if "reconstruct → magnify" in row]
    for figure in ("drop_oldest: 8", "123456", "1234", "12345", "2345"):
        assert figure in link


def test_with_room_there_is_all_of_it():
    shown = "\n".join(printed(STATUS, 160))
    for part in ("busy %", "hop_raised 3", "blocked s", "1234 / 2345 / 3456", "flushed"):
        assert part in shown
    assert "steps_lost" not in shown


def test_what_was_not_measured_is_a_dash():
    unread = LINK | {"delivered": 0, "age_ms": {"p50": 0.0, "p99": 0.0, "max": 0.0}}
    rows = printed({"nodes": {"reconstruct": NODE}, "links": [unread]}, 80)
    assert rows[-1].split()[-1] == "–"
    (source,) = [row for row in rows if "running" in row]
    assert source.split()[2] == "–"
