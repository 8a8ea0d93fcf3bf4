"""The fixed pattern of a sensor: measured, kept in a file, and taken out of maps. The sensor is written here."""

import numpy as np
import pytest
import yaml

from spikemm.calibration import DEAD, GOOD, HOT, SATURATED, Calibration, calibration_of
from spikemm.encoding import Encoder
from spikemm.exceptions import CalibrationError, RecordingError, ShapeError
from spikemm.flat_field import from_dark_and_flat
from spikemm.maps import MapSpec
from spikemm.packing import pack
from spikemm.recording import Recording
from spikemm.tally import Tally

HEIGHT, WIDTH = 24, 32
RANDOM = np.random.default_rng(7)
GAIN = np.clip(1.0 + 0.05 * RANDOM.standard_normal((HEIGHT, WIDTH)), 0.8, 1.2)
GAIN /= GAIN.mean()
DARK = RANDOM.uniform(0.0, 0.004, (HEIGHT, WIDTH))


def fired(light, steps, noise=0.0):
    """Spikes (n, H, W) of pixels that sum their light from a random start and fire whenever the sum passes 1."""
    shown = np.broadcast_to(np.clip(light, 0.0, 1.0), (steps, HEIGHT, WIDTH))
    random = np.random.default_rng(1)
    charge = random.random((HEIGHT, WIDTH)) + np.cumsum(shown + noise * random.standard_normal(shown.shape), axis=0)
    return np.diff(np.floor(charge), axis=0, prepend=np.floor(charge[:1])).clip(0, 1).astype(np.uint8)


def record(folder, name, light, steps=2000, noise=0.0):
    path = folder / f"{name}.dat"
    path.write_bytes(pack(fired(light, steps, noise)).tobytes())
    return Recording(path, HEIGHT, WIDTH, flip=False)


@pytest.fixture
def dark(tmp_path):
    return record(tmp_path, "dark", DARK, 8000)


@pytest.fixture
def flat(tmp_path):
    return record(tmp_path, "flat", 0.4 * GAIN + DARK, 4000)


@pytest.fixture
def known():
    """The truth about the sensor."""
    faults = np.zeros((HEIGHT, WIDTH), np.uint8)
    return Calibration(np.float32(GAIN), np.float32(DARK), faults, np.zeros_like(faults, np.float32))


def test_a_tally_counts_intervals_from_the_first_spike_to_the_last():
    spikes = np.zeros((100, 1, 8), np.uint8)
    spikes[5:96:10, 0, 0] = 1
    spikes[42, 0, 1] = 1
    tally = Tally(1, 8)
    for start in range(0, 100, 30):
        tally.push(pack(spikes[start : start + 30]))
    np.testing.assert_allclose(tally.light[0, :3], [0.1, 0.01, 0.0])
    assert tally.count[0, :3].tolist() == [10, 1, 0]


def test_two_tallies_join_to_that_of_the_whole():
    spikes = (np.random.default_rng(0).random((300, HEIGHT, WIDTH)) < 0.02).astype(np.uint8)
    whole, first, second = (Tally(HEIGHT, WIDTH) for _ in range(3))
    whole.push(pack(spikes))
    first.push(pack(spikes[:120]))
    second.push(pack(spikes[120:]))
    np.testing.assert_array_equal(first.joined(second).light, whole.light)


def test_gains_and_dark_offsets_are_those_of_the_sensor(dark, flat):
    made = from_dark_and_flat(dark, flat)
    assert np.abs(made.gain - GAIN).max() < 1e-3
    assert np.abs(made.dark - DARK).max() < 1 / 8000
    assert made.pattern == pytest.approx(GAIN.std(), rel=1e-2)
    assert made.good.all()


def test_the_stated_error_is_the_error_that_noise_makes(tmp_path, dark):
    made = from_dark_and_flat(dark, record(tmp_path, "noisy", 0.4 * GAIN + DARK, 4000, noise=0.1))
    error = (made.gain / GAIN - 1.0).std()
    assert error > 2e-3
    assert np.median(made.error) == pytest.approx(error, rel=0.15)


def test_progress_reaches_the_length_of_both_recordings(dark, flat):
    seen = []
    from_dark_and_flat(dark, flat, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (12_000, 12_000)
    assert seen == sorted(seen)


@pytest.mark.parametrize("name", ["rate", "interval"])
def test_even_light_is_even_again(known, name):
    light = np.float32(0.3 * GAIN + DARK)
    np.testing.assert_allclose(known.apply(name, light), 0.3, rtol=1e-5)


def test_intervals_are_corrected_through_the_light_and_stay_undefined_where_they_were(known):
    intervals = np.float32(1.0 / (0.3 * GAIN + DARK))
    intervals[3, 4] = 0.0
    expected = np.full((HEIGHT, WIDTH), 1.0 / 0.3)
    expected[3, 4] = 0.0
    np.testing.assert_allclose(known.apply("isi", intervals), expected, rtol=1e-5)


def test_light_stays_between_0_and_1_and_a_pixel_that_always_fires_stays_at_1(known):
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    light[::2] = 1.0
    corrected = known.apply("interval", light)
    assert (corrected[::2] == 1.0).all()
    assert (corrected[1::2] == 0.0).all()


def test_the_parts_of_a_window_are_corrected_one_by_one(known):
    parts = np.random.default_rng(0).random((8, HEIGHT, WIDTH)).astype(np.float32)
    corrected = known.apply("interval", parts)
    np.testing.assert_array_equal(corrected, [known.apply("interval", part) for part in parts])


def test_a_map_of_another_size_is_refused(known):
    with pytest.raises(ShapeError, match=r"\(24, 32\)"):
        known.apply("rate", np.zeros((WIDTH, HEIGHT), np.float32))


def test_faulty_pixels_are_told_apart_and_show_the_median_of_their_neighbours(tmp_path):
    gain, offset = GAIN.copy(), DARK.copy()
    gain[4, 5] = 0.0
    offset[0, 0] = 0.3
    gain[9, 9] = 5.0
    dark = record(tmp_path, "dark", offset, 8000)
    made = from_dark_and_flat(dark, record(tmp_path, "flat", 0.4 * gain + offset, 4000))
    faults = {(y, x): int(made.fault[y, x]) for y, x in np.argwhere(made.fault != GOOD).tolist()}
    assert faults == {(4, 5): DEAD, (0, 0): HOT, (9, 9): SATURATED}
    slope = np.linspace(0.2, 0.5, WIDTH) + np.zeros((HEIGHT, 1))
    shown = np.float32(np.clip(slope * gain + offset, 0.0, 1.0))
    for name, corrected in (("rate", made.apply("rate", shown)), ("isi", made.apply("isi", inverse(shown)))):
        light = corrected if name == "rate" else inverse(corrected)
        np.testing.assert_allclose(light, slope, rtol=2e-3 if name == "rate" else 3e-3, atol=0.016)
        assert light[4, 5] == pytest.approx(slope[4, 5], rel=0.01)


def inverse(values):
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def test_recordings_that_cannot_give_a_calibration_are_refused(tmp_path, dark, flat):
    with pytest.raises(CalibrationError, match="the dark comes first"):
        from_dark_and_flat(flat, dark)
    with pytest.raises(CalibrationError, match=r"24×32 pixels .* 12×64"):
        from_dark_and_flat(dark, Recording(flat.path, 12, 64, flip=False))
    with pytest.raises(CalibrationError, match="% of the pixels are saturated"):
        from_dark_and_flat(dark, record(tmp_path, "glare", 1.2 * GAIN))
    with pytest.raises(CalibrationError, match="fires 4 times"):
        from_dark_and_flat(dark, record(tmp_path, "short", 0.4 * GAIN + DARK, 10))
    with pytest.raises(CalibrationError, match=r"known to ±\d.*record .* s or more"):
        from_dark_and_flat(dark, record(tmp_path, "noise", 0.4 * GAIN + DARK, 400, noise=0.3))
    with pytest.raises(CalibrationError, match=r"40 steps tell .* record \d+ steps or more"):
        from_dark_and_flat(record(tmp_path, "brief", DARK, 40), flat)
    half = np.where(np.arange(WIDTH) < 16, 0.4, 0.01) * GAIN
    with pytest.raises(CalibrationError, match="light the flat evenly"):
        from_dark_and_flat(dark, record(tmp_path, "lamp", half + DARK, 4000))


def test_a_file_keeps_a_calibration(tmp_path, known):
    known.save(tmp_path / "a.npz")
    read = Calibration.load(tmp_path / "a.npz", HEIGHT, WIDTH)
    for name in ("gain", "dark", "fault", "error"):
        np.testing.assert_array_equal(getattr(read, name), getattr(known, name))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def write_arrays(path, known, **changed):
    arrays = {"format": np.int64(1)} | {name: getattr(known, name) for name in ("gain", "dark", "fault", "error")}
    np.savez(path, **{name: part for name, part in (arrays | changed).items() if part is not None})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"gain": None}, "other arrays"),
        ({"format": np.int64(9)}, "format 9"),
        ({"gain": np.ones((HEIGHT, WIDTH))}, "float64"),
        ({"dark": np.zeros((3, 3), np.float32)}, r"dark is \(3, 3\)"),
        ({"gain": np.full((HEIGHT, WIDTH), np.nan, np.float32)}, "gain holds values from nan"),
        ({"gain": np.zeros((HEIGHT, WIDTH), np.float32)}, "gain holds values from 0"),
        ({"fault": np.full((HEIGHT, WIDTH), 9, np.uint8)}, "fault holds values from 9"),
        ({"fault": np.full((HEIGHT, WIDTH), DEAD, np.uint8)}, "every pixel has a fault"),
        ({"gain": np.array([print], object)}, "damaged, or no calibration"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path, known, changed, said):
    write_arrays(tmp_path / "a.npz", known, **changed)
    with pytest.raises(CalibrationError, match=said) as refused:
        Calibration.load(tmp_path / "a.npz", HEIGHT, WIDTH)
    assert "a.npz" in str(refused.value)


def test_a_damaged_file_is_refused(tmp_path, known):
    path = tmp_path / "a.npz"
    known.save(path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:500] + bytes(200) + whole[700:], b"gain: 1\n", b""):
        path.write_bytes(damaged)
        with pytest.raises(CalibrationError, match="damaged, or no calibration"):
            Calibration.load(path, HEIGHT, WIDTH)


def test_a_missing_file_another_size_and_another_ending_are_refused(tmp_path, known):
    with pytest.raises(CalibrationError, match="No such file"):
        Calibration.load(tmp_path / "a.npz", HEIGHT, WIDTH)
    known.save(tmp_path / "a.npz")
    with pytest.raises(CalibrationError, match="24×32 pixels, the picture has 250×400"):
        Calibration.load(tmp_path / "a.npz", 250, 400)
    with pytest.raises(CalibrationError, match=r"ends in \.npz"):
        known.save(tmp_path / "a.dat")
    with pytest.raises(CalibrationError, match="cannot write"):
        known.save(tmp_path / "missing" / "a.npz")


def test_an_encoder_corrects_every_map_of_light_and_no_raw_plane(known):
    packed = pack(fired(0.3 * GAIN + DARK, 400))
    specs = [MapSpec.parse(text) for text in ("rate:32", "interval:32", "isi:32", "interval:64/2", "planes:16")]
    raw, corrected = (
        Encoder(HEIGHT, WIDTH, specs, 20, calibration=calibration).push(packed, 0)[3].maps
        for calibration in (None, known)
    )
    for spec in specs[:-1]:
        np.testing.assert_array_equal(corrected[str(spec)], known.apply(spec.name, raw[str(spec)]))
        assert np.abs(corrected[str(spec)] - raw[str(spec)]).max() > 1e-3
    np.testing.assert_array_equal(corrected["planes:16"], raw["planes:16"])


def test_an_encoder_of_another_size_is_refused(known):
    with pytest.raises(CalibrationError, match="24×32"):
        Encoder(WIDTH, HEIGHT, [MapSpec("rate", 8)], 8, calibration=known)


def test_a_sidecar_names_the_calibration_relative_to_itself(tmp_path, known):
    path = record(tmp_path, "a", 0.3 * GAIN, 10).path
    facts = {"spike_h": HEIGHT, "spike_w": WIDTH, "flip": False, "calibration": "cameras/seven.npz"}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(facts))
    assert Recording(path).calibration == tmp_path / "cameras" / "seven.npz"  # there is no such file yet
    with pytest.raises(CalibrationError, match=r"seven\.npz"):
        calibration_of(Recording(path))
    (tmp_path / "cameras").mkdir()
    known.save(tmp_path / "cameras" / "seven.npz")
    np.testing.assert_array_equal(calibration_of(Recording(path)).gain, known.gain)


def test_an_argument_beats_the_sidecar_and_none_switches_it_off(tmp_path):
    path = record(tmp_path, "a", 0.3 * GAIN, 10).path
    assert Recording(path, HEIGHT, WIDTH).calibration is None
    path.with_suffix(".yaml").write_text("calibration: seven.npz\n")
    other = Recording(path, HEIGHT, WIDTH, calibration=tmp_path / "eight.npz")
    assert other.calibration == tmp_path / "eight.npz"
    assert "eight.npz was given and is taken" in other.notes[0]
    without = Recording(path, HEIGHT, WIDTH, calibration="none")
    assert without.calibration is None
    assert calibration_of(without) is None


def test_a_sidecar_whose_calibration_is_no_path_is_refused(tmp_path):
    path = record(tmp_path, "a", 0.3 * GAIN, 10).path
    path.with_suffix(".yaml").write_text("calibration: 7\n")
    with pytest.raises(RecordingError, match="calibration is 7: give the path"):
        Recording(path, HEIGHT, WIDTH)
