"""A written recording: bottom-up rows, a sidecar that says so, and the truth beside it."""

import json

import numpy as np
import pytest
import yaml

from spikemm.exceptions import OptionError, RecordingError
from spikemm.simulator import Simulator, make_scene, write_recording


@pytest.mark.parametrize("size", [(24, 32), (19, 21)])
def test_file_holds_the_steps_with_their_rows_bottom_up(tmp_path, size):
    height, width = size
    scene = make_scene("tuning-fork", height=height, width=width)
    write_recording(tmp_path / "fork.dat", Simulator(scene, seed=4), 0.05)
    raw = np.fromfile(tmp_path / "fork.dat", np.uint8).reshape(1000, -1)
    stored = np.unpackbits(raw, axis=1, bitorder="little")[:, : height * width].reshape(1000, height, width)
    made = np.unpackbits(Simulator(scene, seed=4).steps(1000), axis=1, bitorder="little")
    np.testing.assert_array_equal(stored[:, ::-1].reshape(1000, -1), made[:, : height * width])
    picture = stored[:, ::-1].mean(axis=0)
    assert np.corrcoef(picture.ravel(), scene.frame().ravel())[0, 1] > 0.9


def test_sidecars_describe_the_recording_and_its_motions(tmp_path):
    scene = make_scene("short-ruler", height=40, width=64, frequency_hz=90.0, amplitude_px=0.7)
    write_recording(tmp_path / "ruler.dat", Simulator(scene, rate_hz=10_000.0), 0.01)
    sidecar = yaml.safe_load((tmp_path / "ruler.yaml").read_text())
    assert sidecar == {"spike_h": 40, "spike_w": 64, "rate_hz": 10_000.0, "flip": True}
    truth = json.loads((tmp_path / "ruler.truth.json").read_text())
    (motion,) = truth.pop("motions")
    assert truth == {"scene": "short-ruler", "seconds": 0.01, "rate_hz": 10_000.0, "height": 40, "width": 64}
    assert motion == {
        "region": list(scene.motions[0].region),
        "hz": 90.0,
        "px": 0.7,
        "angle_deg": 90.0,
        "phase_deg": 0.0,
    }


def test_progress_counts_up_to_all_steps(tmp_path):
    seen = []
    simulator = Simulator(make_scene("still", height=16, width=16))
    write_recording(tmp_path / "a.dat", simulator, 0.05, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen)


def test_interrupted_writing_leaves_nothing(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_recording(tmp_path / "a.dat", Simulator(make_scene("still", height=16, width=16)), 0.1, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_named(tmp_path):
    simulator = Simulator(make_scene("still", height=16, width=16))
    with pytest.raises(RecordingError, match=r"nowhere.*No such file"):
        write_recording(tmp_path / "nowhere" / "a.dat", simulator, 0.01)


@pytest.mark.parametrize(("name", "seconds"), [("a.bin", 0.1), ("a.dat", 0.0), ("a.dat", float("nan"))])
def test_wrong_name_or_length_is_refused(tmp_path, name, seconds):
    with pytest.raises(OptionError):
        write_recording(tmp_path / name, Simulator(make_scene("still", height=16, width=16)), seconds)


def test_simulator_that_has_run_is_refused(tmp_path):
    simulator = Simulator(make_scene("still", height=16, width=16))
    simulator.steps(5)
    with pytest.raises(OptionError, match="step 5"):
        write_recording(tmp_path / "a.dat", simulator, 0.01)
