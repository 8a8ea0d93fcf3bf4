"""Training of magnifiers: the same seed teaches the same, a kill loses nothing, and what is learnt is motion."""

import math

import msgspec
import pytest
import torch

from spikemm.exceptions import OptionError, WeightsError
from spikemm.magnification.learned.compact_network import CompactNetwork
from spikemm.training import MagnifierTraining, MagnifierTrainingOptions, train
from spikemm.training.magnified_scenes import MagnifiedScenes
from spikemm.training.motion_loss import motion_loss

QUICK = MagnifierTrainingOptions(network={"channels": 8}, side=48, batch=2, scenes=4, textures=4, iterations=6)


def weights(training):
    return [parameter.detach().clone() for parameter in training.network.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def quiet(training, **options):
    return train(training, report_s=math.inf, **options)


class Told(CompactNetwork):
    """Knows the displacement."""

    def __init__(self, truth):
        super().__init__()
        self.truth = truth

    def displacement(self, encoded, change):
        return self.truth


def pairs_of(options):
    return MagnifierTraining(options, seed=0)._pairs(0, 0)


@pytest.mark.parametrize("architecture", ["compact_magnifier", "mdlmm", "oh2018"])
def test_every_network_is_trained_by_the_same_loop(architecture):
    network = {"width": 4, "blocks": 1} if architecture == "oh2018" else {}
    options = MagnifierTrainingOptions(
        architecture=architecture, network=network, side=32, batch=1, scenes=2, textures=2, learning_rate=1e-3
    )
    training = MagnifierTraining(options, seed=0)
    before = weights(training)
    assert math.isfinite(training.step(0.0))
    assert not same(before, weights(training))


def test_loss_is_least_for_the_true_motion():
    pairs = pairs_of(msgspec.structs.replace(QUICK, batch=8, scenes=16))
    truth = torch.nn.functional.avg_pool2d(pairs.motion, 4)
    right, short, none = (float(motion_loss(Told(part * truth), pairs)) for part in (1.0, 0.8, 0.0))
    assert right < short < none


def test_figures_of_the_truth_would_be_a_gain_of_one():
    figures = MagnifiedScenes("cpu").figures(CompactNetwork())
    gains = [value for name, value in figures.items() if name.startswith("gain")]
    assert len(gains) == 6
    assert all(gain == pytest.approx(1.0, abs=0.1) for gain in gains)
    assert figures["magnified (dB)"] > figures["left alone (dB)"] + 3.0


def test_same_seed_gives_the_same_weights_and_another_seed_others():
    trained = []
    for seed in (1, 1, 2):
        training = MagnifierTraining(QUICK, seed=seed)
        for _ in range(3):
            training.step(0.0)
        trained.append(weights(training))
    assert same(trained[0], trained[1])
    assert not same(trained[0], trained[2])


def test_resumed_training_gives_the_weights_of_one_that_was_never_interrupted(tmp_path):
    whole = MagnifierTraining(QUICK, seed=3)
    quiet(whole)
    interrupted = MagnifierTraining(QUICK, seed=3)

    def stop(part, step=interrupted.step):
        if interrupted.iteration == 4:
            raise KeyboardInterrupt
        return step(part)

    interrupted.step = stop
    with pytest.raises(KeyboardInterrupt):
        quiet(interrupted, checkpoints=tmp_path, checkpoint_s=0.0)
    resumed = MagnifierTraining(QUICK, seed=3)
    assert quiet(resumed, checkpoints=tmp_path, resume=True).iteration == 6
    assert same(weights(whole), weights(resumed))


def test_checkpoint_of_other_options_is_refused(tmp_path):
    state = MagnifierTraining(QUICK, seed=0).state()
    with pytest.raises(WeightsError, match="batch 2, not 1"):
        MagnifierTraining(msgspec.structs.replace(QUICK, batch=1), seed=0).restore(state)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"alpha": (10.0, 2.0)}, "10 to 2"),
        ({"input_px": (1.0, 0.1)}, "1 to 0.1"),
        ({"network": {"chanels": 3}}, "'channels'"),
    ],
)
def test_options_that_contradict_are_refused_with_their_value(options, named):
    with pytest.raises(OptionError, match=named):
        MagnifierTrainingOptions(**options)
