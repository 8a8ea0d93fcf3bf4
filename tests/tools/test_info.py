import json

import numpy as np
import pytest

from spikemm.packing import pack


@pytest.fixture
def scene(tmp_path):
    """40 steps of 24×32 px with known light: half of the pixels fire every 4th step, one always, one never."""
    spikes = np.zeros((40, 24, 32), np.uint8)
    spikes[::4] = 1
    spikes[:, 0, 0] = 1
    spikes[:, 1, 1] = 0
    (tmp_path / "a.dat").write_bytes(pack(spikes).tobytes())
    (tmp_path / "a.yaml").write_text("spike_h: 24\nspike_w: 32\nrate_hz: 5000\nflip: false\n")
    return spikes


def test_facts_are_those_of_the_file(spikemm, scene):
    facts = json.loads(spikemm("info", "a.dat", "--json").stdout)
    assert (facts["height"], facts["width"], facts["rate_hz"], facts["flip"]) == (24, 32, 5000, False)
    assert (facts["steps"], facts["seconds"], facts["trailing_bytes"]) == (40, 0.008, 0)
    assert facts["mean_rate"] == pytest.approx(scene.mean())
    assert (facts["saturated_pixels"], facts["dead_pixels"]) == (1, 1)
    assert facts["sidecar"] == "a.yaml"


def test_options_override_the_sidecar(spikemm, scene):
    facts = json.loads(spikemm("info", "a.dat", "--json", "--height", 12, "--rate", 100, "--flip").stdout)
    assert (facts["height"], facts["steps"], facts["rate_hz"], facts["flip"]) == (12, 80, 100, True)


def test_an_option_that_contradicts_the_sidecar_is_pointed_out(spikemm, scene):
    said = spikemm("info", "a.dat", "--height", 12).stderr
    assert "a.yaml: says spike_h: 24, but height 12 was given" in said
    assert spikemm("info", "a.dat", "--height", 24).stderr == ""


def test_a_shorter_window_follows_faster_vibrations(spikemm, scene):
    limits = json.loads(spikemm("info", "a.dat", "--json").stdout)["highest_hz"]
    # The sinc is 0.3 at x = 0.7501; a mean light of a quarter adds 4 steps to the window.
    assert limits["interval:32"] == pytest.approx(0.7501 * 5000 / (32 + 1 / scene.mean()), rel=1e-3)
    assert limits["interval:8"] > limits["interval:32"]


def test_a_truncated_recording_is_shown_with_what_is_left_out(spikemm, scene, tmp_path):
    whole = (tmp_path / "a.dat").read_bytes()
    (tmp_path / "a.dat").write_bytes(whole[:-5])
    facts = json.loads(spikemm("info", "a.dat", "--json").stdout)
    assert (facts["steps"], facts["trailing_bytes"]) == (39, 91)


def test_the_table_says_the_same(spikemm, scene):
    shown = spikemm("info", "a.dat").stdout
    assert "24 × 32 px" in shown
    assert "40 steps at 5000 Hz" in shown


def test_a_missing_file_is_refused(refused):
    assert "nowhere.dat" in refused("info", "nowhere.dat")


def test_a_folder_is_refused_as_one(refused):
    assert ". is a folder" in refused("info", ".")


def test_a_file_shorter_than_a_step_is_refused(refused, tmp_path):
    (tmp_path / "short.dat").write_bytes(bytes(100))
    assert "short.dat" in refused("info", "short.dat")


def test_the_real_car(spikemm, recordings):
    facts = json.loads(spikemm("info", recordings / "car_250x400.dat", "--json").stdout)
    assert (facts["steps"], facts["saturated_pixels"], facts["dead_pixels"]) == (200, 1717, 0)
    assert facts["mean_rate"] == pytest.approx(0.3662, abs=5e-5)
