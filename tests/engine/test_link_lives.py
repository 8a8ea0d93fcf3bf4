"""Who comes and goes at a link: hellos, restarts, guests, the end of the stream; real sockets, no thread."""

import msgspec
import pytest
import zmq

from engine.exceptions import LinkError
from engine.inlet import Inbox, Inlet
from engine.link_protocol import Grant, Hello, Tag
from engine.outlet import Outlet


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
    sockets = [ends.raw_consumer(f"guest{number}") for number in range(17)]
    ends.turn()
    refused = [parts for socket in sockets for parts in ends.heard(socket) if parts[0] == Tag.REFUSED.value]
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
        [b"H", msgspec.msgpack.encode(Hello(1, "sink", "in", "c", "lates"))],
        [b"H", msgspec.msgpack.encode(Hello(1, "guest", "in", "c", "drop_oldest", depth=0))],
        [b"H", msgspec.msgpack.encode(Hello(1, "guest", "in", "c", "block", buffer_s=0.0))],
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
    assert ends.heard(socket)[0][0] == Tag.REFUSED.value


@pytest.mark.parametrize("policy", ["latest", "block", "drop_oldest"])
def test_a_figure_that_the_policy_does_not_use_may_be_anything(ends, policy):
    ends.produce_for()
    unused = {"latest": {"depth": 0, "buffer_s": 0.0}, "block": {"depth": 0}, "drop_oldest": {"buffer_s": 0.0}}
    socket = ends.dealer()
    ends.say(socket, Tag.HELLO, Hello(1, "guest", "in", "c", policy, **unused[policy]))
    ends.say(socket, Tag.GRANT, Grant("c", 1, 1 << 20, 0))
    ends.turn()
    assert ends.outlet.wait_for_room(0.0)
    ends.put(0)
    ends.turn()
    assert [parts[0] for parts in ends.heard(socket)] == [Tag.DATA.value]


def test_a_consumer_that_was_refused_is_not_asked_who_it_is(ends):
    ends.produce_for()
    socket = ends.dealer()
    ends.say(socket, Tag.HELLO, Hello(1, "guest", "in", "c", "lates"))
    ends.say(socket, Tag.GRANT, Grant("c", 1, 1, 0))
    ends.turn()
    ((tag, why),) = ends.heard(socket)
    assert (tag, b"policy 'lates' is none of: latest" in why) == (Tag.REFUSED.value, True)
    ends.say(socket, Tag.HELLO, Hello(1, "guest", "in", "c", "latest"))
    ends.turn()
    assert ends.sender().connected


@pytest.mark.parametrize(("policy", "seen"), [({"drop_oldest": 9}, [3]), ("block", [0, 1, 2, 3])])
def test_a_live_consumer_that_comes_late_begins_with_what_is_fresh(ends, monkeypatch, policy, seen):
    ends.live = True
    ends.produce_for(ends.edge(policy=policy))
    monkeypatch.setattr("engine.outlet.time.monotonic", lambda: 100.0)
    ends.put(0, 1, 2)
    monkeypatch.setattr("engine.outlet.time.monotonic", lambda: 105.0)
    ends.put(3)
    _, inbox = ends.consume(policy=policy)
    assert ends.values(inbox) == seen
    assert ends.sender().dropped == 4 - len(seen)


@pytest.mark.parametrize(("policy", "drained"), [("latest", True), ({"drop_oldest": 9}, True), ("block", False)])
def test_at_the_end_of_a_live_stream_only_who_was_promised_everything_is_waited_for(ends, policy, drained):
    ends.live = True
    ends.produce_for(ends.edge(policy=policy))
    ends.put(0, 1)
    ends.outlet.end()
    assert ends.outlet.drained is drained


def test_only_a_consumer_that_is_there_presses(ends):
    ends.live = True
    ends.produce_for(ends.edge(policy={"drop_oldest": 8}))
    ends.put(*range(8))
    assert ends.outlet.pressure() == 0.0
    ends.consume(policy={"drop_oldest": 8})
    ends.turn()
    assert ends.outlet.pressure() == 0.5


def test_a_consumer_gets_nothing_before_it_is_ready_for_it(ends):
    ends.produce_for(ends.edge())
    inlet = Inlet(ends.edge(), Inbox(ends.lock), lock=ends.lock, wake=lambda: None)
    inlet.connect(ends.context, ends.endpoint, None)
    ends.inlets.append(inlet)
    ends.put(0)
    ends.turn()
    assert (ends.sender().connected, ends.sender().sent) == (True, 0)
    inlet.open()
    ends.turn()
    assert ends.sender().sent == 1


def test_credit_of_somebody_unknown_is_answered_with_the_connection_that_it_named(ends):
    ends.produce_for()
    socket = ends.dealer()
    ends.say(socket, Tag.GRANT, Grant("mine", 1, 1, 0))
    ends.say(socket, Tag.BYE)
    ends.turn()
    assert ends.heard(socket) == [[Tag.WHO.value, b"mine"]]


def test_a_consumer_that_falls_silent_counts_as_gone(ends, monkeypatch):
    ends.produce_for()
    ends.raw_consumer("guest")
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
