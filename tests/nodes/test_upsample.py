from functools import partial

import msgspec
import numpy as np
import pytest

from engine.exceptions import ControlError
from engine.loop import Member
from engine.testing import drive, make_node
from nodes.messages import Frames
from nodes.upsample import Upsample
from spikemm.upsampling import UPSAMPLERS
from spikemm.upsampling.wire import Wire


def message(step, epoch=0, gap=0):
    pixels = np.random.default_rng(step).random((1, 16, 18), np.float32)
    return Frames(pixels=pixels, step=step, hop=20, count=1, epoch=epoch, gap=gap, rate_hz=20_000.0)


def test_every_method_is_an_option():
    for method in UPSAMPLERS:
        assert msgspec.convert({"method": method}, Upsample.Options).method == method
    with pytest.raises(msgspec.ValidationError, match="method"):
        msgspec.convert({"method": "magic"}, Upsample.Options)


@pytest.mark.parametrize("method", ["histospline", "linear", "bicubic", "lanczos"])
def test_streaming_methods_enlarge_by_the_scale(method):
    (large,) = drive(make_node(Upsample, method=method, scale=1.37), [message(0)])
    assert tuple(large.pixels.shape) == (1, 22, 25)
    assert large.scale == 1.37


def test_the_scale_changes_while_it_runs():
    node = make_node(Upsample, scale=2.0)
    member = Member(node)
    assert member.set_option("scale", 3.0) == 3.0  # before the first frame
    assert [tuple(large.pixels.shape) for large in drive(node, [message(0)])] == [(1, 48, 54)]
    member.set_option("scale", 1.5)
    (large,) = drive(node, [message(20)])
    assert (tuple(large.pixels.shape), large.scale) == ((1, 24, 27), 1.5)
    with pytest.raises(ControlError, match=r"scale: .* <= 8"):
        member.set_option("scale", 9.0)
    assert [tuple(large.pixels.shape) for large in drive(node, [message(40)])] == [(1, 24, 27)]


@pytest.mark.parametrize("cut", [{"epoch": 1}, {"gap": 40}], ids=["epoch", "gap"])
def test_a_new_epoch_and_a_gap_start_a_method_with_memory_afresh(monkeypatch, cut):
    monkeypatch.setitem(UPSAMPLERS, "wire", partial(Wire, iterations=4))
    node = make_node(Upsample, method="wire")
    first, warm, again = drive(node, [message(0), message(0), message(0, **cut)])
    assert not np.array_equal(warm.pixels, first.pixels)
    assert np.array_equal(again.pixels, first.pixels)
