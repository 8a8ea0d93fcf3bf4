import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import save
from torch import nn

from spikemm.blind_spot import NETWORKS, CompactBSN, ReferenceBSN
from spikemm.exceptions import OptionError, WeightsError
from spikemm.weights import ModelCard, bundled, load_network, save_network
from spikemm.weights.container import read_container, write_container

CARD = ModelCard(
    summary="Guesses light.",
    data="Random scenes | seeds 0 to 9.",
    command="spikemm train bsn configs/tiny.yaml --seed 7",
    seed=7,
    figures={"PSNR (dB)": 43.25, "window | steps": "32"},
    limits="Trained at 20 kHz only.",
    date="2025-01-31",
)


class Tiny(nn.Module):
    """A network with one of everything: weights, a bias, a buffer that is saved and one that is not."""

    def __init__(self, width=3, active=True):
        super().__init__()
        if width < 1:
            raise ValueError("width must be at least 1")
        self.conv = nn.Conv2d(2, width, 3)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("mask", torch.ones(width), persistent=False)


TINY = {"tiny": Tiny}


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Tiny(width=4)


@pytest.fixture
def path(tmp_path, network):
    save_network(tmp_path / "a.safetensors", network, architecture="tiny", options={"width": 4}, card=CARD)
    return tmp_path / "a.safetensors"


def same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def forge(path, tensors, options=None, architecture="tiny"):
    """A file with the right label and digest and whatever contents."""
    metadata = {"architecture": architecture, "options": json.dumps(options or {"width": 4}), "training": "{}"}
    write_container(path, tensors, metadata, kind="spikemm-network/1", limit_bytes=1 << 20)


def refuse(path, match, networks=TINY, **options):
    with pytest.raises(WeightsError, match=match) as caught:
        load_network(path, networks=networks, **options)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_loaded_network_is_the_saved_one(path, network):
    loaded = load_network(path, networks=TINY)
    assert same(loaded, network) and torch.equal(loaded.mask, torch.ones(4))
    assert not loaded.training


@pytest.mark.parametrize("original", [ReferenceBSN(planes=9), CompactBSN()], ids=["reference", "compact"])
def test_blind_spot_networks_go_through_a_file(tmp_path, original):
    name = next(name for name, kind in NETWORKS.items() if kind is type(original))
    options = {"planes": 9} if name == "reference" else {}
    file = tmp_path / "b.safetensors"
    save_network(file, original, architecture=name, options=options, card=CARD)
    assert same(load_network(file, networks=NETWORKS, expected=name), original)


def test_loading_leaves_the_random_numbers_alone(path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_network(path, networks=TINY)
    assert torch.equal(torch.rand(3), expected)


def test_card_says_where_the_weights_come_from(tmp_path, network):
    digest = save_network(tmp_path / "n.safetensors", network, architecture="tiny", options={"width": 4}, card=CARD)
    page = (tmp_path / "n.md").read_text()
    for text in ("# n\n", CARD.summary, CARD.data, CARD.command, CARD.limits, CARD.date, "Apache-2.0", "Seed:** 7"):
        assert text in page
    assert "| PSNR (dB) | 43.25 |" in page and "| window \\| steps | 32 |" in page
    assert "76 parameters" in page and digest in page


def test_contents_decide_the_identity(tmp_path, network):
    def identity(**changes):
        arguments = {"architecture": "tiny", "options": {"width": 4}, "card": CARD} | changes
        return save_network(tmp_path / "n.safetensors", network, **arguments)

    first = identity()
    assert identity() == first
    assert identity(options={"width": 4, "active": False}) != first
    with torch.no_grad():
        network.conv.bias[0] += 1
    assert identity() != first


def test_interrupted_save_leaves_the_old_file_whole(path, network, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    other = Tiny(width=4)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pathlib.Path.replace", killed)
        save_network(path, other, architecture="tiny", options={"width": 4}, card=CARD)
    assert same(load_network(path, networks=TINY), network)
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.md", "a.safetensors"]


def test_missing_file_and_folder_are_refused(tmp_path):
    refuse(tmp_path / "none.safetensors", "not there")
    refuse(tmp_path, "not a file")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_is_refused_and_its_code_never_runs(tmp_path, zipped):
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return (type(ran).touch, (ran,))

    file = tmp_path / "model.pth"
    if zipped:
        torch.save(Hostile(), file)
    else:
        file.write_bytes(pickle.dumps(Hostile()))
    refuse(file, "is a pickle")
    assert not ran.exists()


@pytest.mark.parametrize(
    "data", [b"", b"{}", bytes(range(256)) * 9, b"\0" * 64], ids=["empty", "short", "noise", "zeros"]
)
def test_other_bytes_are_refused(tmp_path, data):
    file = tmp_path / "x.safetensors"
    file.write_bytes(data)
    refuse(file, "not a safetensors file")


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        refuse(path, "damaged|not a safetensors file")


def test_every_flipped_bit_is_refused(path):
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), 5):
        changed = whole.copy()
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        refuse(path, str(path.name))


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}',
        b'{"a":{"dtype":"F32","shape":[0,4611686018427387904,8],"data_offsets":[0,0]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F999","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":7}',
        b"{" * 5000,
        b'{"a":' + b"[" * 5000,
    ],
)
def test_absurd_header_is_refused(tmp_path, header):
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    refuse(file, "damaged")


def test_header_longer_than_any_of_ours_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", 1 << 62) + b"{" + b" " * 100)
    refuse(file, "not a safetensors file")


def test_file_above_the_limit_is_not_read(tmp_path):
    file = tmp_path / "x.safetensors"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    refuse(file, "the limit is")


def test_safetensors_file_of_another_program_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(save({"a": torch.zeros(3)}))
    refuse(file, "format None")
    write_container(file, {}, {}, kind="spikemm-network/2", limit_bytes=1 << 20)
    refuse(file, "format 'spikemm-network/2'")


def test_wrong_architecture_is_refused(path):
    refuse(path, "holds a network 'tiny': 'compact' is needed", expected="compact", networks=TINY | NETWORKS)
    refuse(path, "one of compact, reference is needed", networks=NETWORKS)


def test_tensors_that_do_not_fit_are_refused(tmp_path, network):
    file, good = tmp_path / "x.safetensors", network.state_dict()
    forge(file, good)
    assert same(load_network(file, networks=TINY), network)
    forge(file, {name: tensor for name, tensor in good.items() if name != "mean"})
    refuse(file, "lacks tensor mean")
    forge(file, good | {"more": torch.zeros(1)})
    refuse(file, "has the unknown tensor more")
    forge(file, good | {"mean": torch.zeros(5)})
    refuse(file, r"tensor mean of \(5,\) .* where \(4,\)")
    forge(file, good | {"mean": torch.zeros(4, dtype=torch.float16)})
    refuse(file, "float16 where")
    for value in (torch.nan, torch.inf):
        forge(file, good | {"mean": torch.full((4,), value)})
        refuse(file, "tensor mean that are not finite")


@pytest.mark.parametrize("options", [{"width": 10**15}, {"width": [4]}, {"width": float("nan")}, [4], {"mean": None}])
def test_options_that_are_not_plain_small_values_are_refused(tmp_path, network, options):
    file = tmp_path / "x.safetensors"
    forge(file, network.state_dict(), options)
    refuse(file, "no usable options")


@pytest.mark.parametrize("options", [{"breadth": 4}, {"width": "4"}, {"width": -3}, {"width": 2.5}])
def test_options_that_the_network_does_not_take_are_refused(tmp_path, network, options):
    file = tmp_path / "x.safetensors"
    forge(file, network.state_dict(), options)
    refuse(file, "cannot be built")


def test_large_options_take_no_memory(tmp_path, network):
    """Built for real, a reference network of such tensors would take them all; their shapes alone refuse it."""
    file = tmp_path / "x.safetensors"
    built = []

    class Watched(Tiny):
        def __init__(self, width):
            super().__init__(width)
            built.append(self.conv.weight.device.type)

    forge(file, network.state_dict(), {"width": 4000})
    refuse(file, r"where \(4000,", networks={"tiny": Watched})
    assert built == ["meta"]


def test_header_that_begins_like_a_pickle_is_read(tmp_path):
    file = tmp_path / "x.safetensors"

    def length(filling):
        write_container(file, {}, {"filling": "x" * filling}, kind="any/1", limit_bytes=1 << 20)
        return struct.unpack("<Q", file.read_bytes()[:8])[0]

    assert length(0x280 - length(0)) == 0x280 and file.read_bytes().startswith(b"\x80\x02")
    assert set(read_container(file, kind="any/1", limit_bytes=1 << 20).metadata) == {"filling"}


def test_diverged_network_is_not_saved(tmp_path, network):
    with torch.no_grad():
        network.conv.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(WeightsError, match=r"conv\.weight is not finite"):
        save_network(tmp_path / "x.safetensors", network, architecture="tiny", options={"width": 4}, card=CARD)
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_loaded_is_not_saved(tmp_path, network):
    with pytest.raises(OptionError, match=r"end in \.safetensors"):
        save_network(tmp_path / "x.pth", network, architecture="tiny", options={"width": 4}, card=CARD)
    with pytest.raises(OptionError, match="numbers up to 4096"):
        save_network(tmp_path / "x.safetensors", network, architecture="tiny", options={"width": [4]}, card=CARD)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_is_said(tmp_path, network):
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be written"):
        save_network(tmp_path / "file/x.safetensors", network, architecture="tiny", options={"width": 4}, card=CARD)


def test_bundled_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("spikemm.weights.store._FOLDER", tmp_path)
    (tmp_path / "one.safetensors").touch()
    assert bundled("one") == tmp_path / "one.safetensors"
    for name in ("two", "../one", ""):
        with pytest.raises(WeightsError, match=r"no weights named .* take one of one"):
            bundled(name)
