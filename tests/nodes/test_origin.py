"""Regions are those of the sensor, also where `encode` takes a part of it alone."""

from dataclasses import replace

import numpy as np
import pytest

from engine.testing import drive, make_node
from nodes.magnify import Magnify
from nodes.measure import Measure
from nodes.messages import Frames
from spikemm.exceptions import OptionError

HEIGHT, WIDTH, RATE, HOP, HZ, PX = 48, 64, 20_000.0, 20, 87.0, 0.2
ORIGIN = 300, 200
ROI = [310, 208, 32, 30]


def frames(count):
    """Show a part of the sensor, moving to and fro."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    along, down, phase = random.uniform(-0.9, 0.9, (3, 12, 1, 1))
    messages = []
    for step in range(0, count * HOP, HOP):
        dx = PX * np.sin(2 * np.pi * HZ * step / RATE)
        picture = 0.35 + 0.02 * np.cos(along * (x - dx) + down * y + 9 * phase).sum(0)
        pixels = picture[None].astype(np.float32)
        messages.append(Frames(step=step, hop=HOP, rate_hz=RATE, pixels=pixels, front="rate:1", origin=ORIGIN))
    return messages


def test_a_measured_region_is_named_by_its_place_on_the_sensor():
    node = make_node(Measure, regions={"part": {"roi": ROI}}, map=None, seconds=0.2)
    (reading, *_) = drive(node, frames(220))
    assert reading.values["roi"] == ROI
    peak = reading.values["x"]["peaks"][0]
    assert (peak["hz"], peak["px"]) == (pytest.approx(HZ, abs=0.1), pytest.approx(PX, rel=0.05))
    with pytest.raises(OptionError, match="part: "):
        drive(make_node(Measure, regions={"part": {"roi": [10, 8, 32, 30]}}, map=None), frames(1))


def test_the_blocks_of_a_map_begin_at_their_place_on_the_sensor():
    map_, *_ = drive(make_node(Measure, map={"block_px": 16, "seconds": 0.2}), frames(260))
    assert map_.values["origin"] == list(ORIGIN)
    assert map_.arrays["px"].shape == (HEIGHT // 16, WIDTH // 16)


def test_a_map_of_another_place_begins_anew():
    node = make_node(Measure, map={"block_px": 16, "seconds": 0.2}, every_s=0.05)
    drive(node, frames(260))
    moved = [replace(message, step=message.step + 260 * HOP, origin=(316, 200)) for message in frames(100)]
    assert drive(node, moved) == []


def test_a_region_is_magnified_at_its_place_on_the_sensor():
    node = make_node(
        Magnify, method="linear", alpha=5.0, regions=[[310, 208, 8, 8]], context={"wanted": frozenset({"raw"})}
    )
    last = drive(node, frames(30))[-1]
    change = np.abs(np.asarray(last.pixels - last.raw))[0]
    assert change[8:16, 10:18].mean() > 0
    assert change[30:, 30:].max() == 0
