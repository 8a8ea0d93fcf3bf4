"""What the loop fills in on a message, and how a live option changes."""

from dataclasses import dataclass
from threading import Thread
from typing import Annotated, Any

import msgspec
import numpy as np
import pytest

from engine import Context, Live, Message, Sink, Source, Stage, Wait, array
from engine.clocks import ManualClock
from engine.exceptions import ControlError
from engine.inlet import Inbox
from engine.loop import Loop, Member
from engine.node import live_options
from engine.testing import drive, make_node, produced


@dataclass(kw_only=True, eq=False)
class Tick(Message, kind="test.tick"):
    values: Any = array()


class Clipped(Exception):
    pass


class Amplifier(Stage):
    class Options(msgspec.Struct, forbid_unknown_fields=True):
        gain: Annotated[float, msgspec.Meta(ge=0), Live] = 1.0
        size: int = 3

    accepts = emits = Tick
    user_errors = (Clipped,)

    def reconfigure(self, changed: frozenset[str]) -> None:
        self.changed = changed
        if self.options.gain > 100:
            raise Clipped("gain above 100")

    def process(self, message: Tick, port: str) -> list[Message]:
        self.held = message
        return []

    def flush(self) -> list[Message]:
        return [Tick(step=99, values=self.held.values)]


class Metronome(Source):
    class Options(msgspec.Struct, forbid_unknown_fields=True):
        count: int = 3

    emits = Tick
    sent = 0

    def produce(self) -> Message | Wait | None:
        if self.sent == self.options.count:
            return None
        if self.context.clock.now() < self.sent:
            return Wait(float(self.sent))
        self.sent += 1
        return Tick(step=self.sent - 1, rate_hz=50.0, values=np.zeros(1))


class Outbox:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def put(self, message: Message) -> None:
        self.messages.append(message)

    def flush(self, epoch: int) -> None:
        pass

    def wait_for_room(self, timeout_s: float) -> bool:
        return True


def member(**options):
    clock = ManualClock(1000.0)
    return Member(Amplifier(msgspec.convert(options, Amplifier.Options), Context("amplifier", clock=clock)))


def test_a_message_inherits_what_it_came_from():
    origin = Tick(
        step=1, rate_hz=50.0, epoch=4, flush_before=3, revision=2, source_time=990.0, stamps={"mic": 991.0}, values=0
    )
    made = member().stamp(Tick(step=1, count=2, values=0), origin)
    assert (made.stream, made.seq, made.rate_hz, made.epoch, made.flush_before) == ("amplifier", 0, 50.0, 4, 3)
    assert (made.revision, made.source_time, made.stamps) == (2, 990.0, {"mic": 991.0, "amplifier": 1000.0})
    assert origin.stamps == {"mic": 991.0}


def test_a_source_dates_its_messages_and_places_them_in_its_epoch():
    node = make_node(Metronome, ManualClock(1000.0), context={"first_epoch": 7})
    source = Member(node)
    first = source.stamp(node.produce(), None)
    node.context.new_epoch(flush=True)
    second = source.stamp(Tick(step=1, source_time=999.0, values=0), None)
    assert (first.seq, first.epoch, first.flush_before, first.source_time) == (0, 7, 0, 1000.0)
    assert (second.seq, second.epoch, second.flush_before, second.source_time) == (1, 8, 8, 999.0)


def test_a_flush_inherits_from_the_last_message_also_where_the_source_is_in_the_same_process(ends):
    source = Member(make_node(Metronome, ManualClock(10.0)))
    stage = source.downstream = member()
    stage.outlet = Outbox()
    Loop([source, stage], _Hub(ends), Inbox(ends.lock), lambda: None).run()
    (flushed,) = stage.outlet.messages
    assert (flushed.step, flushed.rate_hz, list(flushed.stamps)) == (99, 50.0, ["metronome", "amplifier"])
    assert (stage.report.processed, stage.report.emitted, source.report.emitted) == (3, 1, 3)


class _Hub:
    def __init__(self, ends):
        self.lock, self.inlets = ends.lock, []


def test_a_source_that_waits_is_asked_again_when_it_is_woken(ends, monkeypatch):
    class Fed(Metronome):
        def produce(self) -> Message | Wait | None:
            self.sent += 1
            match self.sent:
                case 1:
                    self.context.wake()  # what comes before the wait begins is not missed
                case 2:
                    Thread(target=self.context.wake).start()
            return Wait(float("inf")) if self.sent < 3 else None

    monkeypatch.setattr("engine.loop._PATIENCE_S", 1000.0)
    source = Member(make_node(Fed))
    loop = Loop([source], _Hub(ends), Inbox(ends.lock), lambda: None)
    source.context.wake = loop.wake
    loop.run()
    assert source.node.sent == 3


def test_a_stage_is_heard_while_nothing_comes(ends, monkeypatch):
    class Watchman(Amplifier):
        def idle(self) -> list[Message]:
            inlet.end()  # this is the last turn
            return [Tick(step=7, values=np.zeros(1))]

    monkeypatch.setattr("engine.loop._PATIENCE_S", 0.001)
    ends.produce_for(ends.edge())
    inlet, inbox = ends.consume()
    watchman = Member(make_node(Watchman))
    watchman.node.flush = list
    watchman.outlet = Outbox()
    hub = _Hub(ends)
    hub.inlets = [inlet]
    Loop([watchman], hub, inbox, lambda: None).run()
    assert [message.step for message in watchman.outlet.messages] == [7]


def test_a_chained_stage_is_heard_while_messages_come(ends):
    class Watchman(Amplifier):
        def idle(self) -> list[Message]:
            return [Tick(step=7, values=np.zeros(1))]

    source = Member(make_node(Metronome, ManualClock(10.0)))
    watchman = source.downstream = Member(make_node(Watchman))
    watchman.outlet = Outbox()
    Loop([source, watchman], _Hub(ends), Inbox(ends.lock), lambda: None).run()
    assert watchman.outlet.messages[0].step == 7


def test_a_sparse_message_does_not_tell_how_far_a_sink_is(ends):
    class Mark(Message):
        sparse = True

    class Shelf(Sink):
        accepts = Message

        def process(self, message: Message, port: str) -> None:
            """Keep it."""

    class Told(Source):
        emits = Message
        left = (Tick(step=80, values=np.zeros(1)), Mark(step=0))

        def produce(self) -> Message | None:
            made, self.left = (self.left[:1] or (None,))[0], self.left[1:]
            return made

    source = Member(make_node(Told))
    shelf = source.downstream = Member(make_node(Shelf))
    Loop([source, shelf], _Hub(ends), Inbox(ends.lock), lambda: None).run()
    assert (shelf.report.processed, shelf.report.step) == (2, 80)


def test_a_message_that_the_node_fails_on_is_not_finished_with(ends):
    class Fragile(Amplifier):
        def process(self, message: Message, port: str) -> list[Message]:
            raise Clipped(str(message.step))

    inbox = _one_message(ends)
    fragile = Member(make_node(Fragile))
    with pytest.raises(Clipped):
        Loop([fragile], _Hub(ends), inbox, lambda: None).run()
    ends.turn()
    assert (ends.sender().delivered, ends.sender().in_flight, fragile.report.processed) == (0, 1, 0)


def _one_message(ends):
    ends.produce_for(ends.edge())
    ends.put(0)
    _, inbox = ends.consume()
    ends.turn()
    return inbox


def test_a_live_option_changes_and_messages_tell_of_it():
    amplifier = member()
    assert amplifier.set_option("gain", 5) == 5.0
    assert (amplifier.node.options.gain, amplifier.node.changed) == (5.0, {"gain"})
    assert amplifier.stamp(Tick(step=0, values=0), Tick(step=0, revision=2, values=0)).revision == 3


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("gain", -1, r"amplifier\.gain: Expected `float` >= 0.*\(got -1\)"),
        ("gain", "loud", r"amplifier\.gain: Expected `float`, got `str`.*\(got 'loud'\)"),
        ("gain", 101, r"amplifier\.gain: gain above 100"),
        ("size", 4, r"amplifier\.size cannot be changed while running; live options: gain"),
        ("gian", 4, r"amplifier\.gian cannot be changed while running; live options: gain"),
    ],
)
def test_an_option_that_is_refused_stays_as_it_was(option, value, complaint):
    amplifier = member()
    with pytest.raises(ControlError, match=complaint):
        amplifier.set_option(option, value)
    assert amplifier.node.options == Amplifier.Options()
    assert amplifier.stamp(Tick(step=0, values=0), None).revision == 0


def test_live_options_are_those_that_are_marked():
    assert live_options(Amplifier.Options) == {"gain"}


def test_counters_take_numpy_numbers():
    context = Context("x")
    context.count("lost", np.int64(3))
    context.count("lost")
    assert dict(context.counters) == {"lost": 4}
    assert type(context.counters["lost"]) is int


def test_nodes_are_driven_by_hand():
    clock = ManualClock()
    ticks = produced(make_node(Metronome, clock, count=4), clock)
    assert [message.step for message in ticks] == [0, 1, 2, 3]
    assert [message.step for message in drive(make_node(Amplifier), ticks)] == [99]
    assert drive(make_node(Amplifier), ticks, flush=False) == []
