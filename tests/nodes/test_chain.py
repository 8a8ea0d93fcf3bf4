"""The nodes driven one after the other, from spikes to magnified frames, against the offline function."""

import numpy as np
import pytest
import torch

from engine.clocks import ManualClock
from engine.exceptions import ControlError
from engine.loop import Member
from engine.testing import drive, make_node, produced
from nodes.encode import Encode
from nodes.magnify import Magnify
from nodes.messages import Frames
from nodes.reconstruct import Reconstruct
from nodes.replay import Replay
from nodes.upsample import Upsample
from spikemm import simulator
from spikemm.exceptions import OptionError
from spikemm.front import FrontSpec
from spikemm.offline import magnify_recording
from spikemm.recording import Recording

HEIGHT, WIDTH, RATE = 84, 134, 20_000.0
BAND = (290.0, 330.0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("chain") / "fork.dat"
    scene = simulator.make_scene("tuning-fork", height=HEIGHT, width=WIDTH)
    simulator.write_recording(path, simulator.Simulator(scene), 0.05)
    return path


def run(messages, *stages):
    """Drive messages through stages, the envelope inherited as the engine does."""
    for stage in stages:
        out = drive(stage, messages)
        for message in out:
            message.rate_hz = message.rate_hz or RATE
        messages = out
    return messages


def front(recording, name="interval", window=32, hop=20):
    spikes = produced(make_node(Replay, ManualClock(), path=str(recording), speed=0), ManualClock())
    wanted = {"context": {"wanted": frozenset({f"{name}:{window}"})}}
    return run(spikes, make_node(Encode, hop=hop, **wanted), make_node(Reconstruct, front=name, window=window))


@pytest.fixture(scope="module")
def frames(recording):
    return front(recording)


def flat(seed=0, size=(32, 40), count=4, **envelope):
    pixels = np.random.default_rng(seed).random((count, *size), np.float32)
    envelope = {"step": 0, "hop": 20, "rate_hz": RATE, "front": "interval:32"} | envelope
    return Frames(pixels=pixels, count=count, **envelope)


def pixels_of(messages, field="pixels"):
    return torch.cat([torch.as_tensor(getattr(m, field)) for m in messages]).numpy()


def steps_of(messages):
    return [step for m in messages for step in range(m.step, m.next_step, m.hop)]


@pytest.mark.parametrize("name", ["interval", "rate", "isi"])
def test_streamed_frames_are_those_of_the_offline_function(recording, name):
    offline = list(
        magnify_recording(
            Recording(recording), alpha=10.0, band_hz=BAND, front=FrontSpec(name, 32), method="linear", scale=1.5
        )
    )
    magnify = make_node(Magnify, method="linear", alpha=10.0, band_hz=BAND, context={"wanted": frozenset({"raw"})})
    streamed = run(front(recording, name), magnify, make_node(Upsample, scale=1.5))
    assert steps_of(streamed) == [int(step) for batch in offline for step in batch.steps]
    # What travels between encode and reconstruct is rounded to 1/65535 spike per step; alpha enlarges that.
    assert np.abs(pixels_of(streamed, "raw") - np.concatenate([b.raw for b in offline])).max() < 3e-5
    assert np.abs(pixels_of(streamed) - np.concatenate([b.pixels for b in offline])).max() < 1e-3
    assert np.abs(pixels_of(streamed) - pixels_of(streamed, "raw")).max() > 1e-2


def test_warped_frames_are_those_of_the_offline_function(recording, frames):
    offline = torch.cat([batch.pixels for batch in magnify_recording(Recording(recording), band_hz=BAND)]).numpy()
    streamed = pixels_of(run(frames, make_node(Magnify, band_hz=BAND)))
    assert streamed.shape == offline.shape
    assert np.sqrt(np.mean((streamed - offline) ** 2)) < 1e-4


def test_frames_say_what_they_are(frames):
    first = frames[0]
    first.validate()
    assert (first.front, first.hop, first.scale) == ("interval:32", 20, 1.0)
    light = torch.as_tensor(first.pixels[0])
    assert first.window_steps == pytest.approx(32 + float((1 / light.clamp(1 / 64, 1)).mean()), rel=0.1)


def test_the_twin_goes_along_only_where_it_is_wanted(frames):
    plain = run(frames[:2], make_node(Magnify))
    assert all(message.raw is None for message in plain)
    with_twin = run(frames[:2], make_node(Magnify, context={"wanted": frozenset({"raw"})}))
    assert np.array_equal(pixels_of(with_twin, "raw"), pixels_of(frames[:2]))
    assert Upsample.wants(Upsample.Options(), frozenset({"raw", "x"})) == {"raw"}
    assert Upsample.wants(Upsample.Options(), frozenset()) == frozenset()


def test_upsampling_enlarges_both_pictures_and_says_by_how_much():
    twin = flat()
    twin.raw = twin.pixels * 0.5
    (large,) = run([twin], make_node(Upsample, scale=1.5))
    large.validate()
    assert tuple(large.pixels.shape) == (4, 48, 60)
    assert large.scale == 1.5
    assert pixels_of([large], "raw") == pytest.approx(pixels_of([large]) * 0.5, abs=1e-6)


def test_reconstruct_asks_for_its_map():
    assert Reconstruct.wants(Reconstruct.Options(front="rate", window=256), frozenset({"raw"})) == {"rate:256"}


def test_notes_say_how_it_was_magnified():
    (message,) = run([flat()], make_node(Magnify, alpha=7, band_hz=[100, 200]))
    assert message.notes["alpha"] == 7
    assert tuple(message.notes["band_hz"]) == (100, 200)
    assert message.notes["mode"] == "band"
    assert message.notes["phase_delay"]["centre_hz"] == pytest.approx(145, abs=10)


def test_alpha_and_band_change_while_it_runs():
    node = make_node(Magnify, alpha=5, band_hz=[100, 200])
    run([flat()], node)
    node.options.alpha, node.options.band_hz = 20.0, (150.0, 250.0)
    node.reconfigure(frozenset({"alpha", "band_hz"}))
    (message,) = run([flat(step=80)], node)
    assert (message.notes["alpha"], tuple(message.notes["band_hz"])) == (20.0, (150.0, 250.0))
    node.options.band_hz = None
    node.reconfigure(frozenset({"band_hz"}))
    (message,) = run([flat(step=160)], node)
    assert (message.notes["mode"], message.notes["band_hz"]) == ("static", None)


def test_the_method_changes_while_it_runs_and_one_that_does_not_fit_is_refused():
    options = {"alpha": 5, "band_hz": [100, 200], "axis": "x"}
    node = make_node(Magnify, **options)
    member = Member(node)
    run([flat()], node)
    assert member.set_option("method", "riesz") == "riesz"
    later = [flat(seed=1, step=80), flat(seed=2, step=160)]
    changed, fresh = run(later[:1], node), make_node(Magnify, method="riesz", **options)
    assert changed[0].notes["method"] == "riesz"
    assert np.array_equal(pixels_of(changed), pixels_of(run(later[:1], fresh)))
    with pytest.raises(ControlError, match="axis x: this method does not know where motion goes"):
        member.set_option("method", "linear")
    assert np.array_equal(pixels_of(run(later[1:], node)), pixels_of(run(later[1:], fresh)))  # it goes on as it was


def test_a_band_that_cannot_be_is_refused_while_it_runs():
    node = make_node(Magnify, band_hz=[100, 200])
    run([flat()], node)
    node.options.band_hz = (400.0, 900.0)
    with pytest.raises(OptionError, match="500 Hz"):
        node.reconfigure(frozenset({"band_hz"}))


@pytest.mark.parametrize("options", [{"mode": "band"}, {"mode": "static", "band_hz": (1, 2)}, {"band_hz": (300, 200)}])
def test_mode_and_band_that_contradict_each_other_are_refused_before_the_run(options):
    with pytest.raises(OptionError):
        Magnify.check(Magnify.Options(**options))


def test_a_raised_hop_that_cannot_hold_the_band_is_said(caplog):
    node = make_node(Magnify, band_hz=[290, 330])
    run([flat(), flat(step=80, hop=40, count=2)], node)
    assert "does not fit 500 frames a second" in caplog.text


def test_a_new_epoch_a_gap_or_a_new_size_start_afresh():
    for change in ({"epoch": 1}, {"gap": 40}, {"size": (48, 32)}):
        node, fresh = make_node(Magnify, alpha=30), make_node(Magnify, alpha=30)
        run([flat(seed=1)], node)
        later = flat(seed=2, step=400, **change)
        assert np.array_equal(pixels_of(run([later], node)), pixels_of(run([later], fresh)))


def test_frames_from_a_link_may_be_read_only():
    frozen = flat()
    frozen.pixels.flags.writeable = False
    (message,) = run([frozen], make_node(Magnify))
    assert pixels_of([message])[0] == pytest.approx(frozen.pixels[0], abs=1e-5)
