"""`spikemm train magnifier`: weights with their card, from a configuration."""

from pathlib import Path

import pytest

from spikemm.training.magnifier_options import NETWORKS
from spikemm.weights import load_network
from tools.train_inputs import read_magnifier_configuration

QUICK = """
architecture: compact_magnifier
network: {channels: 8}
side: 32
batch: 1
scenes: 2
textures: 2
"""
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    return path


def test_writes_weights_and_a_card_that_says_how_to_make_them_again(spikemm, config, tmp_path):
    ended = spikemm("train", "magnifier", config.name, "--out", "runs/a.safetensors", "--iterations", 2, "--seed", 7)
    assert ended.returncode == 0, ended.stderr
    card = (tmp_path / "runs/a.md").read_text()
    assert "spikemm train magnifier quick.yaml --out runs/a.safetensors --iterations 2 --seed 7" in card
    assert "gain of edge at 0.05 px" in card
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a.md", "a.safetensors"]
    assert load_network(tmp_path / "runs/a.safetensors", networks=NETWORKS).options == {"channels": 8}


@pytest.mark.parametrize(
    ("line", "named"),
    [("scnes: 3", "did you mean 'scenes'"), ("side: 33", "side is 33"), ("architecture: huge", "choose from")],
)
def test_configuration_that_is_wrong_is_refused_with_its_name(refused, config, line, named):
    config.write_text(line)
    sentence = refused("train", "magnifier", config.name, "--out", "a.safetensors")
    assert "quick.yaml" in sentence
    assert named in sentence


@pytest.mark.parametrize("name", ["compact", "mdlmm", "oh2018"])
def test_configurations_that_come_along_are_valid(name):
    options = read_magnifier_configuration(CONFIGS / f"train_{name}.yaml", {"iterations": 9})
    assert options.iterations == 9
    options.make_network()
