"""Flow estimators; torchvision is replaced by a stand-in with its interface, whose flow is known."""

import sys
import types

import numpy as np
import pytest
import torch

from spikemm.exceptions import OptionError, WeightsError
from spikemm.flow import DisFlow, RaftFlow, make_flow, to_bytes


def waves(dx, dy, height=96, width=128):
    """A sum of plane waves moved exactly by (dx, dy), from 0 to 1."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    k, angle, phase = random.uniform(0.1, 0.5, 40), random.uniform(0.0, np.pi, 40), random.uniform(0.0, 6.28, 40)
    parts = [
        np.cos(q * (np.cos(a) * (x - dx) + np.sin(a) * (y - dy)) + p) for q, a, p in zip(k, angle, phase, strict=True)
    ]
    return 0.5 + 0.05 * np.sum(parts, axis=0) / 2.0


class StandIn(torch.nn.Module):
    """Has RAFT's interface: refuses what RAFT refuses, and gives the mean difference of the pictures as flow."""

    def __init__(self, name):
        super().__init__()
        self.scale = torch.nn.ParameterDict({"weight": torch.nn.Parameter(torch.ones(1))})
        self.add_module(name, self.scale)

    def forward(self, image1, image2, num_flow_updates=12):
        assert image1.shape == image2.shape
        batch, channels, height, width = image1.shape
        assert (batch, channels) == (1, 3)
        assert height % 8 == 0 and width % 8 == 0 and min(height, width) >= 128
        assert image1.min() >= -1.0 and image1.max() <= 1.0
        across = (image2 - image1)[:, :1] * self.scale["weight"]
        return [torch.zeros(1, 2, height, width), torch.cat([across, 2 * across], dim=1)]


@pytest.fixture
def torchvision(monkeypatch):
    def build(name):
        def model(*, weights=None, progress=True):
            assert weights is None, "nothing is downloaded"
            return StandIn(name)

        return model

    module = types.ModuleType("torchvision.models.optical_flow")
    module.raft_large, module.raft_small = build("mask_predictor"), build("update_block")
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", types.ModuleType("torchvision.models"))
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", module)


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (1.0, -0.5), (-0.3, 0.2)])
def test_dis_finds_the_shift_of_a_texture(dx, dy):
    first, second = (to_bytes(waves(*move), 1.0) for move in ((0.0, 0.0), (dx, dy)))
    flow = DisFlow().between(first, second)
    assert flow.shape == (96, 128, 2)
    np.testing.assert_allclose(flow[16:-16, 16:-16].mean(axis=(0, 1)), [dx, dy], atol=0.05)


def test_grey_has_one_scale_and_cuts_off_what_is_brighter():
    np.testing.assert_array_equal(to_bytes(np.array([0.0, 0.25, 0.5, 0.9, -0.1]), 0.5), [0, 128, 255, 255, 0])


def test_flow_is_told_by_dis_unless_weights_of_raft_are_given():
    assert make_flow().name == "OpenCV DIS (medium)"


def test_raft_without_torchvision_is_refused_with_the_way_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    with pytest.raises(OptionError, match=r"spikemm\[raft\]"):
        make_flow(tmp_path / "raft.pth")


@pytest.mark.parametrize(("part", "name"), [("mask_predictor", "RAFT"), ("update_block", "RAFT (small)")])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_raft_sees_padded_pictures_and_gives_the_last_flow_at_their_size(torchvision, tmp_path, part, name, ending):
    path, tensors = tmp_path / f"raft{ending}", dict(StandIn(part).state_dict())
    if ending == ".pth":
        torch.save(tensors, path)
    else:
        from safetensors.torch import save_file

        save_file({key: value.clone() for key, value in tensors.items()}, path)
    raft = RaftFlow(path)
    assert raft.name == name
    first, second = np.zeros((90, 135), np.uint8), np.full((90, 135), 51, np.uint8)
    flow = raft.between(first, second)
    assert (flow.shape, flow.dtype) == ((90, 135, 2), np.float32)
    np.testing.assert_allclose(flow, np.broadcast_to([0.4, 0.8], flow.shape), atol=1e-6)


def test_weights_of_something_else_are_refused(torchvision, tmp_path):
    torch.save({"other": torch.zeros(3)}, tmp_path / "raft.pth")
    with pytest.raises(WeightsError, match=r"raft_large or raft_small"):
        RaftFlow(tmp_path / "raft.pth")


@pytest.mark.parametrize("name", ["raft.pth", "raft.safetensors"])
def test_a_damaged_file_of_weights_is_refused(torchvision, tmp_path, name):
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(WeightsError, match=name):
        RaftFlow(tmp_path / name)


@pytest.mark.parametrize("name", ["raft.pth", "raft.safetensors"])
def test_a_missing_file_of_weights_is_refused(torchvision, tmp_path, name):
    with pytest.raises(WeightsError, match=name):
        RaftFlow(tmp_path / name)


def test_a_file_that_would_run_code_is_refused(torchvision, tmp_path):
    torch.save({"weight": types.SimpleNamespace(code=1)}, tmp_path / "raft.pth")
    with pytest.raises(WeightsError, match="no weights"):
        RaftFlow(tmp_path / "raft.pth")
