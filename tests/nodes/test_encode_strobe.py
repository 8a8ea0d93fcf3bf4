from itertools import pairwise

import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.testing import drive, make_node
from nodes.encode import Encode
from nodes.messages import Spikes
from nodes.reconstruct import Reconstruct
from spikemm.exceptions import OptionError

HEIGHT, WIDTH, RATE = 4, 6, 20_000.0
CYCLE = RATE / 496.0
"""Steps from flash to flash of a strobe that shows 497 Hz at 1 Hz."""


def encode(frequency="auto", live=False, clock=None, **options):
    context = {"wanted": frozenset({"interval:8"}), "live": live}
    return make_node(
        Encode, clock or ManualClock(), context=context, emit={"strobe": {"frequency": frequency}}, **options
    )


def chunks(start, stop, size=800, **envelope):
    packed = np.zeros((size, HEIGHT * WIDTH // 8), np.uint8)
    sizes = {"count": size, "height": HEIGHT, "width": WIDTH, "rate_hz": RATE}
    return [Spikes(step=at, packed=packed, **sizes, **envelope) for at in range(start, stop, size)]


def steps_of(messages):
    return [step for message in messages for step in message.steps]


def steer(node, hz):
    node.options.strobe_hz = hz
    node.reconfigure(frozenset({"strobe_hz"}))


def test_frames_come_at_the_flashes_one_a_message_and_carry_the_time_scale():
    messages = drive(encode(497, hop=1600), chunks(0, 200_000))
    assert all(abs(step / CYCLE - round(step / CYCLE)) * CYCLE <= 0.5 for step in steps_of(messages))
    assert {m.hop for m in messages} == {int(40 * CYCLE)}
    assert {(m.count, m.time_scale, m.apparent_hz) for m in messages} == {(1, 497.0, 1.0)}


def test_the_time_scale_reaches_the_frames_and_steps_stay_those_of_the_sensor():
    messages = drive(encode(497, hop=1600), chunks(0, 20_000))
    frames = drive(make_node(Reconstruct, front="interval", window=8), messages)
    assert [(f.step, f.hop, f.time_scale, f.apparent_hz) for f in frames] == [
        (m.step, m.hop, 497.0, 1.0) for m in messages
    ]


def test_a_link_takes_the_uneven_steps_for_no_gap():
    """Steps between a message's end and the next one are missing from a hop on."""
    for hop in (1, 41, 400):
        messages = drive(encode(497, hop=hop), chunks(0, 40_000))
        missing = [b.step - a.next_step for a, b in pairwise(messages)]
        assert set(missing) == {0, 1}


def test_until_a_frequency_is_known_frames_come_at_every_hop_and_it_says_so(caplog):
    caplog.set_level("INFO")
    node = encode(hop=1600)
    messages = drive(node, chunks(0, 16_000), flush=False)
    assert steps_of(messages) == list(range(1600, 16_000, 1600))
    assert {(m.time_scale, m.apparent_hz) for m in messages} == {(1.0, 1.0)}
    assert node.status() == {"hop": 1600, "strobe": "waits for strobe_hz", "apparent_hz": 1.0}
    assert "waits for a frequency; until then a frame every 1600 steps" in caplog.text
    steer(node, 497.0)
    messages += drive(node, chunks(16_000, 32_000))
    locked = [step for step in steps_of(messages) if step > 16_000]
    assert np.allclose(np.diff(locked), 40 * CYCLE, atol=1)
    assert (messages[-1].time_scale, messages[-1].hop) == (497.0, 1612)
    assert node.status() == {"hop": 1600, "strobe": "locked", "strobe_hz": 497.0, "apparent_hz": 1.0}
    assert "shows 497.00 Hz at 1 Hz, 497 times as slow" in caplog.text


def test_a_better_frequency_goes_on_with_the_phase_that_was_shown():
    node = encode(hop=400)
    steer(node, 496.5)
    messages = drive(node, chunks(0, 40_000), flush=False)
    steer(node, 497.0)
    messages += drive(node, chunks(40_000, 80_000), flush=False)
    shown = 497.0 * np.array(steps_of(messages)) / RATE
    turned = np.diff(shown) - np.round(np.diff(shown))
    assert np.allclose(turned[:90], 1.5 * 400 / RATE, atol=0.035)
    assert np.allclose(turned[-90:], 1.0 * 400 / RATE, atol=0.035)
    assert np.abs(turned).max() < 0.07


def test_without_strobe_nothing_is_said_of_one():
    node = make_node(Encode, hop=1600, context={"wanted": frozenset({"interval:8"})})
    messages = drive(node, chunks(0, 16_000))
    assert {(m.time_scale, m.apparent_hz) for m in messages} == {(1.0, 0.0)}
    assert node.status() == {"hop": 1600}


def test_overload_leaves_out_whole_cycles_and_never_so_many_that_no_motion_is_left():
    node = encode(497, live=True, hop=400)
    node.context.output_pressure = lambda: 1.0
    distances = np.diff(steps_of(drive(node, chunks(0, 80_000))))
    cycles = distances / CYCLE
    assert np.abs(cycles - np.round(cycles)).max() <= 1.0 / CYCLE
    assert set(np.round(cycles)) == {20, 40, 80}
    slow = encode(497, live=True, hop=1600)
    slow.context.output_pressure = lambda: 1.0
    assert set(np.diff(steps_of(drive(slow, chunks(0, 160_000))))[-20:]) == {int(80 * CYCLE), int(80 * CYCLE) + 1}
    assert slow.status()["hop"] == 3200


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"emit": {"strobe": {"frequency": 4}}}, "cannot be strobed to 1 Hz"),
        ({"emit": {"strobe": {"frequency": 497}}, "strobe_hz": 400}, "fixed to 497 Hz; set frequency to auto"),
        ({"strobe_hz": 400}, "without a strobe"),
    ],
)
def test_options_that_do_nothing_or_cannot_be_are_refused_before_the_start(options, told):
    node = make_node(Encode, **options)
    with pytest.raises(OptionError, match=told):
        Encode.check(node.options)


def test_what_the_stream_cannot_show_is_refused_with_the_reason():
    with pytest.raises(OptionError, match="hop of 5001 steps is too long to show a vibration at 1 Hz: take 5000 or"):
        drive(encode(497, hop=5001), chunks(0, 800))
    node = encode(hop=1600)
    drive(node, chunks(0, 8000), flush=False)
    for hz, told in ((3.0, "cannot be strobed"), (12_000.0, "is not seen at 20000 steps a second")):
        with pytest.raises(OptionError, match=told):
            steer(node, hz)
    steer(node, None)
    assert node.status()["strobe"] == "waits for strobe_hz"
