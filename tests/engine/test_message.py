from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from engine import Message, array, array_map
from engine.exceptions import EnvelopeError
from engine.message import kind_named


@dataclass(kw_only=True, eq=False)
class Maps(Message, kind="test.maps"):
    first: Any = array()
    second: Any = array(optional=True)
    others: Any = array_map()


def test_the_next_step_follows_the_last_item():
    message = Message(step=40, count=3, hop=20)
    assert message.next_step == 100
    assert list(message.steps) == [40, 60, 80]


def test_arrays_are_named_in_order_and_absent_ones_left_out():
    message = Maps(step=0, first=np.ones(1), others={"a": np.ones(2), "b": np.ones(3)})
    named = [(name, part.size) for name, part in message.named_arrays()]
    assert named == [("first", 1), ("others/a", 2), ("others/b", 3)]


def test_a_kind_is_found_by_its_name_on_the_wire():
    assert kind_named("test.maps") is Maps


def test_an_unknown_kind_names_those_that_are_known():
    with pytest.raises(EnvelopeError, match=r"unknown kind of message 'test\.map'; known: .*test\.maps"):
        kind_named("test.map")
