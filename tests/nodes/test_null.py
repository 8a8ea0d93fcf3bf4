import time

from engine.testing import make_node
from nodes.messages import Reading
from nodes.null import Null


def messages():
    return [Reading(step=k, count=5) for k in range(3)]


def test_it_counts_items_of_any_kind():
    node = make_node(Null)
    for message in messages():
        node.process(message, "in")
    assert node.context.counters["items"] == 15


def test_it_spends_the_time_asked_for_on_each_message(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    node = make_node(Null, delay_ms=200)
    for message in messages():
        node.process(message, "in")
    assert slept == [0.2, 0.2, 0.2]
