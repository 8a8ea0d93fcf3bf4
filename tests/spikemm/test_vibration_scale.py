from math import pi

import pytest

from spikemm.exceptions import OptionError
from spikemm.vibration.scale import make_scale


def test_a_scale_may_be_given_as_it_is():
    assert make_scale(um_per_px=40.0).um(0.5) == pytest.approx(20.0)


def test_a_known_distance_and_its_length_in_the_picture_give_the_scale():
    assert make_scale(known_mm=10.0, drawn_px=200.0).um_per_px == pytest.approx(50.0)


def test_lens_and_range_give_the_scale_of_a_thin_lens():
    # 1 m away, 50 mm lens: the image is 50/950 as large as the object.
    assert make_scale(focal_mm=50.0, range_mm=1000.0, pitch_um=20.0).um_per_px == pytest.approx(380.0)


def test_the_velocity_of_a_sine_is_its_displacement_times_its_angular_frequency():
    assert make_scale(um_per_px=100.0).mm_s(0.1, 50.0) == pytest.approx(2 * pi * 50.0 * 0.01)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "nothing"),
        ({"um_per_px": 1.0, "known_mm": 2.0, "drawn_px": 3.0}, "nothing of the other two"),
        ({"known_mm": 2.0}, "known_mm and drawn_px"),
        ({"focal_mm": 50.0, "range_mm": 900.0}, "pitch_um"),
        ({"um_per_px": 0.0}, "above 0"),
        ({"um_per_px": float("inf")}, "finite"),
        ({"known_mm": 2.0, "drawn_px": -3.0}, "drawn_px is -3"),
        ({"focal_mm": 50.0, "range_mm": 40.0, "pitch_um": 20.0}, "not beyond focal_mm"),
    ],
)
def test_anything_but_one_way_in_full_is_refused(given, told):
    with pytest.raises(OptionError, match=told):
        make_scale(**given)
