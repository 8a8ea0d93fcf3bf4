"""One link from both ends, over real sockets and without a thread: credit, policies, what is counted."""

import pytest

from engine.link_protocol import Grant, Hello, Tag
from engine.message import Message


class Mark(Message):
    sparse = True


def test_messages_arrive_in_order_and_are_counted_at_both_ends(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 100}))
    inlet, inbox = ends.consume(policy={"drop_oldest": 100})
    ends.put(*range(50))
    assert ends.values(inbox) == list(range(50))
    sender = ends.sender()
    assert (sender.sent, sender.delivered, sender.in_flight, sender.depth, sender.lost) == (50, 50, 0, 0, 0)
    assert sender.bytes > 50 * 8
    assert inlet.statistics().received == 50


def test_nothing_is_lost_before_a_named_consumer_is_there(ends):
    ends.produce_for(ends.edge())
    ends.put(0, 1, 2)
    ends.turn()
    _, inbox = ends.consume()
    assert ends.values(inbox) == [0, 1, 2]


def test_the_producer_never_has_more_under_way_than_it_was_granted(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 100}))
    socket = ends.raw_consumer("sink")
    ends.put(*range(100))
    granted = done = came = 0
    for messages in (3, 3, 7, 8, 50):
        ends.say(socket, Tag.GRANT, Grant("c", messages, 1 << 30, done))
        ends.turn()
        came += sum(parts[0] == Tag.DATA.value for parts in ends.heard(socket))
        granted = messages
        assert came == granted == ends.sender().in_flight + done
        done = came - 1
    assert ends.sender().sent == 50


def test_a_consumer_that_is_slow_holds_its_window_and_no_more(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 1000}))
    ends.consume(policy={"drop_oldest": 1000})
    ends.put(*range(100))
    ends.turn()
    held = ends.sender().in_flight
    assert 1 <= held <= 8
    ends.put(*range(100, 500))
    ends.turn()
    assert ends.sender().in_flight == held


def test_credit_in_bytes_holds_large_messages_back_and_lets_a_huge_one_through_alone(ends):
    ends.produce_for(ends.edge())
    socket = ends.raw_consumer("sink")
    ends.say(socket, Tag.GRANT, Grant("c", 100, 10_000, 0))
    ends.turn()
    ends.put(0, 1, nbytes=4_000)
    ends.put(2, nbytes=80_000)
    ends.put(3)
    ends.turn()
    assert ends.sender().sent == 2
    ends.say(socket, Tag.GRANT, Grant("c", 100, 20_000, 2))
    ends.turn()
    assert (ends.sender().sent, ends.sender().in_flight) == (3, 1)
    ends.say(socket, Tag.GRANT, Grant("c", 100, 200_000, 3))
    ends.turn()
    assert ends.sender().sent == 4


def test_latest_gives_the_newest_picture_after_the_one_being_shown(ends):
    ends.produce_for(ends.edge(policy="latest"))
    _, inbox = ends.consume(policy="latest")
    ends.turn()
    ends.put(0)
    ends.turn()
    shown = ends.take(inbox)
    ends.put(*range(1, 50))
    ends.turn()
    assert inbox.get(0.0) is None
    shown.inlet.done(shown, 0.2)
    assert ends.values(inbox) == [49]
    assert (ends.sender().dropped, ends.sender().lost) == (48, 0)


def test_a_slow_consumer_does_not_hold_up_another_on_a_live_stream(ends):
    ends.live = True
    ends.produce_for(ends.edge("slow", {"block": 1.0}), ends.edge("quick", {"drop_oldest": 100}))
    ends.consume("slow")
    _, quick = ends.consume("quick")
    for step in range(100):
        assert ends.outlet.wait_for_room(0.0)
        ends.put(step, rate_hz=10.0)
        ends.turn()
    assert ends.values(quick) == list(range(100))
    slow, other = ends.outlet.statistics()
    assert slow.lost > 0
    assert slow.sent + slow.depth + slow.lost == 100
    assert (other.lost, other.dropped) == (0, 0)


def test_in_a_replay_the_producer_waits_for_room_and_the_wait_is_counted(ends):
    ends.produce_for(ends.edge())
    for step in range(ends.edge().policy.depth):
        assert ends.outlet.wait_for_room(0.0)
        ends.put(step)
    assert not ends.outlet.wait_for_room(0.01)
    assert ends.sender().blocked_s >= 0.01
    ends.consume()
    ends.turn()
    assert ends.outlet.wait_for_room(0.0)


def test_a_stale_credit_of_an_older_connection_is_ignored(ends):
    ends.produce_for(ends.edge())
    socket = ends.raw_consumer("sink", connection="old")
    ends.say(socket, Tag.HELLO, Hello(1, "sink", "in", "new", "block"))
    ends.say(socket, Tag.GRANT, Grant("old", 1000, 1 << 30, 0))
    ends.put(0)
    ends.turn()
    assert ends.sender().sent == 0


@pytest.mark.parametrize("done", [5, 1 << 40])
def test_a_consumer_cannot_have_finished_with_more_than_it_got(ends, done):
    ends.produce_for(ends.edge())
    socket = ends.raw_consumer("sink")
    ends.put(0, 1)
    ends.say(socket, Tag.GRANT, Grant("c", 2, 1 << 30, 0))
    ends.turn()
    ends.say(socket, Tag.GRANT, Grant("c", 2, 1 << 30, done))
    ends.turn()
    assert (ends.sender().delivered, ends.sender().in_flight) == (0, 2)


def test_a_seek_flushes_what_waits_at_both_ends_and_none_of_it_is_lost(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 100}))
    inlet, inbox = ends.consume(policy={"drop_oldest": 100})
    ends.put(*range(30))
    ends.turn()
    ends.put(1000, epoch=1, flush_before=1)
    assert ends.values(inbox)[-1] == 1000
    sender, receiver = ends.sender(), inlet.statistics()
    assert sender.flushed > 0
    assert sender.flushed + receiver.flushed + sender.delivered - receiver.flushed == 31
    assert (sender.lost, sender.dropped, receiver.gap_steps) == (0, 0, 0)


def test_a_seek_on_one_port_leaves_what_came_in_on_another_alone(ends):
    ends.produce_for(ends.edge(port="a"), ends.edge(port="b"))
    a, inbox = ends.consume(port="a")
    ends.put(0)
    ends.turn()
    b, _ = ends.consume(port="b", inbox=inbox)
    ends.turn()
    ends.put(9, epoch=5, flush_before=5)  # port b holds step 0, port a does too, and a hears of the seek first
    ends.turn()
    assert (a.flushed, b.flushed) == (1, 1)
    assert [ends.take(inbox).message.step for _ in range(2)] == [9, 9]


def test_steps_that_never_came_are_a_gap_whatever_took_them(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 2}))
    inlet, inbox = ends.consume(policy={"drop_oldest": 2})
    messages = []
    for steps in ((0, 1), (5,), (6,)):
        ends.put(*steps)
        ends.turn()
        while (arrival := inbox.get(0.0)) is not None:
            inlet.note_gap(arrival.message)
            inlet.done(arrival, 0.0)
            messages.append((arrival.message.step, arrival.message.gap))
    assert messages == [(0, 0), (1, 0), (5, 3), (6, 0)]
    assert inlet.statistics().gap_steps == 3


def test_a_new_epoch_is_no_gap_and_neither_is_a_hop_that_changed(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 9}))
    inlet, inbox = ends.consume(policy={"drop_oldest": 9})
    ends.put(0, hop=20)
    ends.put(40, hop=40)
    ends.put(5000, epoch=1)
    ends.turn()
    while (arrival := inbox.get(0.0)) is not None:
        inlet.note_gap(arrival.message)
    assert inlet.statistics().gap_steps == 0


def test_between_messages_of_a_sparse_kind_nothing_is_missing(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 9}))
    inlet, _ = ends.consume(policy={"drop_oldest": 9})
    for step in (10, 10, 7_000):
        inlet.note_gap(Mark(step=step))
    assert inlet.statistics().gap_steps == 0


def test_a_bad_message_is_counted_and_its_credit_comes_back(ends, caplog):
    ends.produce_for(ends.edge(policy={"drop_oldest": 200}))
    inlet, inbox = ends.consume(policy={"drop_oldest": 200})
    ends.turn()
    for step in range(40):
        ends.put(step)
        parcel = ends.outlet._consumers[0].queue.peek()
        parcel.parts[0] = b"\xc1" + parcel.parts[0]
        ends.turn()
    ends.put(40)
    assert ends.values(inbox) == [40]
    assert inlet.statistics().bad == 40
    assert len(caplog.records) == 6  # the 1st, 2nd, 4th, 8th, 16th and 32nd
