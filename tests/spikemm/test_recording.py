import numpy as np
import psutil
import pytest

from spikemm.exceptions import RecordingError
from spikemm.recording import Recording

STEPS, HEIGHT, WIDTH = 5, 6, 24


@pytest.fixture
def spikes():
    return np.random.default_rng(2).integers(0, 2, (STEPS, HEIGHT, WIDTH), dtype=np.uint8)


def write_bits(path, columns):
    path.write_bytes(np.packbits(columns.reshape(len(columns), -1), axis=1, bitorder="little").tobytes())
    return path


def test_rows_of_a_camera_file_run_from_the_bottom_up(tmp_path, spikes):
    recording = Recording(write_bits(tmp_path / "a.dat", spikes), HEIGHT, WIDTH)
    assert (recording.spikes(0, STEPS) == spikes[:, ::-1]).all()
    assert (recording.layout, recording.flip, recording.steps, recording.trailing_bytes) == ("plain", True, STEPS, 0)
    assert recording.notes == ()


def test_packed_steps_are_upright_least_significant_bit_first(tmp_path, spikes):
    recording = Recording(write_bits(tmp_path / "a.dat", spikes), HEIGHT, WIDTH)
    expected = np.packbits(spikes[2:4, ::-1].reshape(2, -1), axis=1, bitorder="little")
    assert (recording.packed(2, 4) == expected).all()


def test_rows_that_are_upright_already_stay(tmp_path, spikes):
    recording = Recording(write_bits(tmp_path / "a.dat", spikes), HEIGHT, WIDTH, flip=False)
    assert (recording.spikes(1, 3) == spikes[1:3]).all()


@pytest.mark.parametrize("flip", [True, False])
def test_any_size_can_be_read(tmp_path, flip):
    spikes = np.random.default_rng(3).integers(0, 2, (4, 7, 13), dtype=np.uint8)
    recording = Recording(write_bits(tmp_path / "odd.dat", spikes), 7, 13, flip=flip)
    assert (recording.spikes(0, 4) == (spikes[:, ::-1] if flip else spikes)).all()


def test_what_is_read_does_not_change_with_the_recording_gone(tmp_path, spikes):
    path = write_bits(tmp_path / "a.dat", spikes)
    packed = Recording(path, HEIGHT, WIDTH, flip=False).packed(0, STEPS)
    packed[0] = 0
    assert (Recording(path, HEIGHT, WIDTH, flip=False).spikes(0, STEPS) == spikes).all()


def test_sixteen_head_bits_a_row_are_left_out(tmp_path, spikes):
    head = np.random.default_rng(4).integers(0, 2, (STEPS, HEIGHT, 16), dtype=np.uint8)
    path = write_bits(tmp_path / "head.dat", np.concatenate([spikes, head], axis=2))
    recording = Recording(path, HEIGHT, WIDTH, layout="head")
    assert recording.steps == STEPS
    assert (recording.spikes(0, STEPS) == spikes[:, ::-1]).all()


def test_wide_rows_lose_their_gaps(tmp_path):
    raw = np.random.default_rng(5).integers(0, 2, (2, 1000, 1024), dtype=np.uint8)
    recording = Recording(write_bits(tmp_path / "wide.dat", raw), layout="wide")
    pixels = np.delete(raw, [*range(500, 512), *range(1012, 1024)], axis=2)
    assert (recording.height, recording.width, recording.steps) == (1000, 1000, 2)
    assert (recording.spikes(0, 2) == pixels[:, ::-1]).all()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64])
@pytest.mark.parametrize("ending", ["npy", "npz", "compressed"])
def test_arrays_are_read_with_their_own_size(tmp_path, spikes, ending, kind):
    path = tmp_path / ("a.npy" if ending == "npy" else "a.npz")
    array = spikes.astype(kind)
    if ending == "npy":
        np.save(path, array)
    else:
        (np.savez if ending == "npz" else np.savez_compressed)(path, other=np.arange(3), spk=array)
    recording = Recording(path)
    assert (recording.height, recording.width, recording.steps, recording.layout) == (HEIGHT, WIDTH, STEPS, "array")
    assert (recording.spikes(1, STEPS) == spikes[1:, ::-1]).all()


def test_an_array_in_column_order_is_read_the_same(tmp_path, spikes):
    np.save(tmp_path / "a.npy", np.asfortranarray(spikes))
    assert (Recording(tmp_path / "a.npy", flip=False).spikes(0, STEPS) == spikes).all()


def test_the_sidecar_states_the_facts_and_arguments_beat_it(tmp_path, spikes):
    path = write_bits(tmp_path / "a.dat", spikes)
    (tmp_path / "a.yaml").write_text("spike_h: 6\nspike_w: 24\nrate_hz: 40000\nflip: false\nlayout: plain\n")
    recording = Recording(path)
    assert (recording.height, recording.width, recording.rate_hz, recording.flip) == (6, 24, 40_000, False)
    assert recording.seconds == STEPS / 40_000
    assert (Recording(path, 12, 12, rate_hz=100, flip=True).spikes(0, 1)[0, 0] == spikes[0].reshape(12, 12)[-1]).all()


def test_an_argument_that_contradicts_the_sidecar_is_noted(tmp_path, spikes):
    path = tmp_path / "a.dat"
    path.write_bytes(bytes(24 * 16 // 8 * 4))
    path.with_suffix(".yaml").write_text("spike_h: 24\nspike_w: 16\n")
    assert Recording(path, 24).notes == ()
    (note,) = Recording(path, 12).notes
    assert "a.yaml: says spike_h: 24, but height 12 was given" in note


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(RecordingError, match="is a folder"):
        Recording(tmp_path)


def test_a_camera_file_without_facts_is_250_by_400_at_20_khz(tmp_path):
    (tmp_path / "a.dat").write_bytes(bytes(25_000))
    recording = Recording(tmp_path / "a.dat")
    assert (recording.height, recording.width, recording.rate_hz, recording.steps) == (250, 400, 20_000, 2)


def test_a_trailing_part_of_a_step_is_reported_and_left_out(tmp_path, spikes):
    path = write_bits(tmp_path / "a.dat", spikes)
    path.write_bytes(path.read_bytes() + bytes(7))
    recording = Recording(path, HEIGHT, WIDTH)
    assert (recording.steps, recording.trailing_bytes) == (STEPS, 7)
    assert len(recording.notes) == 1 and "7 bytes" in recording.notes[0]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        ("spike_hh: 6", "did you mean 'spike_h'"),
        ("rate_Hz: 20000", "did you mean 'rate_hz'"),
        ("spike_h: tall", "spike_h is 'tall'"),
        ("spike_w: -4", "spike_w is -4"),
        ("spike_h: true", "spike_h is True"),
        ("rate_hz: 0", "rate_hz is 0"),
        ("flip: 'no'", "true or false"),
        ("layout: round", "plain, head, wide, array"),
        ("layout: array", "does not go with"),
        ("layout: [1]", "plain, head, wide, array"),
        ("- 6", "keys and values"),
        ("spike_h: [", "not readable as YAML"),
    ],
)
def test_a_wrong_sidecar_is_one_clear_line(tmp_path, spikes, sidecar, said):
    path = write_bits(tmp_path / "a.dat", spikes)
    (tmp_path / "a.yaml").write_text(sidecar)
    with pytest.raises(RecordingError, match=r"a\.(dat|yaml)") as caught:
        Recording(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_keys_of_other_tools_in_a_sidecar_are_left_alone(tmp_path, spikes):
    path = write_bits(tmp_path / "a.dat", spikes)
    (tmp_path / "a.yaml").write_text(f"spike_h: {HEIGHT}\nspike_w: {WIDTH}\nlabeled_data_type: [3.1]\n")
    assert (Recording(path).height, Recording(path).width) == (HEIGHT, WIDTH)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"nowhere\.dat: there is no such file"):
        Recording(tmp_path / "nowhere.dat")


@pytest.mark.parametrize("size", [0, 100])
def test_less_than_a_step_is_an_error(tmp_path, size):
    (tmp_path / "a.dat").write_bytes(bytes(size))
    with pytest.raises(RecordingError, match=f"{size} bytes are less than one step"):
        Recording(tmp_path / "a.dat")


@pytest.mark.parametrize("options", [{"height": 0}, {"width": 2.5}, {"rate_hz": -1}, {"flip": 1}, {"layout": "round"}])
def test_a_wrong_argument_is_an_error(tmp_path, options):
    (tmp_path / "a.dat").write_bytes(bytes(12_500))
    with pytest.raises(RecordingError, match="Recording: "):
        Recording(tmp_path / "a.dat", **options)


@pytest.mark.parametrize(("layout", "size"), [("wide", (250, 400)), ("head", (250, 402)), ("array", (250, 400))])
def test_a_layout_that_does_not_fit_is_an_error(tmp_path, layout, size):
    (tmp_path / "a.dat").write_bytes(bytes(200_000))
    with pytest.raises(RecordingError, match=f"layout {layout}"):
        Recording(tmp_path / "a.dat", *size, layout=layout)


def test_a_size_that_contradicts_the_array_is_an_error(tmp_path, spikes):
    np.savez(tmp_path / "a.npz", spk=spikes)
    with pytest.raises(RecordingError, match="6×24 pixels, 250×24 are stated"):
        Recording(tmp_path / "a.npz", height=250)


def test_an_array_by_another_name_is_an_error_that_lists_the_names(tmp_path, spikes):
    np.savez(tmp_path / "a.npz", spikes=spikes)
    with pytest.raises(RecordingError, match="holds no array named spk, only: spikes"):
        Recording(tmp_path / "a.npz")


@pytest.mark.parametrize("array", [np.zeros((3, 4)), np.zeros((2, 3, 4)), np.zeros((0, 3, 4), bool)], ids=str)
def test_an_array_of_something_else_is_an_error(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(RecordingError, match=r"save \(T, H, W\)"):
        Recording(tmp_path / "a.npy")


def test_counts_are_not_spikes(tmp_path, spikes):
    np.save(tmp_path / "a.npy", spikes * 3)
    with pytest.raises(RecordingError, match="values beyond 0 and 1"):
        Recording(tmp_path / "a.npy").packed(0, STEPS)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_an_unreadable_array_is_an_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match="not a readable numpy file"):
        Recording(tmp_path / name)


def test_an_array_cut_off_is_an_error(tmp_path, spikes):
    np.save(tmp_path / "a.npy", spikes)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-1])
    with pytest.raises(RecordingError, match="cut off"):
        Recording(tmp_path / "a.npy")


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, STEPS + 1)])
def test_steps_that_are_not_there_are_an_error(tmp_path, spikes, start, stop):
    recording = Recording(write_bits(tmp_path / "a.dat", spikes), HEIGHT, WIDTH)
    with pytest.raises(RecordingError, match="ask for"):
        recording.packed(start, stop)


def test_memory_does_not_grow_with_what_was_read(tmp_path):
    with (tmp_path / "long.dat").open("wb") as file:
        file.truncate(12_500 * 8000)
    recording = Recording(tmp_path / "long.dat")
    recording.packed(0, 80)
    before = psutil.Process().memory_info().rss
    for step in range(0, 8000, 80):
        recording.packed(step, step + 80)
    assert psutil.Process().memory_info().rss - before < 20e6


@pytest.fixture(scope="module")
def car(recordings):
    return Recording(recordings / "car_250x400.dat")


def test_the_real_recording_has_its_known_figures(car):
    fired = car.spikes(0, car.steps).sum(axis=0, dtype=np.int64)
    assert car.steps == 200 and car.trailing_bytes == 0
    assert fired.mean() / 200 == pytest.approx(0.3662, abs=5e-5)
    assert (fired == 200).sum() == 1717
    assert (fired == 0).sum() == 0


def test_the_real_recording_is_upright(car):
    wall = car.spikes(0, car.steps)[:, 20:190, 340:398]
    assert wall.mean() == pytest.approx(0.177, abs=5e-4)
