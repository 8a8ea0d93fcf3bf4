import json

import pytest
import yaml

SIZE = ("--height", 48, "--width", 64)


def test_writes_the_recording_its_sidecar_and_its_truth(spikemm, tmp_path):
    ended = spikemm(
        "simulate", "tuning-fork", "a.dat", "--seconds", 0.01, "--frequency", 250, "--amplitude", 0.2, *SIZE
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "a.dat").stat().st_size == 200 * 48 * 64 // 8
    sidecar = yaml.safe_load((tmp_path / "a.yaml").read_text())
    assert sidecar == {"spike_h": 48, "spike_w": 64, "rate_hz": 20000.0, "flip": True}
    truth = json.loads((tmp_path / "a.truth.json").read_text())
    assert truth.keys() == {"scene", "seconds", "rate_hz", "height", "width", "motions"}
    assert truth["motions"]
    for motion in truth["motions"]:
        assert motion.keys() >= {"region", "hz", "px", "angle_deg"}
        assert (motion["hz"], motion["px"]) == (250, 0.2)


def test_the_same_seed_gives_the_same_file(spikemm, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        spikemm("simulate", "balloon", f"{name}.dat", "--seconds", 0.005, "--seed", seed, "--noise", 0.1, *SIZE)
    first, second, other = ((tmp_path / f"{name}.dat").read_bytes() for name in "abc")
    assert first == second
    assert first != other


def test_less_light_fires_fewer_spikes(spikemm):
    rates = []
    for name, light in (("bright", 1.0), ("dim", 0.1)):
        spikemm("simulate", "still", f"{name}.dat", "--seconds", 0.02, "--light", light, *SIZE)
        rates.append(json.loads(spikemm("info", f"{name}.dat", "--json").stdout)["mean_rate"])
    assert rates[1] == pytest.approx(0.1 * rates[0], rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("tuning-frok", "a.dat"), "tuning-frok"),
        (("tuning-fork", "a.raw"), ".dat"),
        (("tuning-fork", "missing/a.dat"), "missing"),
        (("still", "a.dat", "--frequency", 100), "still"),
        (("tuning-fork", "a.dat", "--seconds", -1), "-1"),
        (("tuning-fork", "a.dat", "--seconds", "nan"), "nan is not a finite number"),
        (("tuning-fork", "a.dat", "--noise", "inf"), "inf is not a finite number"),
        (("tuning-fork", "a.dat", "--seconds", "1e12"), "GB left"),
        (("tuning-fork", "a.dat", "--height", 100_000_000), "at most 16384 px"),
        (("tuning-fork", "a.dat", "--flicker", 3), "flicker"),
    ],
)
def test_what_cannot_be_simulated_is_refused(refused, tmp_path, arguments, named):
    assert named in refused("simulate", *arguments)
    assert list(tmp_path.iterdir()) == []
