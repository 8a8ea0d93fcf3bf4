import numpy as np
import pytest
import torch

from engine.testing import drive, make_node
from nodes.magnify import Magnify
from nodes.messages import Frames
from spikemm.exceptions import OptionError

SIZE = 32
PICTURE = 0.3 + 0.2 * torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def frames(start, count, hz, hop=1612, apparent_hz=1.0):
    """Frames of a strobe at `hz`, of one that waits where that is None."""
    return [
        Frames(
            step=start + i * hop,
            hop=hop,
            rate_hz=20_000.0,
            pixels=PICTURE[None] * (1 + 0.05 * (i % 2)),
            front="rate:8",
            window_steps=8,
            time_scale=hz / apparent_hz if hz else 1.0,
            apparent_hz=apparent_hz,
        )
        for i in range(count)
    ]


def magnify(**options):
    return make_node(Magnify, method="linear", context={"wanted": frozenset({"raw"})}, **options)


def changed(message):
    return not np.array_equal(message.pixels, message.raw)


def test_while_a_strobe_waits_frames_of_band_mode_pass_as_they_are():
    node = magnify(band_hz=[470, 520])
    messages = drive(node, frames(0, 3, None), flush=False)
    assert not any(map(changed, messages))
    assert "method" not in messages[-1].notes
    messages = drive(node, frames(10_000, 30, 497.0))
    assert changed(messages[-1])
    assert messages[-1].notes["band_hz"] == (470.0, 520.0)
    assert (messages[-1].time_scale, messages[-1].apparent_hz) == (497.0, 1.0)


def test_a_strobe_that_turns_to_a_vibration_outside_the_band_ends_no_run(caplog):
    node = magnify(band_hz=[470, 520])
    drive(node, frames(0, 30, 497.0), flush=False)
    away = drive(node, frames(100_000, 3, 310.0), flush=False)
    assert not any(map(changed, away))
    assert caplog.text.count("is not shown by a strobe at 310 Hz") == 1
    assert changed(drive(node, frames(200_000, 30, 497.0))[-1])


def test_a_band_that_the_strobe_never_shows_is_refused_at_once():
    with pytest.raises(OptionError, match="is not shown by a strobe at 497 Hz"):
        drive(magnify(band_hz=[290, 330]), frames(0, 1, 497.0))


def test_a_band_that_the_strobe_does_not_show_cannot_be_set():
    node = magnify(band_hz=[470, 520])
    drive(node, frames(0, 5, 497.0), flush=False)
    before = node.options.band_hz
    node.options.band_hz = (290.0, 330.0)
    with pytest.raises(OptionError, match="is not shown by a strobe at 497 Hz"):
        node.reconfigure(frozenset({"band_hz"}))
    node.options.band_hz = before
    node.reconfigure(frozenset({"band_hz"}))
    assert drive(node, frames(10_000, 1, 497.0))[0].notes["band_hz"] == (470.0, 520.0)


def test_a_strobe_that_follows_its_vibration_does_not_restart_the_magnifier():
    node = magnify()
    drive(node, frames(0, 31, 497.0), flush=False)
    assert changed(drive(node, frames(31 * 1612, 1, 497.02))[-1])
    assert not changed(drive(node, frames(32 * 1612, 1, 497.02, apparent_hz=0.5))[-1])
