"""A calibration on its way from a source's option to the frames."""

from pathlib import Path

import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.envelope import decode, encode
from engine.testing import drive, make_node, produced
from nodes.encode import Encode
from nodes.fixed_point import from_fixed_point
from nodes.messages import Spikes
from nodes.reconstruct import Reconstruct
from nodes.replay import Replay
from nodes.synthetic_camera import SyntheticCamera
from spikemm.calibration import Calibration
from spikemm.exceptions import CalibrationError
from spikemm.flat_field import from_dark_and_flat
from spikemm.recording import Recording
from spikemm.simulator import Sensor, Simulator, make_scene, write_recording

HEIGHT, WIDTH = 48, 64


def record(folder, name, scene, seconds, **sensor):
    path = folder / f"{name}.dat"
    write_recording(path, Simulator(make_scene(scene, height=HEIGHT, width=WIDTH), Sensor(**sensor)), seconds)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    dark, flat = (record(folder, name, "flat", 0.2, light=light) for name, light in (("dark", 0.0), ("flat", 1.0)))
    from_dark_and_flat(Recording(dark), Recording(flat)).save(folder / "camera.npz")
    record(folder, "scene", "flat", 0.05, light=0.6)
    return folder


@pytest.fixture
def calibration(folder):
    return folder / "camera.npz"


def over_a_link(messages):
    """Bring messages through the wire format."""
    return [decode([bytes(memoryview(part).cast("B")) for part in encode(message)]) for message in messages]


def light(folder, name, **options):
    """Mean light of the frames that a pipeline makes of a recording of even light: (H, W)."""
    spikes = produced(
        make_node(Replay, ManualClock(), path=str(folder / "scene.dat"), speed=0, **options), ManualClock()
    )
    windows = drive(make_node(Encode, context={"wanted": frozenset({f"{name}:32"})}), over_a_link(spikes))
    frames = drive(make_node(Reconstruct, front=name, window=32), over_a_link(windows))
    return np.concatenate([np.asarray(frame.pixels) for frame in frames]).mean(0)


@pytest.mark.parametrize(("name", "unevenness"), [("interval", 0.01), ("rate", 0.02), ("isi", 0.03)])
def test_frames_of_even_light_are_even_once_the_replay_names_the_calibration(folder, calibration, name, unevenness):
    raw, corrected = light(folder, name), light(folder, name, calibration=str(calibration))
    assert raw.std() / raw.mean() > 0.045
    assert corrected.std() / corrected.mean() < unevenness


def test_a_region_has_its_own_part_of_the_calibration(folder, calibration):
    spikes = produced(
        make_node(Replay, ManualClock(), path=str(folder / "scene.dat"), speed=0, calibration=str(calibration)),
        ManualClock(),
    )
    wants = {"wanted": frozenset({"rate:64"})}
    whole = drive(make_node(Encode, context=wants), spikes)[-1].maps["rate:64"]
    part = drive(make_node(Encode, context=wants, region=[8, 16, 24, 20]), spikes)[-1].maps["rate:64"]
    assert np.array_equal(part, whole[:, 16:36, 8:32])


def test_the_header_carries_the_full_path(folder, calibration, monkeypatch):
    monkeypatch.chdir(folder)
    node = make_node(Replay, ManualClock(), path="scene.dat", speed=0, calibration="camera.npz")
    (first, *_) = over_a_link(produced(node, ManualClock()))
    assert Path(first.calibration) == calibration.resolve()


def test_the_sidecar_of_a_replay_names_it_too_and_none_switches_it_off(folder, calibration, tmp_path):
    copy = tmp_path / "scene.dat"
    copy.write_bytes((folder / "scene.dat").read_bytes())
    stated = (folder / "scene.yaml").read_text() + f"calibration: {calibration}\n"
    copy.with_suffix(".yaml").write_text(stated)
    for options, expected in (({}, str(calibration.resolve())), ({"calibration": "none"}, "")):
        (first, *_) = produced(make_node(Replay, ManualClock(), path=str(copy), speed=0, **options), ManualClock())
        assert first.calibration == expected


def test_a_synthetic_camera_names_it_as_well(calibration):
    size = {"height": HEIGHT, "width": WIDTH}
    clock = ManualClock()
    camera = make_node(SyntheticCamera, clock, scene="flat", calibration=str(calibration), **size)
    (first,) = produced(camera, clock, limit=1)
    assert Path(first.calibration) == calibration.resolve()


def test_what_is_wrong_with_it_is_said_before_anything_starts(folder, calibration):
    path = str(folder / "scene.dat")
    for named, said in (("missing.npz", "No such file"), (path, "damaged, or no calibration")):
        with pytest.raises(CalibrationError, match=said):
            Replay.check(Replay.Options(path=path, calibration=named))
        with pytest.raises(CalibrationError, match=said):
            SyntheticCamera.check(SyntheticCamera.Options(calibration=named, height=HEIGHT, width=WIDTH))
    with pytest.raises(CalibrationError, match="48×64 pixels, the picture has 250×400"):
        SyntheticCamera.check(SyntheticCamera.Options(calibration=str(calibration)))
    with pytest.raises(CalibrationError, match="48×64 pixels, the picture has 24×128"):
        Replay.check(Replay.Options(path=path, calibration=str(calibration), height=24, width=128))
    Replay.check(Replay.Options(path=path, calibration=str(calibration)))


def spikes(step, path):
    packed = np.random.default_rng(step).integers(0, 256, (200, HEIGHT * WIDTH // 8), dtype=np.uint8)
    return Spikes(step=step, count=200, packed=packed, height=HEIGHT, width=WIDTH, rate_hz=2e4, calibration=str(path))


def test_an_encoder_that_cannot_read_it_says_which(tmp_path):
    with pytest.raises(CalibrationError, match=r"gone\.npz: No such file"):
        drive(make_node(Encode), [spikes(0, tmp_path / "gone.npz")])
    assert issubclass(CalibrationError, Encode.user_errors)


def test_an_encoder_changes_to_another_calibration_on_the_way(tmp_path):
    for name, gain in (("half", 0.5), ("double", 2.0)):
        parts = [np.full((HEIGHT, WIDTH), value, np.float32) for value in (gain, 0.0, 0.0)]
        Calibration(parts[0], parts[1], np.zeros((HEIGHT, WIDTH), np.uint8), parts[2]).save(tmp_path / f"{name}.npz")
    node = make_node(Encode, context={"wanted": frozenset({"rate:32"})})
    brightness = [
        from_fixed_point("rate:32", drive(node, [spikes(step, tmp_path / name)], flush=False)[0].maps["rate:32"]).mean()
        for step, name in ((0, "half.npz"), (200, "double.npz"))
    ]
    assert brightness == pytest.approx([0.95, 0.25], abs=0.06)
