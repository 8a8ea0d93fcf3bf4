import queue
import threading

import pytest

from engine.exceptions import ControlError
from nodes.measuring import steering
from nodes.measuring.steering import Steering

WAIT_S = 10.0


class Socket:
    """A control socket that notes what is set and answers when it may."""

    def __init__(self):
        self.sent = queue.Queue()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.refusals = []
        self.closed = False

    def request(self, request, **arguments):
        self.sent.put((request, arguments["node"], arguments["option"], arguments["value"]))
        assert self.may_answer.wait(WAIT_S)
        if self.refusals:
            raise ControlError(self.refusals.pop())

    def close(self):
        self.closed = True


@pytest.fixture
def socket():
    return Socket()


@pytest.fixture
def steers(socket):
    with Steering("ipc://control", "strobe", connect=lambda endpoint: socket) as steers:
        yield steers
    assert socket.closed


def test_a_frequency_is_set_as_the_strobes_live_option(steers, socket):
    steers.offer(497.02)
    assert socket.sent.get(timeout=WAIT_S) == ("set", "strobe", "strobe_hz", 497.02)


def test_of_those_that_come_too_fast_the_newest_is_sent(steers, socket):
    socket.may_answer.clear()
    for hz in (400.0, 450.0, 497.0):
        steers.offer(hz)
        if hz == 400.0:
            assert socket.sent.get(timeout=WAIT_S)[-1] == 400.0
    socket.may_answer.set()
    assert socket.sent.get(timeout=WAIT_S)[-1] == 497.0


def test_a_change_that_would_not_be_seen_is_not_sent_however_often_it_comes(steers, socket):
    steers.offer(497.0)
    assert socket.sent.get(timeout=WAIT_S)[-1] == 497.0
    steers.offer(497.004)
    with pytest.raises(queue.Empty):
        socket.sent.get(timeout=0.1)
    steers.offer(497.008)
    assert socket.sent.get(timeout=WAIT_S)[-1] == 497.008


def test_what_is_no_frequency_is_left_out(steers, socket):
    for hz in (float("nan"), float("inf"), 0.0, -3.0, 310.0):
        steers.offer(hz)
    assert socket.sent.get(timeout=WAIT_S)[-1] == 310.0


def test_a_failure_is_said_once_and_tried_again_until_it_is_over(socket, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(steering, "_RETRY_S", 0.01)
    socket.refusals = ["strobe is STARTING, not running"] * 3
    with Steering("ipc://control", "strobe", connect=lambda endpoint: socket) as steers:
        steers.offer(497.0)
        assert [socket.sent.get(timeout=WAIT_S)[-1] for _ in range(4)] == [497.0] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "strobe is not steered to 497.000 Hz: strobe is STARTING, not running",
        "strobe is steered again, to 497.000 Hz",
    ]
