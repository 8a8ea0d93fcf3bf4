import numpy as np
import pytest

from engine.envelope import HEADER_LIMIT_BYTES, decode, encode
from engine.testing import drive

RATE, HOP, HZ, WIDTH = 20_000.0, 20, 83.7, 96
LEFT, RIGHT = {"roi": [4, 4, 36, 36]}, {"roi": [52, 4, 36, 36]}
BOTH = {"left": LEFT, "right": RIGHT}


def last(readings, name):
    return [reading for reading in readings if reading.name == name][-1]


@pytest.fixture(scope="module")
def readings(stream, node):
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


def test_the_highest_frequency_that_the_frames_can_show_is_told(readings, stream, node):
    assert last(readings, "left").values["highest_hz"] == pytest.approx(500.0)
    # interval:32 averages 35 steps at this light, which keep 0.3 of an amplitude at 0.76/35 of the rate.
    (reading, *_) = drive(node(regions={"left": LEFT}), stream(500, front="interval:32"))
    assert reading.values["highest_hz"] == pytest.approx(0.76 / 35 * RATE, rel=0.03)


def test_the_phase_to_the_reference_region_is_told(readings):
    phase = last(readings, "right").values["phase_to"]
    assert phase["region"] == "left"
    assert abs(phase["deg"]) == pytest.approx(180.0, abs=2.0)
    assert last(readings, "left").values["phase_to"] is None


def test_a_dark_region_is_no_machine_that_stands_still(stream, node):
    options = {"scale": {"um_per_px": 100.0}, "iso": {"group": 1, "support": "rigid"}, "band_hz": [200.0, 450.0]}
    stage = node(regions={"left": LEFT | {"housing": True}}, **options)
    darkness = stream(600, first=100 * HOP, front="interval:32")
    for message in darkness:
        message.pixels = 0.0 * message.pixels
    *_, reading = drive(stage, [*stream(100, front="interval:32"), *darkness])
    values = reading.values
    for axis in (values["x"], values["y"]):
        assert (axis["rms_px"], axis["peak_to_peak_px"], axis["peaks"]) == (None, None, [])
        assert np.isinf(axis["noise_floor_px"])
    assert (values["velocity_rms_mm_s"], values["velocity_floor_mm_s"], values["zone"]) == (None, None, None)
    assert "shows nothing" in values["zone_text"]


def test_there_is_no_phase_to_a_region_that_is_dark(frames, node):
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


def test_a_velocity_comes_with_the_floor_of_its_own_axis(stream, node):
    y, x = np.mgrid[:48, :WIDTH]
    messages = stream(500)
    for message in messages:
        dy = 0.2 * np.sin(2 * np.pi * HZ * (message.step + np.arange(message.count) * HOP) / RATE)
        picture = 0.05 * np.cos(0.5 * (y - dy[:, None, None])) + 0.004 * np.cos(0.5 * x)
        noise = 0.01 * np.random.default_rng(message.step).standard_normal(picture.shape)
        message.pixels = (0.35 + picture + noise).astype(np.float32)
    values = last(drive(node(regions={"left": LEFT}, scale={"um_per_px": 100.0}), messages), "left").values
    assert values["x"]["noise_floor_px"] > 5.0 * values["y"]["noise_floor_px"]
    assert values["velocity_rms_mm_s"] == pytest.approx(2 * np.pi * HZ * 0.020 / np.sqrt(2), rel=0.1)
    assert values["velocity_floor_mm_s"] < 0.5 * values["velocity_rms_mm_s"]


def test_waveform_and_spectrum_go_along(readings):
    reading = last(readings, "left")
    waveform, (first, hop) = reading.arrays["waveform"], reading.values["waveform_step"]
    assert waveform.shape == (2, 400)
    assert first + 399 * hop == reading.step
    truth = 0.2 * np.sin(2 * np.pi * HZ * (first + np.arange(400) * hop) / RATE)
    assert waveform[0] - waveform[0].mean() == pytest.approx(truth - truth.mean(), abs=0.02)
    spectrum, frequencies = reading.arrays["spectrum"], reading.arrays["frequencies_hz"]
    assert frequencies[spectrum[0].argmax()] == pytest.approx(HZ, abs=2.5)


def test_a_long_record_is_told_shortened(stream, node):
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


def test_a_still_scene_reports_no_peak(stream, node):
    for reading in drive(node(map={}), stream(700, px=0.0)):
        if reading.topic == "map":
            assert not reading.arrays["px"].any()
        else:
            assert reading.values["x"]["peaks"] == reading.values["y"]["peaks"] == []
            assert reading.values["orbit"] is None


def test_a_housing_point_gets_a_zone(stream, node):
    regions = {"bearing": {**LEFT, "housing": True}, "shaft": RIGHT}
    out = drive(node(regions=regions, scale={"um_per_px": 100.0}, iso={"group": 1, "support": "rigid"}), stream(500))
    # 0.2 px of 100 µm at 83.7 Hz: 7.4 mm/s.
    assert last(out, "bearing").values["zone"] == "D"
    assert last(out, "shaft").values["zone"] is None
    assert "not marked" in last(out, "shaft").values["zone_text"]
