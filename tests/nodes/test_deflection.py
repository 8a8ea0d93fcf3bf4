import numpy as np
import pytest

from engine.testing import drive, make_node
from nodes.deflection import Deflection
from nodes.magnify import Magnify
from nodes.messages import Frames
from spikemm.exceptions import OptionError
from spikemm.metrics import displacement, fit_sine

RATE, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 40, 48
ROI = (8, 8, 32, 24)


def textures(dx):
    """Plane waves moved to the right by each of the displacements, in px."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.15, 1.0, 16), random.uniform(0, np.pi, 16), random.uniform(0, 6.28, 16)
    along, down = k * np.cos(angle), k * np.sin(angle)
    still = np.exp(1j * (along[:, None, None] * x + down[:, None, None] * y + phase[:, None, None])).reshape(16, -1)
    moved = (np.exp(-1j * np.outer(dx, along)) / k) @ still
    return (0.35 + 0.08 * moved.real / np.sqrt((0.5 / k**2).sum())).reshape(-1, HEIGHT, WIDTH).astype(np.float32)


def frames(first, count, hz=HZ, amplitude=0.2, **envelope):
    steps = np.arange(first, first + count) * HOP
    envelope = {"rate_hz": RATE, "front": "rate:1"} | envelope
    pixels = textures(amplitude * np.sin(2 * np.pi * hz * steps / RATE))
    return Frames(step=first * HOP, count=count, hop=HOP, pixels=pixels, **envelope)


def deflection(**options):
    return make_node(Deflection, **({"frequency_hz": HZ, "seconds": 0.1, "apparent_hz": 10.0} | options))


def amplitude(pixels, phases=24):
    moved = displacement(pixels, ROI, reference=textures([0.0])[0])[:, 0]
    return fit_sine(moved, np.arange(len(moved)), float(phases), 1.0).amplitude


def test_frames_of_the_loop_carry_its_time_scale():
    (out,) = drive(deflection(phases=20), [frames(0, 230)])
    out.validate()
    assert out.hop == 100
    assert out.step == 2000
    assert out.time_scale == pytest.approx(31.0)
    assert out.apparent_hz == pytest.approx(10.0)
    assert out.front == "rate:1"
    assert out.notes["deflection_hz"] == HZ
    assert amplitude(out.pixels, 20) == pytest.approx(0.2, rel=0.03)


def test_nothing_comes_before_the_first_record():
    assert drive(deflection(), [frames(0, 99)]) == []


def test_the_loop_can_be_magnified():
    loop = drive(deflection(), [frames(at, 50) for at in range(0, 800, 50)])
    for message in loop:
        message.rate_hz = RATE
    magnify = make_node(Magnify, alpha=5.0, method="warp", context={"wanted": frozenset({"raw"})})
    magnified = drive(magnify, loop)
    shown = np.concatenate([np.asarray(message.pixels) for message in magnified])[-48:]
    assert amplitude(shown) == pytest.approx(1.0, rel=0.15)


def test_the_frequency_changes_live():
    node = deflection()
    node.process(frames(0, 120), "in")
    node.options.frequency_hz = 180.0
    node.reconfigure(frozenset({"frequency_hz"}))
    assert node.process(frames(120, 90, 180.0), "in") == []
    (out,) = node.process(frames(210, 120, 180.0), "in")
    assert out.notes["deflection_hz"] == 180.0
    assert amplitude(out.pixels) == pytest.approx(0.2, rel=0.03)


def test_a_frequency_that_the_frames_cannot_show_is_refused_and_the_old_one_stays():
    node = deflection()
    node.process(frames(0, 120), "in")
    node.options.frequency_hz = 1000.0
    with pytest.raises(OptionError, match="another hop"):
        node.reconfigure(frozenset({"frequency_hz"}))
    node.options.frequency_hz = HZ
    node.reconfigure(frozenset({"frequency_hz"}))
    assert node.process(frames(120, 50), "in")


def test_a_new_epoch_starts_anew():
    node = deflection()
    node.process(frames(0, 120), "in")
    assert node.process(frames(0, 90, epoch=1), "in") == []


def test_it_carries_its_place_on_the_sensor_and_another_place_starts_anew():
    node = deflection()
    (out,) = node.process(frames(0, 120, origin=(300, 200)), "in")
    assert out.origin == (300, 200)
    assert node.process(frames(120, 90, origin=(300, 208)), "in") == []


def test_a_gap_is_told_of_the_loop_as_well():
    node = deflection()
    node.process(frames(0, 150), "in")
    (out,) = node.process(frames(200, 50, gap=1000), "in")
    assert out.gap > 0


def test_frames_of_a_strobe_are_refused():
    with pytest.raises(OptionError, match="without a strobe"):
        deflection().process(frames(0, 10, apparent_hz=1.0), "in")
