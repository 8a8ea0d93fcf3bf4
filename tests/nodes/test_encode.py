import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.envelope import decode
from engine.envelope import encode as to_wire
from engine.testing import drive, make_node
from nodes.encode import Encode
from nodes.fixed_point import from_fixed_point, to_fixed_point
from nodes.measure import Measure
from nodes.messages import Spikes
from nodes.reconstruct import Reconstruct
from spikemm.exceptions import OptionError
from spikemm.packing import pack

HEIGHT, WIDTH, RATE = 4, 6, 20_000.0
SPIKES = (np.random.default_rng(0).random((2000, HEIGHT, WIDTH)) < 0.4).astype(np.uint8)


def spikes(start, stop, **envelope):
    packed = pack(SPIKES[start:stop])
    return Spikes(step=start, count=stop - start, packed=packed, height=HEIGHT, width=WIDTH, rate_hz=RATE, **envelope)


def chunks(start, stop, size=80, **envelope):
    return [spikes(at, min(at + size, stop), **envelope) for at in range(start, stop, size)]


def encode(wanted=("rate:10",), live=False, **options):
    return make_node(Encode, context={"wanted": frozenset(wanted), "live": live}, **options)


def steps_of(messages):
    return [step for m in messages for step in range(m.step, m.step + m.count * m.hop, m.hop)]


def rate(step, window=10):
    return SPIKES[step - window // 2 : step - window // 2 + window].mean(0)


def test_windows_come_at_every_hop_with_the_light_in_them():
    messages = drive(encode(hop=20), chunks(0, 500))
    assert steps_of(messages) == list(range(20, 500, 20))
    pictures = np.concatenate([from_fixed_point("rate:10", m.maps["rate:10"]) for m in messages])
    truth = np.stack([rate(step) for step in range(20, 500, 20)])
    assert np.abs(pictures - truth).max() <= 0.51 / 65535


def test_one_message_carries_all_windows_that_became_ready():
    messages = drive(encode(hop=20), chunks(0, 800, size=400), flush=False)
    assert [(m.step, m.count, m.hop) for m in messages] == [(20, 19, 20), (400, 20, 20)]
    for message in messages:
        message.validate()


def test_the_maps_are_those_that_the_consumers_ask_for():
    (message,) = drive(encode(["interval:16", "rate:10", "isi:32", "raw"]), chunks(0, 100, size=100), flush=False)
    assert sorted(message.maps) == ["interval:16", "isi:32", "rate:10"]


def test_where_nobody_asks_the_map_is_an_interval():
    (message,) = drive(encode([]), chunks(0, 200, size=200), flush=False)
    assert list(message.maps) == ["interval:32"]


@pytest.mark.parametrize(
    ("name", "values", "dtype"),
    [("rate:9", [0, 1 / 9, 0.5, 1], np.uint16), ("isi:300", [0, 1, 77.3, 300], np.float32)],
)
def test_fixed_point_keeps_light_to_its_last_place_and_intervals_exactly(name, values, dtype):
    picture = np.float32(values)[None]
    packed = to_fixed_point(name, [picture, picture])
    assert packed.dtype == dtype
    assert packed.shape == (2, 1, 4)
    assert np.abs(from_fixed_point(name, packed) - picture).max() <= (0 if name.startswith("isi") else 0.51 / 65535)


def test_messages_do_not_share_memory():
    messages = drive(encode(hop=20), chunks(0, 500))
    before = messages[0].maps["rate:10"].copy()
    assert not np.array_equal(before, messages[1].maps["rate:10"])
    assert np.array_equal(before, messages[0].maps["rate:10"])


def test_windows_restart_behind_a_gap_and_say_how_long_it_was():
    messages = drive(encode(hop=20), [*chunks(0, 160), spikes(205, 400, gap=45)])
    assert steps_of(messages) == [20, 40, 60, 80, 100, 120, 140, 220, 240, 260, 280, 300, 320, 340, 360, 380]
    assert [(m.step, m.gap) for m in messages if m.gap] == [(220, 45)]


def test_a_new_epoch_starts_afresh_also_at_an_earlier_step():
    node = encode(hop=20)
    drive(node, chunks(800, 960, epoch=0), flush=False)
    messages = drive(node, chunks(100, 260, epoch=1))
    assert steps_of(messages) == [120, 140, 160, 180, 200, 220, 240]
    assert not any(m.gap for m in messages)


def test_the_hop_may_change_while_it_runs():
    node = encode(hop=20)
    messages = drive(node, chunks(0, 240), flush=False)
    node.options.hop = 50
    node.reconfigure(frozenset({"hop"}))
    messages += drive(node, chunks(240, 480))
    assert steps_of(messages) == [*range(20, 240, 20), 250, 300, 350, 400, 450]
    assert [(m.step, m.hop) for m in messages][-4:-2] == [(250, 30), (300, 50)]


def test_overload_on_a_live_stream_raises_the_hop_evenly_and_calm_brings_it_back():
    node = encode(hop=4, max_hop=16, live=True)
    pressure = {"now": 1.0}
    node.context.output_pressure = lambda: pressure["now"]
    steps, at = [], 0

    def run(seconds):
        nonlocal at
        messages = []
        for _ in range(round(seconds * RATE / 80)):
            packed = pack(SPIKES[:80])
            chunk = Spikes(step=at, count=80, packed=packed, height=HEIGHT, width=WIDTH, rate_hz=RATE)
            messages += drive(node, [chunk], flush=False)
            at += 80
        steps.extend(steps_of(messages))
        return messages

    assert run(0.2)[-1].hop == 16
    assert node.context.counters["hop_raised"] == 2
    pressure["now"] = 0.0
    assert run(5.0)[-1].hop == 4
    assert set(np.diff(steps)) == {4, 8, 16}
    assert node.status() == {"hop": 4}


def test_overload_is_said_at_most_every_ten_seconds_and_so_is_its_end(caplog):
    caplog.set_level("INFO")
    clock = ManualClock()
    node = make_node(Encode, clock, context={"wanted": frozenset({"rate:10"}), "live": True}, hop=4, max_hop=16)
    at = 0

    def said(pressure, messages):
        nonlocal at
        caplog.clear()
        node.context.output_pressure = lambda: pressure
        drive(node, chunks_from(at, messages), flush=False)
        at += 80 * messages
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    ((level, text),) = said(1.0, 50)
    assert level == "WARNING"
    assert "cannot keep up: a frame every 8 steps instead of 4" in text
    assert said(1.0, 50) == []
    clock.advance(10.0)
    assert "a frame every 16 steps instead of 4" in said(1.0, 50)[0][1]
    ((level, text),) = said(0.0, 1250)
    assert (level, "keep up again: a frame every 4 steps" in text) == ("INFO", True)


def chunks_from(start, count):
    packed = pack(SPIKES[:80])
    steps = range(start, start + 80 * count, 80)
    return [Spikes(step=at, count=80, packed=packed, height=HEIGHT, width=WIDTH, rate_hz=RATE) for at in steps]


def test_a_consumer_that_wants_a_fixed_hop_keeps_it_under_overload():
    node = encode(["rate:10", "fixed hop"], hop=4, live=True)
    node.context.output_pressure = lambda: 1.0
    messages = drive(node, chunks_from(0, 100))
    assert {m.hop for m in messages} == {4}
    assert list(messages[0].maps) == ["rate:10"]


def test_the_wish_for_a_fixed_hop_comes_from_a_measurement_that_steers():
    steers, looks = (Measure.wants(Measure.Options(steers=node), frozenset()) for node in ("strobe", None))
    assert steers < Reconstruct.wants(Reconstruct.Options(), steers) == {"fixed hop", "interval:32"}
    assert Reconstruct.wants(Reconstruct.Options(), looks) == {"interval:32"}


def test_pressure_on_a_replay_changes_nothing():
    node = encode(hop=20)
    node.context.output_pressure = lambda: 1.0
    assert {m.hop for m in drive(node, chunks(0, 1000))} == {20}


def test_of_a_region_alone_the_windows_are_those_of_the_whole_picture_cut_out():
    (whole,) = drive(encode(hop=20), chunks(0, 200, size=200), flush=False)
    (part,) = drive(encode(hop=20, region=[1, 2, 4, 2]), chunks(0, 200, size=200), flush=False)
    assert np.array_equal(part.maps["rate:10"], whole.maps["rate:10"][:, 2:4, 1:5])
    carried = [decode([bytes(memoryview(p).cast("B")) for p in to_wire(message)]) for message in (whole, part)]
    assert [message.origin for message in carried] == [(0, 0), (1, 2)]


def test_a_region_outside_the_picture_is_refused():
    with pytest.raises(OptionError, match="is not inside the picture of 6×4 px"):
        drive(encode(region=[4, 0, 4, 4]), chunks(0, 80))


def test_a_source_is_told_how_many_steps_a_frame_and_a_first_picture_take():
    assert Encode.wants(Encode.Options(hop=25), frozenset({"interval:32", "rate:256"})) == {"hop:25", "span:281"}
