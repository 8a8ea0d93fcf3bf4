import json

import pytest

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


def test_an_axis_without_contrast_has_no_floor(spikemm, tmp_path):
    spikemm("simulate", "flat", "flat.dat", "--seconds", 0.02, "--height", 32, "--width", 32, "--fixed-pattern", 0)
    found = json.loads(spikemm("measure", "flat.dat", "--roi", 8, 8, 16, 16, "--json").stdout)
    assert not found["axes"]["y"]["peaks"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--roi", 120, 12, 20, 20), "inside the picture of 128×96"),
        (("--roi", 10, 12, 4, 20), "8×8"),
        ((*ROI, "--start", 9), "start at 9 s"),
        ((*ROI, "--band", 1, 2), "band 1 to 2 Hz"),
    ],
)
def test_slips_are_answered_in_one_line(refused, fork, options, said):
    assert said in refused("measure", fork, *options)
