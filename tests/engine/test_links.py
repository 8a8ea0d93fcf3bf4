"""One link from both ends, over real sockets and without a thread: what is promised about credit and loss."""

import msgspec
import pytest
import zmq

from engine.exceptions import LinkError
from engine.link_protocol import Grant, Hello, Tag
from engine.outlet import Outlet


def raw_consumer(ends, name="guest", policy="block", connection="c"):
    """Open a consumer by hand."""
    socket = ends.dealer()
    say(socket, Tag.HELLO, Hello(1, name, "in", connection, policy))
    return socket


def say(socket, tag, payload=None):
    socket.send_multipart([tag.value] + ([] if payload is None else [msgspec.msgpack.encode(payload)]))


def heard(socket):
    """Return everything that has come for a raw consumer, by tag."""
    parts = []
    while socket.poll(0):
        parts.append(socket.recv_multipart())
    return parts


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
    socket = raw_consumer(ends, "sink")
    ends.put(*range(100))
    granted = done = came = 0
    for messages in (3, 3, 7, 8, 50):
        say(socket, Tag.GRANT, Grant("c", messages, 1 << 30, done))
        ends.turn()
        came += sum(parts[0] == Tag.DATA.value for parts in heard(socket))
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
    socket = raw_consumer(ends, "sink")
    say(socket, Tag.GRANT, Grant("c", 100, 10_000, 0))
    ends.turn()
    ends.put(0, 1, nbytes=4_000)
    ends.put(2, nbytes=80_000)
    ends.put(3)
    ends.turn()
    assert ends.sender().sent == 2
    say(socket, Tag.GRANT, Grant("c", 100, 20_000, 2))
    ends.turn()
    assert (ends.sender().sent, ends.sender().in_flight) == (3, 1)
    say(socket, Tag.GRANT, Grant("c", 100, 200_000, 3))
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


def test_a_second_hello_of_the_same_node_replaces_the_first_and_its_messages_are_lost(ends):
    ends.produce_for(ends.edge())
    ends.consume()
    ends.put(0, 1, 2)
    ends.turn()
    replaced = ends.inlets.pop()
    _, second = ends.consume()
    ends.put(3)
    assert ends.values(second) == [3]
    assert (ends.sender().lost, ends.sender().in_flight, ends.sender().delivered) == (3, 0, 1)
    replaced.close()


def test_a_consumer_that_says_goodbye_leaves_what_it_had_finished_with_on_the_record(ends):
    ends.produce_for(ends.edge())
    inlet, inbox = ends.consume()
    ends.put(0, 1, 2)
    ends.turn()
    arrival = ends.take(inbox)
    arrival.inlet.done(arrival, 0.0)
    inlet.close()
    ends.turn()
    assert (ends.sender().delivered, ends.sender().lost, ends.sender().connected) == (1, 2, False)


def test_a_stale_credit_of_an_older_connection_is_ignored(ends):
    ends.produce_for(ends.edge())
    socket = raw_consumer(ends, "sink", connection="old")
    say(socket, Tag.HELLO, Hello(1, "sink", "in", "new", "block"))
    say(socket, Tag.GRANT, Grant("old", 1000, 1 << 30, 0))
    ends.put(0)
    ends.turn()
    assert ends.sender().sent == 0


@pytest.mark.parametrize("done", [5, 1 << 40])
def test_a_consumer_cannot_have_finished_with_more_than_it_got(ends, done):
    ends.produce_for(ends.edge())
    socket = raw_consumer(ends, "sink")
    ends.put(0, 1)
    say(socket, Tag.GRANT, Grant("c", 2, 1 << 30, 0))
    ends.turn()
    say(socket, Tag.GRANT, Grant("c", 2, 1 << 30, done))
    ends.turn()
    assert (ends.sender().delivered, ends.sender().in_flight) == (0, 2)


def test_a_producer_that_was_restarted_is_found_again_and_nothing_counts_twice(ends, tmp_path):
    ends.endpoint = f"ipc://{tmp_path}/source"
    lives = [zmq.Context(), zmq.Context()]
    ends.produce_for(ends.edge(), context=lives[0])
    inlet, inbox = ends.consume()
    ends.put(0)
    ends.turn(lambda: inlet.statistics().received == 1)
    lives[0].destroy(linger=0)
    for _ in range(20):  # signs of life while nobody listens: each will be answered by the new producer
        inlet.grant(always=True)
    ends.produce_for(ends.edge(), context=lives[1])
    ends.put(1, 2)
    ends.turn(lambda: inlet.statistics().received == 3)
    for _ in range(3):
        arrival = ends.take(inbox)
        arrival.inlet.done(arrival, 0.0)
    ends.turn(lambda: ends.sender().delivered == 2)
    assert (ends.sender().sent, ends.sender().lost, ends.sender().in_flight) == (2, 0, 0)
    lives[1].destroy(linger=0)


def test_the_end_comes_behind_the_last_message(ends):
    ends.produce_for(ends.edge())
    inlet, inbox = ends.consume()
    ends.put(0, 1)
    ends.outlet.end()
    ends.turn()
    assert not inlet.ended
    assert not ends.outlet.drained
    assert ends.values(inbox) == [0, 1]
    assert inlet.ended
    assert ends.outlet.drained


def test_a_consumer_that_finishes_and_leaves_at_once_has_drained_its_producer(ends):
    ends.produce_for(ends.edge())
    inlet, inbox = ends.consume()
    ends.put(0)
    ends.outlet.end()
    ends.turn()
    arrival = ends.take(inbox)
    arrival.inlet.done(arrival, 0.0)
    inlet.close()
    ends.turn()
    assert ends.outlet.drained
    assert (ends.sender().delivered, ends.sender().lost) == (1, 0)


def test_a_consumer_that_dies_behind_the_end_is_waited_for_and_told_again(ends):
    ends.produce_for(ends.edge())
    inlet, _ = ends.consume()
    ends.put(0)
    ends.outlet.end()
    ends.turn()
    inlet.close()
    ends.turn()
    assert not ends.outlet.drained
    reborn, inbox = ends.consume()
    assert ends.values(inbox) == []
    assert reborn.ended
    assert ends.outlet.drained
    assert ends.sender().lost == 1


def test_a_producer_without_consumers_has_drained(ends):
    ends.produce_for()
    ends.put(0)
    ends.outlet.end()
    assert ends.outlet.drained


@pytest.mark.parametrize("dead", [True, False])
def test_a_consumer_that_is_given_up_is_waited_for_no_longer(ends, dead):
    ends.produce_for(ends.edge())
    for step in range(ends.edge().policy.depth):
        ends.put(step)
    ends.outlet.forget("sink", dead=dead)
    assert ends.outlet.wait_for_room(0.0)
    ends.put(100)
    ends.outlet.end()
    ends.turn()
    assert ends.outlet.drained
    assert ends.sender().lost == ends.edge().policy.depth


def test_a_consumer_that_takes_its_leave_may_finish_though_nobody_waits_for_it(ends):
    ends.produce_for(ends.edge())
    inlet, inbox = ends.consume()
    ends.put(0)
    ends.outlet.end()
    ends.turn()
    arrival = ends.take(inbox)
    arrival.inlet.done(arrival, 0.0)
    ends.outlet.forget("sink", dead=False)
    inlet.close()
    ends.turn()
    assert (ends.sender().delivered, ends.sender().lost, ends.outlet.drained) == (1, 0, True)


def test_what_is_left_when_the_producer_has_to_go_is_lost(ends):
    ends.produce_for(ends.edge(policy={"drop_oldest": 100}))
    ends.consume(policy={"drop_oldest": 100})
    ends.put(*range(20))
    ends.turn()
    ends.outlet.abandon()
    assert (ends.sender().lost, ends.sender().in_flight, ends.sender().depth) == (20, 0, 0)


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


def test_guests_join_at_any_time_and_see_what_is_new(ends):
    ends.produce_for(ends.edge())
    _, sink = ends.consume()
    ends.put(0)
    assert ends.values(sink) == [0]
    _, guest = ends.consume("guest", "latest")
    ends.turn()
    ends.put(1)
    assert (ends.values(guest), ends.values(sink)) == ([1], [1])


def test_a_guest_that_has_left_holds_nobody_up(ends):
    ends.produce_for()
    inlet, _ = ends.consume("guest")
    ends.turn()
    ends.put(0)
    ends.turn()
    inlet.close()
    ends.turn()
    for step in range(100):
        assert ends.outlet.wait_for_room(0.0)
        ends.put(step)
    ends.outlet.end()
    assert ends.outlet.drained
    assert ends.sender().lost == 1


def test_only_so_many_guests_are_let_in(ends):
    ends.produce_for()
    sockets = [raw_consumer(ends, f"guest{number}") for number in range(17)]
    ends.turn()
    refused = [parts for socket in sockets for parts in heard(socket) if parts[0] == Tag.REFUSED.value]
    assert len(refused) == 1
    assert b"16 guests" in refused[0][1]


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"X"],
        [b"H"],
        [b"H", b"\xc1"],
        [b"H", msgspec.msgpack.encode(Hello(2, "guest", "in", "c", "block"))],
        [b"H", msgspec.msgpack.encode(Hello(1, "guest", "in", "c", "newest"))],
        [b"H", msgspec.msgpack.encode({"version": 1, "node": "", "port": "", "connection": "", "policy": "block"})],
        [b"G", b"nonsense"],
        [b"G", msgspec.msgpack.encode({"connection": "c", "messages": -1, "bytes": 0, "done": 0})],
    ],
)
def test_nonsense_is_refused_and_the_others_are_served(ends, parts):
    ends.produce_for(ends.edge())
    _, inbox = ends.consume()
    socket = ends.dealer()
    socket.send_multipart(parts)
    ends.put(0)
    assert ends.values(inbox) == [0]
    assert heard(socket)[0][0] == Tag.REFUSED.value


def test_credit_of_somebody_unknown_is_answered_with_the_connection_that_it_named(ends):
    ends.produce_for()
    socket = ends.dealer()
    say(socket, Tag.GRANT, Grant("mine", 1, 1, 0))
    say(socket, Tag.BYE)
    ends.turn()
    assert heard(socket) == [[Tag.WHO.value, b"mine"]]


def test_a_consumer_that_falls_silent_counts_as_gone(ends, monkeypatch):
    ends.produce_for()
    raw_consumer(ends, "guest")
    ends.turn()
    ends.outlet.bury_the_silent()
    assert ends.sender().connected
    monkeypatch.setattr("engine.outlet._SILENCE_S", -1.0)
    ends.outlet.bury_the_silent()
    assert not ends.sender().connected


def test_an_endpoint_that_is_taken_is_one_clear_line(ends):
    ends.produce_for()
    other = Outlet("other", [], live=False, lock=ends.lock, wake=lambda: None)
    with pytest.raises(LinkError, match=r"other: cannot listen at inproc://.*: Address already in use; choose another"):
        other.bind(ends.context, ends.endpoint, None)
