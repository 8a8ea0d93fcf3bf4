import json

import numpy as np
import pytest

from spikemm.metrics import displacement, fit_sine
from spikemm.recording import Recording
from spikemm.session import Description, SessionWriter

ROI = "--roi", 71, 12, 9, 29
"""The fork's right prong in its picture of 96×128 px."""


def test_json_holds_what_is_promised(spikemm, fork):
    found = json.loads(spikemm("measure", fork, *ROI, "--json").stdout)
    (peak,) = found["axes"]["x"]["peaks"]
    assert peak["hz"] == pytest.approx(310.0, rel=5e-4)
    assert peak["px"] == pytest.approx(0.3, rel=0.05)
    assert peak["snr_db"] > 30
    for axis in found["axes"].values():
        assert 0 < axis["noise_floor_px"] < 0.05
        assert axis["noise_density_px_per_sqrt_hz"] > 0
    assert (found["fps"], found["steps"], found["roi"]) == (10_000, 3000, [71, 12, 9, 29])


def test_the_table_shows_frequency_amplitude_and_floor(spikemm, fork):
    shown = spikemm("measure", fork, *ROI).stdout
    assert "310.0" in shown
    assert "noise floor px" in shown


def test_without_a_region_the_one_that_vibrates_is_measured_and_named(spikemm, fork):
    done = spikemm("measure", fork, "--json")
    x, y, width, height = json.loads(done.stdout)["roi"]
    assert f"--roi {x} {y} {width} {height}" in done.stderr
    assert json.loads(done.stdout)["axes"]["x"]["peaks"][0]["hz"] == pytest.approx(310.0, rel=5e-4)


def test_a_band_and_a_part_limit_what_is_measured(spikemm, fork):
    found = json.loads(
        spikemm("measure", fork, *ROI, "--band", 400, 900, "--start", 0.1, "--seconds", 0.1, "--json").stdout
    )
    assert not found["axes"]["x"]["peaks"]
    assert (found["start_step"], found["steps"]) == (1000, 1000)


@pytest.fixture
def gappy(fork, tmp_path):
    """Make a session of the fork's steps 0 to 699 and 1037 to 2999."""
    whole = Recording(fork)
    description = Description(whole.height, whole.width, whole.rate_hz, 5000, 1e9)
    writer = SessionWriter(tmp_path / "s", description, file_bytes=1e9, file_s=1e9)
    for start, stop in ((0, 700), (1037, 3000)):
        writer.write(5000 + start, [whole.packed(start, stop)], 1e9)
    writer.close("")
    return tmp_path / "s"


def test_the_longest_part_without_a_gap_is_measured_and_named(spikemm, fork, gappy):
    done = spikemm("measure", gappy, *ROI, "--json")
    assert "the longest part without a gap, 0.1963 s from --start 0.1037 on" in done.stderr
    found = json.loads(done.stdout)
    assert (found["start_step"], found["steps"]) == (1037, 1963)
    whole = json.loads(spikemm("measure", fork, *ROI, "--start", 0.1037, "--json").stdout)
    assert _peaks(found) == pytest.approx(_peaks(whole), rel=1e-6)


def _peaks(found):
    return [number for peak in found["axes"]["x"]["peaks"] for number in peak.values()]


def test_a_start_is_by_the_sensors_clock(spikemm, fork, gappy):
    part = "--start", 0.15, "--seconds", 0.1, "--json"
    found, whole = (json.loads(spikemm("measure", path, *ROI, *part).stdout) for path in (gappy, fork))
    assert (found["start_step"], found["steps"]) == (1500, 1000)
    assert _peaks(found) == pytest.approx(_peaks(whole), rel=1e-6)


@pytest.mark.parametrize(
    "part",
    [("--start", 0.08), ("--start", 0.02, "--seconds", 0.1), ("--seconds", 0.5), ("--start", 9), ("--start", -1)],
)
def test_nothing_is_measured_across_a_gap_and_the_parts_without_one_are_named(spikemm, gappy, part):
    ended = spikemm("measure", gappy, *ROI, *part)
    assert ended.returncode == 2
    assert "without a gap are 0 to 0.07 s, 0.1037 to 0.3 s" in ended.stderr


def test_an_axis_without_contrast_has_no_floor(spikemm, tmp_path):
    spikemm("simulate", "flat", "flat.dat", "--seconds", 0.02, "--height", 32, "--width", 32, "--fixed-pattern", 0)
    found = json.loads(spikemm("measure", "flat.dat", "--roi", 8, 8, 16, 16, "--json").stdout)
    assert not found["axes"]["y"]["peaks"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--roi", 120, 12, 20, 20), "inside the picture of 128×96"),
        (("--roi", 10, 12, 4, 20), "8×8"),
        (("--shape", 310), "needs a file to write"),
        (("--out", "shape.mp4"), "give --shape HZ as well"),
        (("--shape", 310, "--out", "shape.mp4", *ROI), "--roi does nothing with --shape"),
        (("--shape", 310, "--out", "shape.gif"), "shape.gif"),
        (("--shape", 9000, "--out", "shape.mp4"), "below 5000, half the sensor's rate"),
        (("--shape", 5, "--out", "shape.mp4"), "4 are the least"),
        ((*ROI, "--start", 9), "start at 9 s"),
        ((*ROI, "--band", 1, 2), "band 1 to 2 Hz"),
    ],
)
def test_slips_are_answered_in_one_line(refused, fork, options, said):
    assert said in refused("measure", fork, *options)


@pytest.mark.parametrize("band", [(400, 300), (6000, 7000), (1, 2)])
def test_a_band_is_refused_before_a_region_is_looked_for(refused, fork, band):
    assert "no --roi" not in refused("measure", fork, "--band", *band)


@pytest.mark.parametrize(("alpha", "within"), [(1, 0.03), (10, 0.08)])
def test_a_shape_is_one_cycle_of_the_whole_picture(spikemm, fork, tmp_path, alpha, within):
    said = spikemm("measure", fork, "--shape", 310, "--out", "shape.npz", "--alpha", alpha).stdout
    assert "one cycle of 310 Hz in 24 frames" in said
    frames = np.load(tmp_path / "shape.npz")["frames"]
    assert frames.shape == (24, 96, 128)
    moved = displacement(frames, ROI[1:], reference=frames.mean(axis=0))[:, 0]
    assert fit_sine(moved, np.arange(24), 24.0, 1.0).amplitude == pytest.approx(0.3 * alpha, rel=within)


def test_a_shape_of_noise_is_called_so(spikemm, fork):
    assert "mostly noise" not in spikemm("measure", fork, "--shape", 310, "--out", "shape.npz").stderr
    said = spikemm("measure", fork, "--shape", 350, "--out", "shape.npz").stderr
    assert "nothing vibrates at 350 Hz" in said
    assert "mostly noise" in said
