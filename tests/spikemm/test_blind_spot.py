import pytest
import torch
from torch import nn

from spikemm.blind_spot import NETWORKS, ReferenceBSN
from spikemm.exceptions import OptionError, ShapeError

CHANNELS = {"compact": 6, "reference": 41}
SIZES = [(16, 16), (17, 17), (18, 31), (33, 19), (20, 24)]


def seeded(network_class, seed=3):
    torch.manual_seed(seed)
    return network_class().eval()


def spikes(channels, height, width, seed=5):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(1, channels, height, width, generator=generator) < 0.4).float()


def flipped(picture, row, column):
    other = picture.clone()
    other[:, :, row, column] = 1 - other[:, :, row, column]
    return other


def places(height, width):
    """Corners, the middle of each border, the pixels beside a corner, and pixels inside of every parity."""
    bottom, right, row, column = height - 1, width - 1, height // 2, width // 2
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    borders = [(0, column), (bottom, column), (row, 0), (row, right), (1, 1), (bottom - 1, right - 1)]
    return corners + borders + [(row + down, column + aside) for down in (0, 1) for aside in (0, 1)]


@torch.no_grad()
def changes(network, picture, row, column):
    """Change of every output pixel (H, W), largest of the channels, when all samples of one pixel flip."""
    return (network(flipped(picture, row, column)) - network(picture)).abs().amax((0, 1))


def is_blind(network, picture, row, column):
    return changes(network, picture, row, column)[row, column] == 0


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    return seeded(NETWORKS[name])


@pytest.mark.parametrize("size", SIZES)
def test_no_output_pixel_depends_on_its_own_samples(name, network, size):
    picture = spikes(CHANNELS[name], *size)
    assert [place for place in places(*size) if not is_blind(network, picture, *place)] == []


@pytest.mark.parametrize("place", [(0, 0), (8, 9), (17, 30)])
def test_all_neighbours_see_a_pixel(name, network, place):
    changed = changes(network, spikes(CHANNELS[name], 18, 31), *place) > 0
    row, column = place
    around = changed[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    assert around.sum() == around.numel() - 1


def test_a_network_that_is_not_blind_is_found_out():
    torch.manual_seed(0)
    sighted = nn.Conv2d(4, 1, 3, padding=1)
    assert not any(is_blind(sighted, spikes(4, 16, 17), *place) for place in places(16, 17))


def test_padding_of_the_upright_picture_would_be_found_out():
    blind = seeded(ReferenceBSN)

    def padded_first(picture):
        return blind(nn.functional.pad(picture, (1, 1, 1, 1), mode="replicate"))[:, :, 1:-1, 1:-1]

    assert not is_blind(padded_first, spikes(41, 17, 18), 0, 0)


@pytest.mark.parametrize("size", SIZES)
def test_output_has_the_size_of_the_input(name, network, size):
    with torch.no_grad():
        estimate = network(spikes(CHANNELS[name], *size).expand(2, -1, -1, -1))
    assert (estimate.shape[0], *estimate.shape[2:]) == (2, *size)
    assert estimate.isfinite().all()


def test_pictures_of_a_batch_do_not_mix(name, network):
    first, second = spikes(CHANNELS[name], 18, 21, seed=1), spikes(CHANNELS[name], 18, 21, seed=2)
    with torch.no_grad():
        together = network(torch.cat([first, second]))
        alone = torch.cat([network(first), network(second)])
    torch.testing.assert_close(together, alone)


def test_options_of_the_reference_build_another_of_its_shape():
    few = ReferenceBSN(planes=7)
    assert ReferenceBSN(**few.options).planes == 7


def test_reference_has_as_many_parameters_as_published():
    assert sum(p.numel() for p in ReferenceBSN(planes=41).parameters()) == 1_170_672


def test_reference_has_no_bias():
    """Without biases and with leaky rectifiers, the network is homogeneous: k times the light is k times the output."""
    reference = seeded(ReferenceBSN)
    picture = spikes(41, 16, 20)
    with torch.no_grad():
        torch.testing.assert_close(reference(0.25 * picture), 0.25 * reference(picture))


@pytest.mark.parametrize("shape", [(41, 16, 16), (1, 40, 16, 16), (1, 41, 15, 16), (1, 41, 16, 15)])
def test_input_of_another_shape_is_refused(shape):
    with pytest.raises(ShapeError, match=r"\(n, 41, H, W\) with H and W from 16 up"):
        ReferenceBSN()(torch.zeros(shape))


def test_network_without_input_is_refused():
    with pytest.raises(OptionError, match="at least 1"):
        ReferenceBSN(planes=0)
