"""`spikemm train bsn`: weights with their card, whatever happens on the way."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from spikemm.blind_spot import NETWORKS
from spikemm.exceptions import OptionError
from spikemm.recording import Recording
from spikemm.training import BSNTraining, Source
from spikemm.weights import ModelCard, load_network, save_network
from spikemm.weights.checkpoint import load_checkpoint
from tools.train_inputs import read_configuration

QUICK = """
network: {channels: 4, blocks: 1}
windows: [8]
label_reach: 64
streams: 2
refresh: 20
stream_px: 32
stream_steps: 256
crop: 16
batch: 2
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def rig(tmp_path):
    """A recording of 32×32 px and 1,000 steps of an even slope in light."""
    light = np.linspace(0.1, 0.6, 32) * np.ones((32, 1))
    phase = np.random.default_rng(0).random(light.shape)
    fired = np.floor(light * np.arange(1001)[:, None, None] + phase)
    path = tmp_path / "rig.npy"
    np.save(path, np.diff(fired, axis=0).astype(np.uint8))
    return path


def weights(path):
    return load_network(path, networks=NETWORKS).state_dict()


def train_weights(path, config, *, iterations, rig=None):
    options = read_configuration(config, {"iterations": iterations, "simulated": 0.0})
    sources = [Source.split(Recording(rig, flip=False))] if rig else []
    training = BSNTraining(options, seed=0, sources=sources)
    for _ in range(iterations):
        training.step(0.0)
    card = ModelCard(summary="", data="", command="", seed=0, figures={}, limits="", date="")
    save_network(path, training.network, architecture="compact", options=options.network, card=card)


def wait_for(condition, seconds=60.0):
    pause, end = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.01)


def first_iteration(shown):
    """The iteration of the first line of figures."""
    return int(re.search(r"^ *\d+% +(\d+)", shown, re.MULTILINE)[1])


def test_writes_weights_and_a_card_that_says_how_to_make_them_again(spikemm, config, tmp_path):
    ended = spikemm("train", "bsn", config.name, "--out", "runs/a.safetensors", "--iterations", 3, "--seed", 7)
    assert ended.returncode == 0, ended.stderr
    card = (tmp_path / "runs/a.md").read_text()
    assert "spikemm train bsn quick.yaml --out runs/a.safetensors --iterations 3 --seed 7" in card
    assert "**Seed:** 7" in card
    assert "held-out loss" in card
    assert "bright: network (dB)" in card
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a.md", "a.safetensors"]
    assert sum(tensor.numel() for tensor in weights(tmp_path / "runs/a.safetensors").values()) > 100


def test_training_killed_midway_and_resumed_gives_the_weights_of_an_uninterrupted_one(spikemm, config, tmp_path):
    options = ["train", "bsn", config.name, "--iterations", "80", "--checkpoint-every", "0"]
    whole = spikemm(*options, "--out", "whole.safetensors")
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "tools.cli", *options, "--out", "killed.safetensors"]
    checkpoints = tmp_path / "killed.checkpoints"
    killed = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(list(checkpoints.glob("iteration-*.safetensors"))) >= 2)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    newest = max(path.name for path in checkpoints.glob("iteration-*.safetensors"))
    assert "iteration-000000080" not in newest
    resumed = spikemm(*options, "--out", "killed.safetensors", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert first_iteration(resumed.stdout) > 0
    first, second = weights(tmp_path / "whole.safetensors"), weights(tmp_path / "killed.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not checkpoints.exists()


def test_a_heading_once_then_a_line_of_figures_for_every_report(spikemm, config):
    shown = spikemm("train", "bsn", config.name, "--out", "a.safetensors", "--iterations", 2).stdout.splitlines()
    network, pixel, heading, first, last, written = shown
    assert "bright; a tenth of the light" in network
    assert re.search(r"bright: interval:\S+ \d\d\.\d; a tenth of the light", pixel)
    assert heading.split() == ["done", "iteration", "seconds", "loss", "held", "out"]
    assert (first.split()[:2], last.split()[:2]) == (["0%", "0"], ["100%", "2"])
    assert len(last.split()) == 5 + 2
    assert "written" in written


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(config, tmp_path):
    command = ["train", "bsn", config.name, "--out", "a.safetensors", "--iterations", "9000"]
    started = [sys.executable, "-m", "tools.cli", *command, "--checkpoint-every", "0"]
    running = subprocess.Popen(started, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    checkpoints = tmp_path / "a.checkpoints"
    wait_for(lambda: any(checkpoints.glob("iteration-*.safetensors")))
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    resume = f"resume with: spikemm {' '.join(command)} --checkpoint-every 0 --resume"
    assert said.splitlines()[1:] == [resume, "spikemm: interrupted"]
    assert load_checkpoint(checkpoints).iteration > 0


def test_weights_are_fitted_to_a_recording_and_the_gain_is_told(spikemm, config, rig, tmp_path):
    train_weights(tmp_path / "general.safetensors", config, iterations=5)
    config.write_text(QUICK + "simulated: 0.0\niterations: 100\n")
    ended = spikemm("train", "bsn", config.name, rig.name, "--adapt", "general.safetensors", "--out", "rig.safetensors")
    assert ended.returncode == 0, ended.stderr
    told = re.search(r"held-out loss: (\S+) before, (\S+) after", ended.stdout)
    before, after = (float(number) for number in told.groups())
    assert after < before - 0.5
    card = (tmp_path / "rig.md").read_text()
    assert f"| held-out loss before | {told[1]} |" in card
    assert "rig.npy" in card
    general, fitted = (weights(tmp_path / f"{name}.safetensors") for name in ("general", "rig"))
    assert not any(torch.equal(general[name], fitted[name]) for name in general)


def test_weights_that_got_worse_are_not_written(refused, config, rig, tmp_path):
    train_weights(tmp_path / "good.safetensors", config, iterations=40, rig=rig)
    config.write_text(QUICK + "learning_rate: 1.0\nsimulated: 0.0\niterations: 20\n")
    sentence = refused("train", "bsn", config.name, rig.name, "--adapt", "good.safetensors", "--out", "rig.safetensors")
    assert "rig.safetensors is not written" in sentence
    assert not (tmp_path / "rig.safetensors").exists()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("architecture: reference", "architecture is reference, and general.safetensors has compact"),
        ("network: {channels: 8}", "network.channels is 8, and general.safetensors has 4"),
        ("network: {planes: 41}", "network.planes is 41, and general.safetensors has none"),
    ],
)
def test_a_configuration_of_another_network_than_the_weights_is_refused(refused, config, rig, tmp_path, line, named):
    train_weights(tmp_path / "general.safetensors", config, iterations=1)
    config.write_text(line)
    fit = ("train", "bsn", config.name, rig.name, "--adapt", "general.safetensors", "--out", "rig.safetensors")
    assert named in refused(*fit)
    assert not (tmp_path / "rig.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("missing.yaml",), "missing.yaml"),
        (("missing.dat",), "missing.dat"),
        (("quick.yaml", "quick.yaml"), "two configurations"),
        (("quick.yaml", "--adapt", "compact"), "no recording"),
        (("quick.yaml", "--minutes", 0), "0 minutes"),
        (("rig.npy",), "windows of 512"),
        (("rig.npy", "--adapt", "nothing.safetensors"), "nothing.safetensors"),
    ],
)
def test_what_cannot_be_trained_is_refused(refused, config, rig, tmp_path, arguments, named):
    assert named in refused("train", "bsn", *arguments, "--out", "a.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"quick.yaml", "rig.npy"}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("widnows: [8]", "did you mean 'windows'"),
        ("crop: many", "crop is 'many'"),
        ("crop: 999", "crop is 999"),
        ("architecture: huge", "architecture is 'huge'"),
        ("[1, 2", "not YAML"),
    ],
)
def test_configuration_that_is_wrong_is_refused_with_its_name_and_the_nearest_key(config, line, named):
    config.write_text(line)
    with pytest.raises(OptionError, match=f"quick.yaml.*{re.escape(named)}"):
        read_configuration(config, {})


def test_configuration_of_the_shipped_weights_is_valid():
    path = Path(__file__).parents[2] / "configs" / "train_bsn.yaml"
    assert read_configuration(path, {"iterations": 9}).iterations == 9


def test_weights_of_another_ending_are_refused(refused, config):
    assert ".safetensors" in refused("train", "bsn", config.name, "--out", "a.pt")
