import pytest

from engine.clocks import ManualClock
from engine.testing import drive
from nodes import measure
from nodes.measure import Measure
from nodes.measuring import readings as measure_readings
from spikemm.exceptions import OptionError

HOP, HZ = 20, 83.7
LEFT, RIGHT = {"roi": [4, 4, 36, 36]}, {"roi": [52, 4, 36, 36]}
BOTH = {"left": LEFT, "right": RIGHT}


@pytest.mark.parametrize("cut", [{"gap": 40}, {"epoch": 1}])
def test_a_gap_and_a_new_epoch_start_the_record_anew(cut, frames, stream, node):
    epoch = {"epoch": cut.get("epoch", 0)}
    stage = node()
    assert drive(stage, stream(500), flush=False)
    first = 500 * HOP if "gap" in cut else 0
    after = [frames(first, 50, **cut), *stream(340, first=first + 50 * HOP, **epoch)]
    assert drive(stage, after, flush=False) == []
    assert drive(stage, stream(100, first=first + 390 * HOP, **epoch), flush=False)


def test_another_hop_or_size_starts_the_record_anew(frames, stream, node):
    stage = node(regions={"left": LEFT})
    assert drive(stage, stream(500), flush=False)
    slower = [frames(10_000 + at * 40, 50, hop=40) for at in range(0, 300, 50)]
    readings = drive(stage, slower, flush=False)
    assert readings[0].values["fps"] == pytest.approx(500.0)
    assert readings[0].values["x"]["peaks"][0]["hz"] == pytest.approx(HZ, abs=0.1)


def test_a_short_stream_is_measured_at_its_end(stream, node):
    (reading,) = drive(node(regions={"left": LEFT}), stream(250))
    assert reading.values["seconds"] == pytest.approx(0.25)
    assert reading.values["x"]["peaks"][0]["hz"] == pytest.approx(HZ, abs=0.2)


def test_a_new_region_leaves_the_record_of_the_others_alone(stream, node, change):
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    change(stage, regions=BOTH)
    soon = drive(stage, stream(100, first=500 * HOP), flush=False)
    later = drive(stage, stream(400, first=600 * HOP), flush=False)
    assert {reading.name for reading in soon} == {"left"}
    assert {reading.name for reading in later} == {"left", "right"}


def test_a_region_that_was_moved_is_measured_anew_and_one_taken_away_no_more(stream, node, change):
    stage = node()
    drive(stage, stream(500), flush=False)
    change(stage, regions={"left": RIGHT})
    assert drive(stage, stream(300, first=500 * HOP), flush=False) == []
    (reading, *_) = drive(stage, stream(200, first=800 * HOP), flush=False)
    assert reading.values["roi"] == RIGHT["roi"]
    assert reading.values["x"]["peaks"][0]["px"] == pytest.approx(0.1, rel=0.03)


def test_the_map_comes_and_goes_live(stream, node, change):
    stage = node(regions={})
    assert drive(stage, stream(400), flush=False) == []
    change(stage, map={"block_px": 24, "seconds": 0.2})
    (reading, *_) = drive(stage, stream(400, first=400 * HOP), flush=False)
    assert reading.arrays["hz"].shape == (2, 4)
    change(stage, map=None)
    assert drive(stage, stream(200, first=800 * HOP), flush=False) == []


def test_a_band_limits_what_counts_live(stream, node, change):
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    change(stage, band_hz=(150.0, 300.0))
    (reading, *_) = drive(stage, stream(100, first=500 * HOP), flush=False)
    assert all(150 <= peak["hz"] <= 300 for peak in reading.values["x"]["peaks"])


@pytest.mark.parametrize("roi", [(80, 4, 36, 36), (4, 4, 6, 36)])
def test_a_region_that_does_not_fit_is_refused_with_the_remedy_and_the_others_stay(roi, stream, node, change):
    stage = node(regions={"left": LEFT})
    drive(stage, stream(500), flush=False)
    with pytest.raises(OptionError, match=r"wrong: .*8×8 px or more and inside the picture of 96×48"):
        change(stage, regions={"left": LEFT, "wrong": {"roi": list(roi)}})
    assert drive(stage, stream(100, first=500 * HOP), flush=False)


def test_a_region_outside_the_first_picture_is_refused(frames, node):
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
def test_frames_that_are_no_even_samples_of_the_scene_are_refused_with_the_remedy(envelope, told, frames, node):
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
def test_options_that_contradict_each_other_are_refused_before_anything_starts(options, told, node):
    with pytest.raises(OptionError, match=told):
        Measure.check(node(**options).options)


def test_a_band_beyond_the_frames_is_refused(frames, node):
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


def test_a_live_stream_is_not_held_up_by_analysis(slow_analysis, stream, node):
    stage = node(slow_analysis, live=True)
    start = slow_analysis.now()
    out = live_readings(stage, slow_analysis, stream(1200))
    assert out
    assert 0.2 * len(out) <= 0.4 * (slow_analysis.now() - start)
    assert stage.context.counters["updates_skipped"] > 0


def test_a_replay_waits_for_every_analysis(slow_analysis, stream, node):
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
def test_the_strongest_peak_steers_a_strobe(monkeypatch, options, stream, node):
    monkeypatch.setattr(measure, "Steering", _Offers)
    stage = node(steers="encode", **options)
    drive(stage, stream(600))
    assert _Offers.made.name == "encode"
    assert _Offers.made.hz
    assert _Offers.made.hz == pytest.approx([HZ] * len(_Offers.made.hz), abs=0.1)
    stage.close()
    assert _Offers.made.closed


def test_a_still_scene_steers_nothing(monkeypatch, stream, node):
    monkeypatch.setattr(measure, "Steering", _Offers)
    drive(node(steers="encode"), stream(600, px=0.0))
    assert _Offers.made.hz == []
