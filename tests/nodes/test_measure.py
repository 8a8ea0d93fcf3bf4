from dataclasses import replace

import msgspec
import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.envelope import HEADER_LIMIT_BYTES, decode, encode
from engine.testing import drive, make_node
from nodes import measure
from nodes.measure import Measure
from nodes.measuring import readings as measure_readings
from nodes.messages import Frames
from spikemm.exceptions import OptionError

RATE, HOP, FPS, HZ = 20_000.0, 20, 1000.0, 83.7
HEIGHT, WIDTH = 48, 96
LEFT, RIGHT = {"roi": [4, 4, 36, 36]}, {"roi": [52, 4, 36, 36]}
BOTH = {"left": LEFT, "right": RIGHT}


def textures(dx):
    """Plane waves moved to the right by each of the displacements, in px."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, : WIDTH // 2]
    k, angle, phase = random.uniform(0.3, 1.0, 16), random.uniform(0, np.pi, 16), random.uniform(0, 6.28, 16)
    along, down = k * np.cos(angle), k * np.sin(angle)
    still = np.exp(1j * (along[:, None, None] * x + down[:, None, None] * y + phase[:, None, None])).reshape(16, -1)
    moved = np.exp(-1j * np.outer(dx, along)) @ still
    return (0.35 + 0.05 * moved.real / np.sqrt(8)).reshape(-1, HEIGHT, WIDTH // 2)


def frames(first, count, hz=HZ, hop=HOP, px=0.2, **envelope):
    """The left half vibrates; the right half does in antiphase, half as far."""
    steps = first + np.arange(count) * hop
    move = px * np.sin(2 * np.pi * hz * steps / RATE)
    pixels = np.concatenate((textures(move), textures(-0.5 * move)), axis=2)
    pixels += 0.003 * np.random.default_rng(first).standard_normal(pixels.shape)
    envelope = {"rate_hz": RATE, "front": "rate:1"} | envelope
    return Frames(step=first, count=count, hop=hop, pixels=pixels.astype(np.float32), **envelope)


def stream(count, size=50, first=0, **options):
    return [frames(first + at * HOP, min(size, count - at), **options) for at in range(0, count, size)]


def node(clock=None, live=False, **options):
    options = {"regions": BOTH, "map": None, "seconds": 0.4, "every_s": 0.1} | options
    return make_node(Measure, clock, context={"live": live}, **options)


def change(stage, **options):
    """Change live options as the engine does, and put them back where they are refused."""
    before = stage.options
    stage.options = msgspec.convert({**msgspec.to_builtins(before), **options}, Measure.Options)
    try:
        stage.reconfigure(frozenset(options))
    except OptionError:
        stage.options = before
        stage.reconfigure(frozenset(options))
        raise


def last(readings, name):
    return [reading for reading in readings if reading.name == name][-1]


@pytest.fixture(scope="module")
def readings():
    out = drive(node(reference="left", map={"seconds": 0.3}, scale={"um_per_px": 100.0}), stream(600))
    for reading in out:
        reading.validate()
    return out


def test_a_region_shows_its_frequency_and_amplitude(readings):
    for name, px in (("left", 0.2), ("right", 0.1)):
        values = last(readings, name).values
        peak = values["x"]["peaks"][0]
        assert peak["hz"] == pytest.approx(HZ, abs=0.1)
        assert peak["px"] == pytest.approx(px, rel=0.03)
        assert 0 < values["x"]["noise_floor_px"] < 0.01
        assert values["seconds"] == pytest.approx(0.4)
        assert values["method"] == "frames"


def test_what_is_not_there_is_not_claimed(readings):
    for name in BOTH:
        axis = last(readings, name).values["y"]
        assert all(peak["px"] < 0.01 for peak in axis["peaks"])


def test_the_highest_frequency_that_the_frames_can_show_is_told(readings):
    assert last(readings, "left").values["highest_hz"] == pytest.approx(500.0)
    # interval:32 averages 35 steps at this light, which keep 0.3 of an amplitude at 0.76/35 of the rate.
    (reading, *_) = drive(node(regions={"left": LEFT}), stream(500, front="interval:32"))
    assert reading.values["highest_hz"] == pytest.approx(0.76 / 35 * RATE, rel=0.03)


def test_the_phase_to_the_reference_region_is_told(readings):
    phase = last(readings, "right").values["phase_to"]
    assert phase["region"] == "left"
    assert abs(phase["deg"]) == pytest.approx(180.0, abs=2.0)
    assert last(readings, "left").values["phase_to"] is None


def dark(first, count):
    message = frames(first, count)
    message.pixels = 0.0 * message.pixels
    return message


def test_a_dark_region_is_no_machine_that_stands_still():
    options = {"scale": {"um_per_px": 100.0}, "iso": {"group": 1, "support": "rigid"}, "band_hz": [200.0, 450.0]}
    stage = node(regions={"left": LEFT | {"housing": True}}, **options)
    *_, reading = drive(
        stage,
        [
            *stream(100, front="interval:32"),
            *(replace(dark(at * HOP, 50), front="interval:32") for at in range(100, 700, 50)),
        ],
    )
    values = reading.values
    for axis in (values["x"], values["y"]):
        assert (axis["rms_px"], axis["peak_to_peak_px"], axis["peaks"]) == (None, None, [])
        assert np.isinf(axis["noise_floor_px"])
    assert (values["velocity_rms_mm_s"], values["velocity_floor_mm_s"], values["zone"]) == (None, None, None)
    assert "shows nothing" in values["zone_text"]


def test_there_is_no_phase_to_a_region_that_is_dark():
    def half_dark(at):
        message = frames(at * HOP, 50)
        message.pixels[:, :, : WIDTH // 2] = 0.0
        return message

    out = drive(node(reference="left"), [half_dark(at) for at in range(0, 700, 50)])
    assert last(out, "right").values["x"]["peaks"]
    assert last(out, "right").values["phase_to"] is None


def test_the_orbit_is_told(readings):
    orbit = last(readings, "left").values["orbit"]
    assert orbit["major_px"] == pytest.approx(0.2, rel=0.03)
    assert orbit["minor_px"] < 0.01
    assert orbit["angle_deg"] == pytest.approx(0.0, abs=3.0)


def test_a_scale_gives_um_and_mm_s(readings):
    values = last(readings, "left").values
    peak = values["x"]["peaks"][0]
    assert peak["um"] == pytest.approx(20.0, rel=0.03)
    assert peak["mm_s"] == pytest.approx(2 * np.pi * HZ * 0.020, rel=0.03)
    assert values["velocity_rms_mm_s"] == pytest.approx(2 * np.pi * HZ * 0.020 / np.sqrt(2), rel=0.04)
    assert values["zone"] is None
    assert "no machine" in values["zone_text"]


def test_waveform_and_spectrum_go_along(readings):
    reading = last(readings, "left")
    waveform, (first, hop) = reading.arrays["waveform"], reading.values["waveform_step"]
    assert waveform.shape == (2, 400)
    assert first + 399 * hop == reading.step
    truth = 0.2 * np.sin(2 * np.pi * HZ * (first + np.arange(400) * hop) / RATE)
    assert waveform[0] - waveform[0].mean() == pytest.approx(truth - truth.mean(), abs=0.02)
    spectrum, frequencies = reading.arrays["spectrum"], reading.arrays["frequencies_hz"]
    assert frequencies[spectrum[0].argmax()] == pytest.approx(HZ, abs=2.5)


def test_a_long_record_is_told_shortened():
    count = 2600
    (reading, *_) = drive(node(regions={"left": LEFT}, seconds=2.6), stream(count, size=200))
    assert reading.arrays["waveform"].shape == (2, 2048)
    assert reading.values["waveform_step"] == [(count - 2048) * HOP, HOP]
    spectrum, frequencies = reading.arrays["spectrum"], reading.arrays["frequencies_hz"]
    assert spectrum.shape == (2, frequencies.size)
    assert frequencies.size <= 1024
    assert frequencies[spectrum[0].argmax()] == pytest.approx(HZ, abs=1.0)


def test_the_map_shows_every_block(readings):
    reading = last(readings, "map")
    assert reading.topic == "map"
    assert reading.values["block_px"] == 16
    assert reading.values["seconds"] == pytest.approx(0.3)
    assert reading.arrays["hz"].shape == (3, 6)
    assert np.median(reading.arrays["px"][:, :3]) == pytest.approx(0.2, rel=0.05)
    assert np.median(reading.arrays["px"][:, 3:]) == pytest.approx(0.1, rel=0.05)


def test_readings_come_at_every_update_once_a_record_is_full(readings):
    steps = [reading.step for reading in readings if reading.name == "left"]
    assert steps == [8980, 10980]  # the map, which needs less, has set the pace from 6980 on


def test_readings_travel(readings):
    for reading in readings:
        parts = encode(reading)
        assert len(parts[0]) < HEADER_LIMIT_BYTES
        back = decode([memoryview(np.ascontiguousarray(p)).cast("B") if i else p for i, p in enumerate(parts)])
        assert back.values == reading.values
        assert (back.name, back.topic) == (reading.name, reading.topic)


def test_a_still_scene_reports_no_peak():
    for reading in drive(node(map={}), stream(700, px=0.0)):
        if reading.topic == "map":
            assert not reading.arrays["px"].any()
        else:
            assert reading.values["x"]["peaks"] == reading.values["y"]["peaks"] == []
            assert reading.values["orbit"] is None


def test_a_housing_point_gets_a_zone():
    regions = {"bearing": {**LEFT, "housing": True}, "shaft": RIGHT}
    out = drive(node(regions=regions, scale={"um_per_px": 100.0}, iso={"group": 1, "support": "rigid"}), stream(500))
    # 0.2 px of 100 µm at 83.7 Hz: 7.4 mm/s.
    assert last(out, "bearing").values["zone"] == "D"
    assert last(out, "shaft").values["zone"] is None
    assert "not marked" in last(out, "shaft").values["zone_text"]


@pytest.mark.parametrize("cut", [{"gap": 40}, {"epoch": 1}])
def test_a_gap_and_a_new_epoch_start_the_record_anew(cut):
    epoch = {"epoch": cut.get("epoch", 0)}
    stage = node()
    assert drive(stage, stream(500), flush=False)
    first = 500 * HOP if "gap" in cut else 0
    after = [frames(first, 50, **cut), *stream(340, first=first + 50 * HOP, **epoch)]
    assert drive(stage, after, flush=False) == []
    assert drive(stage, stream(100, first=first + 390 * HOP, **epoch), flush=False)


def test_another_hop_or_size_starts_the_record_anew():
    stage = node(regions={"left": LEFT})
    assert drive(stage, stream(500), flush=False)
    slower = [frames(10_000 + at * 40, 50, hop=40) for at in range(0, 300, 50)]
    readings = drive(stage, slower, flush=False)
    assert readings[0].values["fps"] == pytest.approx(500.0)
    assert readings[0].values["x"]["peaks"][0]["hz"] == pytest.approx(HZ, abs=0.1)


def test_a_short_stream_is_measured_at_its_end():
    (reading,) = drive(node(regions={"left": LEFT}), stream(250))
    assert reading.values["seconds"] == pytest.approx(0.25)
    assert reading.values["x"]["peaks"][0]["hz"] == pytest.approx(HZ, abs=0.2)


def test_a_new_region_leaves_the_record_of_the_others_alone():
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    change(stage, regions=BOTH)
    soon = drive(stage, stream(100, first=500 * HOP), flush=False)
    later = drive(stage, stream(400, first=600 * HOP), flush=False)
    assert {reading.name for reading in soon} == {"left"}
    assert {reading.name for reading in later} == {"left", "right"}


def test_a_region_that_was_moved_is_measured_anew_and_one_taken_away_no_more():
    stage = node()
    drive(stage, stream(500), flush=False)
    change(stage, regions={"left": RIGHT})
    assert drive(stage, stream(300, first=500 * HOP), flush=False) == []
    (reading, *_) = drive(stage, stream(200, first=800 * HOP), flush=False)
    assert reading.values["roi"] == RIGHT["roi"]
    assert reading.values["x"]["peaks"][0]["px"] == pytest.approx(0.1, rel=0.03)


def test_the_map_comes_and_goes_live():
    stage = node(regions={})
    assert drive(stage, stream(400), flush=False) == []
    change(stage, map={"block_px": 24, "seconds": 0.2})
    (reading, *_) = drive(stage, stream(400, first=400 * HOP), flush=False)
    assert reading.arrays["hz"].shape == (2, 4)
    change(stage, map=None)
    assert drive(stage, stream(200, first=800 * HOP), flush=False) == []


def test_a_band_limits_what_counts_live():
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    change(stage, band_hz=(150.0, 300.0))
    (reading, *_) = drive(stage, stream(100, first=500 * HOP), flush=False)
    assert all(150 <= peak["hz"] <= 300 for peak in reading.values["x"]["peaks"])


@pytest.mark.parametrize("roi", [(80, 4, 36, 36), (4, 4, 6, 36)])
def test_a_region_that_does_not_fit_is_refused_with_the_remedy_and_the_others_stay(roi):
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    with pytest.raises(OptionError, match=r"wrong: .*8×8 px or more and inside the picture of 96×48"):
        change(stage, regions={"left": LEFT, "wrong": {"roi": list(roi)}})
    assert drive(stage, stream(100, first=500 * HOP), flush=False)


def test_a_region_outside_the_first_picture_is_refused():
    with pytest.raises(OptionError, match="inside the picture of 96×48"):
        node(regions={"wrong": {"roi": [80, 4, 36, 36]}}).process(frames(0, 10), "in")


@pytest.mark.parametrize(
    ("envelope", "told"),
    [
        ({"time_scale": 83.7, "apparent_hz": 1.0}, "without a strobe"),
        ({"notes": {"alpha": 10}}, "before magnify"),
        ({"scale": 2.0}, "before upsample"),
        ({"front": "bsn1:32"}, "take mie"),
    ],
)
def test_frames_that_are_no_even_samples_of_the_scene_are_refused_with_the_remedy(envelope, told):
    with pytest.raises(OptionError, match=told):
        node().process(frames(0, 10, **envelope), "in")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"scale": {"known_mm": 3.0}}, "known_mm and drawn_px"),
        ({"reference": "middle"}, "none of the regions"),
        ({"band_hz": (90.0, 20.0)}, "low < high"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_anything_starts(options, told):
    with pytest.raises(OptionError, match=told):
        Measure.check(node(**options).options)


def test_a_band_beyond_the_frames_is_refused():
    with pytest.raises(OptionError, match="smaller hop"):
        node(band_hz=(600.0, 700.0)).process(frames(0, 10), "in")


@pytest.fixture
def slow_analysis(monkeypatch):
    """Let every analysis of a region take 0.2 s of the node's clock."""
    clock, real = ManualClock(), measure_readings.region_reading

    def read(*arguments, **options):
        clock.advance(0.2)
        return real(*arguments, **options)

    monkeypatch.setattr(measure, "region_reading", read)
    return clock


def live_readings(stage, clock, messages):
    """Drive it in real time: a message every 0.05 s, later if it is not done by then."""
    out = []
    for number, message in enumerate(messages):
        clock.advance(max(0.0, 0.05 * number - clock.now()))
        out += stage.process(message, "in")
    return out


def test_a_live_stream_is_not_held_up_by_analysis(slow_analysis):
    stage = node(slow_analysis, live=True)
    start = slow_analysis.now()
    out = live_readings(stage, slow_analysis, stream(1200))
    assert out
    assert 0.2 * len(out) <= 0.4 * (slow_analysis.now() - start)
    assert stage.context.counters["updates_skipped"] > 0


def test_a_replay_waits_for_every_analysis(slow_analysis):
    stage = node(slow_analysis)
    out = live_readings(stage, slow_analysis, stream(1000))
    assert len(out) == 2 * 7
    assert stage.context.counters["updates_skipped"] == 0


class _Offers:
    """A stand-in for the steering: what was offered to which node."""

    made = None

    def __init__(self, endpoint, name):
        self.endpoint, self.name, self.hz, self.closed = endpoint, name, [], False
        _Offers.made = self

    def offer(self, hz):
        self.hz.append(hz)

    def close(self):
        self.closed = True


@pytest.mark.parametrize("options", [{}, {"regions": {}, "map": {"seconds": 0.3}}])
def test_the_strongest_peak_steers_a_strobe(monkeypatch, options):
    monkeypatch.setattr(measure, "Steering", _Offers)
    stage = node(steers="encode", **options)
    drive(stage, stream(600))
    assert _Offers.made.name == "encode"
    assert _Offers.made.hz
    assert _Offers.made.hz == pytest.approx([HZ] * len(_Offers.made.hz), abs=0.1)
    stage.close()
    assert _Offers.made.closed


def test_a_still_scene_steers_nothing(monkeypatch):
    monkeypatch.setattr(measure, "Steering", _Offers)
    drive(node(steers="encode"), stream(600, px=0.0))
    assert _Offers.made.hz == []
