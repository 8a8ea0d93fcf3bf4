import numpy as np
import pytest
import torch
from torch import nn

from spikemm.exceptions import OptionError, WeightsError
from spikemm.weights.checkpoint import TrainingState, load_checkpoint, save_checkpoint


class Training:
    """A small training that draws from torch's random numbers (dropout), numpy's (samples) and a torch generator's."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.LeakyReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-2, betas=(0.8, 0.99), weight_decay=1e-3)
        self.generators = {"samples": np.random.default_rng(seed), "noise": torch.Generator().manual_seed(seed)}
        self.iteration = 0

    def train(self, iterations):
        for _ in range(iterations):
            x = torch.from_numpy(self.generators["samples"].normal(size=(5, 6)).astype(np.float32))
            noise = torch.randn(5, 2, generator=self.generators["noise"])
            self.optimizer.zero_grad()
            (self.network(x) - x[:, :2] - 0.1 * noise).square().mean().backward()
            self.optimizer.step()
            self.iteration += 1

    def state(self):
        return TrainingState.capture(
            self.network,
            self.optimizer,
            iteration=self.iteration,
            options={"lr": 1e-2, "fronts": ("mie", 32)},
            generators=self.generators,
            notes={"best": {"psnr": 41.9}, "average": torch.arange(3)},
        )

    def resume(self, state):
        state.restore(self.network, self.optimizer, self.generators)
        self.iteration = state.iteration


def assert_same(one, other):
    """The same tree to the last bit and type."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other


def parts(state):
    return {name: getattr(state, name) for name in ("iteration", "network", "optimizer", "random", "options", "notes")}


def saved(folder, *iterations):
    """A training that has saved at each of these iterations; it stands at the last."""
    training = Training(seed=1)
    for iteration in iterations:
        training.train(iteration - training.iteration)
        save_checkpoint(folder, training.state())
    return training


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_state_comes_back_to_the_last_bit_and_type(tmp_path):
    training = saved(tmp_path, 3)
    assert_same(parts(load_checkpoint(tmp_path)), parts(training.state()))


def test_fresh_optimizer_without_moments_comes_back(tmp_path):
    training = saved(tmp_path, 0)
    assert_same(load_checkpoint(tmp_path).optimizer, training.optimizer.state_dict())


def test_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    whole = Training(seed=1)
    whole.train(4)
    save_checkpoint(tmp_path, whole.state())
    whole.train(6)
    expected = whole.state()
    resumed = Training(seed=2)
    resumed.resume(load_checkpoint(tmp_path))
    resumed.train(6)
    assert_same(parts(resumed.state()), parts(expected))


def test_captured_state_does_not_follow_the_training():
    training = Training(seed=1)
    training.train(2)
    state = training.state()
    training.train(3)
    first = training.state()
    training.resume(state)
    training.train(3)
    assert_same(parts(training.state()), parts(first))
    training.resume(state)
    training.train(3)
    assert_same(parts(training.state()), parts(first))


def test_empty_or_missing_folder_holds_no_state(tmp_path):
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "none") is None


def test_newest_state_is_loaded_and_one_before_it_kept(tmp_path):
    saved(tmp_path, 1, 2, 10)
    assert load_checkpoint(tmp_path).iteration == 10
    assert names(tmp_path) == ["iteration-000000002.safetensors", "iteration-000000010.safetensors"]


def test_kill_while_writing_leaves_the_state_before(tmp_path):
    training = saved(tmp_path, 1, 2)
    left = tmp_path / ".spikemm-killed"
    left.mkdir()
    (left / "iteration-000000003.safetensors").write_bytes(b"half")
    assert load_checkpoint(tmp_path).iteration == 2
    training.train(2)
    save_checkpoint(tmp_path, training.state())
    assert names(tmp_path) == ["iteration-000000002.safetensors", "iteration-000000004.safetensors"]


def test_failed_save_keeps_both_states_before(tmp_path, monkeypatch):
    training = saved(tmp_path, 1, 2)
    training.train(1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WeightsError, match=r"cannot be written \(No space left on device\): free space"):
        save_checkpoint(tmp_path, training.state())
    assert names(tmp_path) == ["iteration-000000001.safetensors", "iteration-000000002.safetensors"]


def test_damaged_newest_state_names_the_one_before(tmp_path):
    saved(tmp_path, 1, 2)
    newest = tmp_path / "iteration-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"000000002.*damaged.*delete it to go on from .*000000001"):
        load_checkpoint(tmp_path)
    newest.unlink()
    assert load_checkpoint(tmp_path).iteration == 1


def test_damaged_older_state_is_not_advised(tmp_path):
    saved(tmp_path, 1, 2)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"empty the folder to begin again"):
        load_checkpoint(tmp_path)


def test_other_training_does_not_overwrite_a_later_state(tmp_path):
    saved(tmp_path, 5)
    with pytest.raises(WeightsError, match="holds a later iteration-000000005"):
        save_checkpoint(tmp_path, Training(seed=3).state())
    assert names(tmp_path) == ["iteration-000000005.safetensors"]


def test_state_of_another_training_is_refused(tmp_path):
    state = saved(tmp_path, 1).state()
    other = Training(seed=1)
    with pytest.raises(WeightsError, match=r"is of another training.*generators") as caught:
        state.restore(other.network, other.optimizer)
    assert "\n" not in str(caught.value)
    wider = nn.Linear(6, 9)
    with pytest.raises(WeightsError, match="is of another training"):
        state.restore(wider, torch.optim.Adam(wider.parameters()), other.generators)


def test_what_is_neither_number_nor_text_is_not_saved(tmp_path):
    training = Training(seed=1)
    state = TrainingState.capture(training.network, training.optimizer, iteration=1, options={"path": tmp_path})
    with pytest.raises(OptionError, match="options/path is of type PosixPath"):
        save_checkpoint(tmp_path / "new", state)
    assert load_checkpoint(tmp_path / "new") is None
