import json
import shutil

import numpy as np
import pytest
import yaml

from spikemm.calibration import Calibration
from spikemm.metrics import displacement, fit_sine

HEIGHT, WIDTH = 125, 200
SIZE = ("--height", HEIGHT, "--width", WIDTH)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder with a dark, a flat and a moving recording of one sensor, and its calibration."""
    from tools import calibrate, simulate

    folder = tmp_path_factory.mktemp("made")
    size = {"height": HEIGHT, "width": WIDTH}
    for name, scene, options in (
        ("dark", "flat", {"seconds": 0.2, "light": 0.0}),
        ("flat", "flat", {"seconds": 0.2}),
        ("ruler", "short-ruler", {"seconds": 0.05}),
        ("free", "short-ruler", {"seconds": 0.05, "fixed_pattern": 0.0}),
    ):
        simulate.simulate(scene, folder / f"{name}.dat", **size, **options)
    calibrate.calibrate([folder / "dark.dat", folder / "flat.dat", folder / "camera.npz"])
    return folder


def test_a_dark_and_a_flat_give_a_calibration_and_a_table_of_it(spikemm, made, tmp_path):
    ended = spikemm("calibrate", made / "dark.dat", made / "flat.dat", "camera.npz")
    assert ended.returncode == 0, ended.stderr
    for row in (r"125 × 200 px", "pattern", "5.0", "exact to", "dead pixels", "hot pixels"):
        assert row in ended.stdout
    read = Calibration.load(tmp_path / "camera.npz", HEIGHT, WIDTH)
    assert read.pattern == pytest.approx(0.05, rel=0.03)
    assert read.dark.mean() == pytest.approx(0.0005, rel=0.05)


def amplitude(path):
    frames = np.load(path)
    moved = displacement(frames["frames"], (119, 58, 37, 15))[:, 1]
    return fit_sine(moved, frames["steps"], 20_000.0, 120.0).amplitude


def test_magnify_measures_the_pattern_free_amplitude_with_it(spikemm, made, tmp_path):
    def magnified(name, *arguments):
        out = f"{len(list(tmp_path.iterdir()))}.npz"
        ended = spikemm("magnify", made / f"{name}.dat", out, "--alpha", 1, *arguments)
        assert ended.returncode == 0, ended.stderr
        return amplitude(tmp_path / out)

    without = magnified("free")
    assert magnified("ruler") < 0.97 * without
    assert magnified("ruler", "--calibration", made / "camera.npz") == pytest.approx(without, rel=0.02)


def test_a_sidecar_may_name_it_and_info_shows_it(spikemm, made, tmp_path):
    for name in ("ruler.dat", "ruler.yaml", "camera.npz"):
        shutil.copy(made / name, tmp_path)
    assert json.loads(spikemm("info", "ruler.dat", "--json").stdout)["calibration"] is None
    stated = yaml.safe_load((tmp_path / "ruler.yaml").read_text()) | {"calibration": "camera.npz"}
    (tmp_path / "ruler.yaml").write_text(yaml.safe_dump(stated))
    assert json.loads(spikemm("info", "ruler.dat", "--json").stdout)["calibration"] == "camera.npz"
    assert "camera.npz: a pattern of 5.0" in spikemm("info", "ruler.dat").stdout


def test_an_estimate_of_a_still_scene_says_that_nothing_is_known(spikemm, tmp_path):
    spikemm("simulate", "still", "still.dat", "--seconds", 0.1, *SIZE)
    ended = spikemm("calibrate", "--estimate", "still.dat", "still.npz")
    assert ended.returncode == 0, ended.stderr
    assert "no pixel: nothing moves" in ended.stdout
    assert (Calibration.load(tmp_path / "still.npz", HEIGHT, WIDTH).gain == 1.0).all()


def test_an_estimate_says_how_much_of_the_picture_it_knows(spikemm, tmp_path):
    spikemm("simulate", "balloon", "b.dat", "--seconds", 0.1, "--desk", 0.4, "--height", 64, "--width", 96)
    shown = spikemm("calibrate", "--estimate", "b.dat", "b.npz").stdout
    assert "% of the pixels, their gains to ±" in shown
    assert Calibration.load(tmp_path / "b.npz", 64, 96).pattern > 0.02


def test_what_gives_no_calibration_is_refused_and_leaves_nothing(refused, made, tmp_path):
    dark, flat = made / "dark.dat", made / "flat.dat"
    assert "the dark comes first" in refused("calibrate", flat, dark, "a.npz")
    assert "2 files given, 3 are needed: DARK FLAT OUT.npz" in refused("calibrate", dark, "a.npz")
    assert "3 files given, 2 are needed: REC OUT.npz" in refused("calibrate", "--estimate", dark, flat, "a.npz")
    assert ".npz" in refused("calibrate", dark, flat, "a.txt")
    assert "missing" in refused("calibrate", dark, flat, "missing/a.npz")
    assert "nowhere.dat" in refused("calibrate", dark, "nowhere.dat", "a.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_that_cannot_be_used_is_refused(refused, made, tmp_path):
    ruler = made / "ruler.dat"
    assert "no calibration" in refused("magnify", ruler, "a.npz", "--calibration", made / "ruler.yaml")
    assert "No such file" in refused("info", ruler, "--calibration", "gone.npz")
    shutil.copy(ruler, tmp_path / "bare.dat")
    other = refused("info", "bare.dat", "--height", 100, "--width", 250, "--calibration", made / "camera.npz")
    assert "125×200 pixels, the picture has 100×250" in other
