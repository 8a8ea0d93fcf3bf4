import numpy as np
import pytest

from spikemm.exceptions import OptionError, ShapeError
from spikemm.packing import crop, flip_rows, pack, packed_bytes, unpack


@pytest.fixture(params=[(7, 13), (16, 17), (5, 8), (250, 400)], ids=str)
def spikes(request):
    return np.random.default_rng(1).integers(0, 2, (3, *request.param), dtype=np.uint8)


def test_pixel_i_is_bit_i_mod_8_of_byte_i_div_8():
    spikes = np.zeros((1, 3, 5), np.uint8)
    spikes[0, 1, 4] = 1
    assert pack(spikes).tolist() == [[0, 1 << 1]]


def test_unpack_inverts_pack(spikes):
    packed = pack(spikes)
    assert packed.shape == (3, packed_bytes(*spikes.shape[1:])) and packed.dtype == np.uint8
    assert (unpack(packed, *spikes.shape[1:]) == spikes).all()


def test_flipped_rows_are_the_picture_upside_down(spikes):
    flipped = flip_rows(pack(spikes), *spikes.shape[1:])
    assert (unpack(flipped, *spikes.shape[1:]) == spikes[:, ::-1]).all()


@pytest.mark.parametrize("region", [(0, 0, 8, 5), (8, 3, 5, 2), (3, 1, 2, 4), (16, 0, 8, 1)], ids=str)
def test_a_crop_is_the_part_of_the_picture_at_whole_bytes_and_elsewhere(region):
    spikes = np.random.default_rng(2).integers(0, 2, (3, 5, 24), dtype=np.uint8)
    x, y, wide, high = region
    assert (unpack(crop(pack(spikes), 5, 24, region), high, wide) == spikes[:, y : y + high, x : x + wide]).all()


@pytest.mark.parametrize("region", [(-8, 0, 16, 2), (0, 0, 0, 2), (16, 0, 16, 2), (0, 4, 8, 2)], ids=str)
def test_a_crop_outside_the_picture_is_refused(region):
    with pytest.raises(OptionError, match="is not inside the picture of 24×5 px"):
        crop(pack(np.zeros((1, 5, 24), np.uint8)), 5, 24, region)


def test_no_steps_are_fine():
    assert unpack(pack(np.zeros((0, 4, 8), bool)), 4, 8).shape == (0, 4, 8)


@pytest.mark.parametrize("packed", [np.zeros((2, 4), np.uint8), np.zeros((2, 3), np.int16), np.zeros(3, np.uint8)])
def test_another_shape_or_type_is_an_error_that_names_the_right_one(packed):
    with pytest.raises(ShapeError, match=r"\(n, 3\) uint8"):
        unpack(packed, 4, 6)


def test_packing_a_single_picture_is_an_error():
    with pytest.raises(ShapeError, match="H, W"):
        pack(np.zeros((4, 8), np.uint8))
