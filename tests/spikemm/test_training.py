"""Training on streams: what is taught, that the same seed teaches the same, and that a kill loses nothing."""

import math

import msgspec
import numpy as np
import pytest
import torch

from spikemm.calibration import Calibration
from spikemm.exceptions import OptionError, WeightsError
from spikemm.recording import Recording
from spikemm.training import BSNOptions, BSNTraining, Progress, Source, adapt, train
from spikemm.training.samples import Batch, draw_batch
from spikemm.training.streams import Stream, StreamPool
from spikemm.weights.checkpoint import TrainingState, load_checkpoint

QUICK = BSNOptions(
    network={"channels": 4, "blocks": 1},
    windows=(8,),
    label_reach=64,
    streams=2,
    refresh=4,
    stream_px=32,
    stream_steps=256,
    crop=16,
    batch=2,
    iterations=8,
)


def regular(light, steps, *, seed=0):
    """Spikes of an ideal sensor: pixel i has fired floor(light·k + phase) times after k steps."""
    phase = np.random.default_rng(seed).random(light.shape)
    fired = np.floor(light * np.arange(steps + 1)[:, None, None] + phase)
    return np.diff(fired, axis=0).astype(np.uint8)


def stream(spikes):
    steps, height, width = spikes.shape
    return Stream(np.packbits(spikes.reshape(steps, -1), axis=1, bitorder="little"), height, width)


def batch_of(options, light, *, seed=0):
    spikes = regular(light, options.stream_steps)
    return draw_batch(np.random.default_rng(seed), [stream(spikes)], options)


def weights(training):
    return [parameter.detach().clone() for parameter in training.network.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def quiet(training, **options):
    return train(training, report_s=math.inf, **options)


# --- Samples


def test_compact_network_learns_the_short_and_the_long_window_of_every_size():
    views = BSNOptions(windows=(8, 32)).views
    assert [[label.window for label in view.labels] for view in views] == [[8, 64], [32, 256]]
    assert [[spec.window for spec in view.inputs] for view in views] == [
        [2, 4, 8, 16, 32, 64],
        [8, 16, 32, 64, 128, 256],
    ]


def test_reference_network_sees_raw_steps_and_learns_the_stated_label():
    (view,) = BSNOptions(architecture="reference", network={"planes": 21}, label="rate:64").views
    assert [str(spec) for spec in (*view.inputs, *view.labels)] == ["planes:21", "rate:64"]


def test_labels_are_the_light_of_the_pixels_even_where_they_fire_seldom():
    options = msgspec.structs.replace(QUICK, windows=(32,), stream_steps=800, label_reach=256, stream_px=64, crop=64)
    for light in (0.3, 0.018):
        batch = batch_of(options, np.full((64, 64), light))
        assert float(batch.labels.mean()) == pytest.approx(light, rel=0.03)


def test_inputs_and_labels_are_cut_and_turned_alike():
    light = np.random.default_rng(1).uniform(0.2, 0.6, (32, 32))
    for seed in range(6):
        batch = batch_of(QUICK, light, seed=seed)
        own = batch.inputs[:, 2]
        torch.testing.assert_close(own, batch.labels[:, 0])
        torch.testing.assert_close(batch.inputs[:, 5], batch.labels[:, 1])


def test_samples_are_turned_and_mirrored_in_all_eight_ways():
    light = np.full((16, 16), 0.1)
    light[2:5, 2:8] = 0.9
    light[2:3, 12:14] = 0.6
    options = msgspec.structs.replace(QUICK, stream_px=16, batch=1)
    seen = {(batch_of(options, light, seed=seed).labels[0, 1] > 0.45).numpy().tobytes() for seed in range(60)}
    assert len(seen) == 8


def test_raw_planes_are_the_steps_of_the_window():
    spikes = regular(np.random.default_rng(2).uniform(0.1, 0.9, (16, 16)), 64)
    (view,) = BSNOptions(architecture="reference", network={"planes": 9}, label="isi:9").views
    np.testing.assert_array_equal(stream(spikes).maps(view.inputs, 30), spikes[26:35])


def test_label_that_is_not_defined_is_not_learnt():
    options = msgspec.structs.replace(QUICK, architecture="reference", network={"planes": 5}, label="isi:5")
    batch = batch_of(options, np.random.default_rng(3).uniform(0.05, 0.9, (32, 32)))
    undefined = batch.labels == 0.0
    assert 0.1 < float(undefined.float().mean()) < 0.9
    guesses = torch.full_like(batch.labels, 0.3)
    assert batch.loss(guesses) == batch.loss(torch.where(undefined, 100.0, guesses))


def test_dark_sample_counts_as_much_as_a_bright_one():
    labels = torch.rand(1, 1, 8, 8) + 0.1
    guesses = labels + 0.1 * torch.randn(1, 1, 8, 8)
    bright = Batch(labels, labels, torch.full_like(labels, 1.0))
    dark = Batch(labels, labels / 50.0, torch.full_like(labels, 2500.0))
    assert float(dark.loss(guesses / 50.0)) == pytest.approx(float(bright.loss(guesses)), rel=1e-4)


def test_loss_is_least_at_the_mean_of_the_labels():
    labels = 0.2 + 0.05 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    batch = Batch(labels, labels, torch.ones_like(labels))
    levels = torch.linspace(0.15, 0.25, 101)
    losses = [float(batch.loss(torch.full_like(labels, float(level)))) for level in levels]
    assert float(levels[int(np.argmin(losses))]) == pytest.approx(float(labels.mean()), abs=1e-3)


# --- Streams


def test_pool_holds_the_same_streams_at_an_iteration_however_it_got_there():
    made = []
    pool = StreamPool(lambda number: made.append(number) or number, streams=3, refresh=10)
    assert [pool.at(iteration) for iteration in (0, 9, 10, 25)] == [[0, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert made == [0, 1, 2, 3, 4]
    assert StreamPool(lambda number: number, streams=3, refresh=10).at(25) == [2, 3, 4]


@pytest.fixture
def recording(tmp_path):
    """A recording of 40×48 px and 1,500 steps, its gains 5 % apart."""
    rng = np.random.default_rng(5)
    light = np.clip(0.3 + 0.1 * np.sin(np.arange(48) / 3.0) * np.cos(np.arange(40) / 4.0)[:, None], 0.05, 0.9)
    gain = (1.0 + 0.05 * rng.standard_normal(light.shape)).astype(np.float32)
    np.save(tmp_path / "rig.npy", regular(light * gain, 1500))
    zero = np.zeros_like(gain)
    calibration = Calibration(gain, zero, zero.astype(np.uint8), zero)
    return Recording(tmp_path / "rig.npy", flip=False), light, calibration


def test_last_fifth_of_a_recording_is_held_out(recording):
    trained_on, held_out = Source.split(recording[0])
    assert (trained_on.start, trained_on.stop, held_out.start, held_out.stop) == (0, 1200, 1200, 1500)


def test_stream_is_cut_from_the_recordings_own_pixels_and_steps(recording):
    source = Source(recording[0], 1200, 1500)
    options = msgspec.structs.replace(QUICK, architecture="reference", network={"planes": 3}, label="isi:3")
    spikes = recording[0].spikes(1200, 1500)
    for seed in range(3):
        piece = source.cut(np.random.default_rng(seed), options)
        assert (piece.height, piece.width, piece.steps) == (32, 32, 256)
        raw = piece.maps(options.views[0].inputs, 100)
        windows = np.lib.stride_tricks.sliding_window_view(spikes, (3, 32, 32)).reshape(-1, 3, 32, 32)
        assert (windows == raw).all(axis=(1, 2, 3)).any()


def test_calibration_corrects_inputs_and_labels(recording):
    record, light, calibration = recording
    options = msgspec.structs.replace(QUICK, stream_px=48, crop=32)
    view = options.views[0]
    raw, corrected = (
        Source(record, 0, 1200, use).cut(np.random.default_rng(0), options) for use in (None, calibration)
    )
    for specs in (view.inputs[-1:], view.labels[-1:]):
        errors = [np.abs(piece.maps(specs, 120)[0] / light - 1.0).mean() for piece in (raw, corrected)]
        assert errors[0] > 0.03
        assert errors[1] < 0.01


def test_recording_too_short_for_the_windows_is_refused_by_name(recording):
    options = BSNOptions(windows=(64,), stream_px=32, crop=16)
    with pytest.raises(OptionError, match=r"rig\.npy.*1200 to 1499.*windows of 512"):
        BSNTraining(options, seed=0, sources=[Source.split(recording[0])])


# --- Training


def test_training_lowers_the_loss_on_scenes_that_it_does_not_see():
    options = msgspec.structs.replace(QUICK, iterations=60, streams=4, learning_rate=1e-2)
    training = BSNTraining(options, seed=0)
    first = training.held_out_loss()
    last = quiet(training)
    assert last.iteration == 60
    assert last.held_out_loss < first - 1.0
    assert last.figures["bright: network (dB)"] > 15.0


def test_network_learns_from_recordings_alone(recording):
    options = msgspec.structs.replace(QUICK, simulated=0.0, iterations=40, learning_rate=1e-2)
    training = BSNTraining(options, seed=0, sources=[Source.split(recording[0])])
    first = training.held_out_loss()
    assert quiet(training).held_out_loss < first - 1.0


def test_reference_network_is_trained_by_the_same_loop():
    options = msgspec.structs.replace(
        QUICK, architecture="reference", network={"planes": 9}, label="isi:9", iterations=2, batch=1
    )
    training = BSNTraining(options, seed=0)
    before = weights(training)
    assert math.isfinite(training.step(0.0))
    assert not same(before, weights(training))


def test_same_seed_gives_the_same_weights_and_another_seed_others():
    trained = []
    for seed in (1, 1, 2):
        training = BSNTraining(QUICK, seed=seed)
        quiet(training)
        trained.append(weights(training))
    assert same(trained[0], trained[1])
    assert not same(trained[0], trained[2])


def test_resumed_training_gives_the_weights_of_one_that_was_never_interrupted(tmp_path):
    whole = BSNTraining(QUICK, seed=3)
    quiet(whole)
    interrupted = BSNTraining(QUICK, seed=3)

    def stop(loss_at, step=interrupted.step):
        if interrupted.iteration == 5:
            raise KeyboardInterrupt
        return step(loss_at)

    interrupted.step = stop
    with pytest.raises(KeyboardInterrupt):
        quiet(interrupted, checkpoints=tmp_path, checkpoint_s=0.0)
    resumed = BSNTraining(QUICK, seed=3)
    last = quiet(resumed, checkpoints=tmp_path, resume=True)
    assert last.iteration == 8
    assert same(weights(whole), weights(resumed))


def test_checkpoint_is_not_overwritten_unasked_nor_resumed_with_other_options(tmp_path):
    quiet(BSNTraining(QUICK, seed=0), checkpoints=tmp_path)
    with pytest.raises(WeightsError, match="resume"):
        quiet(BSNTraining(QUICK, seed=0), checkpoints=tmp_path)
    with pytest.raises(WeightsError, match="seed 0, not 1"):
        quiet(BSNTraining(QUICK, seed=1), checkpoints=tmp_path, resume=True)
    other = msgspec.structs.replace(QUICK, batch=1)
    with pytest.raises(WeightsError, match="batch 2, not 1"):
        quiet(BSNTraining(other, seed=0), checkpoints=tmp_path, resume=True)


class Scripted:
    """A training whose held-out losses are given, one for each look."""

    def __init__(self, losses):
        self.iterations, self.iteration, self.seconds = 10**6, 0, 0.0
        self._losses = losses
        self._network = torch.nn.Linear(1, 1)
        self._optimizer = torch.optim.SGD(self._network.parameters(), lr=0.1)
        self.parts = []

    def step(self, part):
        self.parts.append(part)
        self.iteration += 1
        return 1.0

    def held_out_loss(self):
        return self._losses[min(self.iteration, len(self._losses) - 1)]

    def figures(self):
        return {}

    def state(self):
        return TrainingState.capture(self._network, self._optimizer, iteration=self.iteration, options={})

    def restore(self, state):
        self.iteration = state.iteration


def test_adaptation_ends_where_the_held_out_loss_was_lowest():
    training = Scripted([3.0, 2.0, 1.0, 1.5, 1.2, 1.1, 0.5])
    result = adapt(training, every=1, patience=3)
    assert training.iteration == 2
    assert (result.before.held_out_loss, result.after.held_out_loss, result.gained) == (3.0, 1.0, True)


def test_adaptation_that_gains_nothing_says_so_and_changes_nothing():
    training = Scripted([1.0, 2.0, 3.0, 4.0])
    result = adapt(training, every=1, patience=3)
    assert training.iteration == 0
    assert not result.gained


def test_time_limit_ends_a_training_early_and_tells_it_how_far_it_is():
    training = Scripted([1.0])
    last = train(training, minutes=1e-3)
    assert 0 < last.iteration < 10**5
    assert last.part == 1.0
    assert training.parts == sorted(training.parts)
    assert 0.0 <= training.parts[-1] < 1.0


def test_a_training_that_is_stopped_leaves_a_checkpoint_of_its_last_whole_iteration(tmp_path):
    training = Scripted([1.0])
    with pytest.raises(KeyboardInterrupt):
        train(training, checkpoints=tmp_path, stop=lambda: training.iteration == 3)
    assert load_checkpoint(tmp_path).iteration == 3


def test_a_training_that_is_stopped_before_it_did_anything_leaves_no_checkpoint(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(Scripted([1.0]), checkpoints=tmp_path, stop=lambda: True)
    assert load_checkpoint(tmp_path) is None


def test_progress_is_told_before_the_first_and_after_the_last_iteration():
    told: list[Progress] = []
    training = BSNTraining(QUICK, seed=0)
    quiet(training, on_progress=told.append)
    assert [(progress.iteration, progress.part) for progress in told] == [(0, 0.0), (8, 1.0)]
    assert all(math.isfinite(value) for progress in told for value in progress.figures.values())
    assert {name.partition(":")[0] for name in told[0].figures} == {"bright", "a tenth of the light, noise 0.2"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"crop": 200}, "200"),
        ({"light": (1.0, 0.5)}, "1 to 0.5"),
        ({"light": (0.0, 0.5)}, "light starts at 0"),
        ({"noise": (0.0, 2.0)}, "0 to 2"),
        ({"network": {"chanels": 3}}, "'channels'"),
        ({"stream_steps": 500}, "1088"),
        ({"architecture": "reference", "label": "isy:41"}, "'isi'"),
    ],
)
def test_options_that_contradict_are_refused_with_their_value(options, named):
    with pytest.raises(OptionError, match=named):
        BSNOptions(**options)


def test_no_time_at_all_is_refused():
    with pytest.raises(OptionError, match="0 minutes"):
        train(Scripted([1.0]), minutes=0.0)
