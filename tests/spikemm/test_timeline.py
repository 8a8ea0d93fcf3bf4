import pytest

from spikemm.exceptions import RecordingError
from spikemm.timeline import Timeline

# Ten stored steps; 5 of the sensor's are missing before the fourth, 2 before the eighth.
LINE = Timeline(10, [(3, 5), (7, 2)])
STEPS = [0, 1, 2, 8, 9, 10, 11, 14, 15, 16]


def test_every_position_has_its_sensor_step():
    assert [LINE.step_at(position) for position in range(10)] == STEPS
    assert LINE.span == 17


def test_a_sensor_step_is_found_and_a_missing_one_leads_to_the_next():
    assert [LINE.position_of(step) for step in STEPS] == list(range(10))
    assert [LINE.position_of(step) for step in (3, 7, 12, 13)] == [3, 3, 7, 7]


def test_pieces_hold_every_position_once_and_no_gap():
    pieces = list(LINE.pieces(3))
    assert pieces == [range(3), range(3, 6), range(6, 7), range(7, 10)]
    assert list(LINE.pieces(100, start=5)) == [range(5, 7), range(7, 10)]


def test_gaps_are_told_with_their_steps():
    assert [tuple(gap) for gap in LINE.gaps] == [(3, 3, 5), (7, 12, 2)]
    assert [LINE.missing_before(position) for position in (2, 3, 7)] == [0, 5, 2]


def test_a_piece_with_a_gap_inside_is_refused():
    LINE.require_whole(3, 7, "x")
    with pytest.raises(RecordingError, match="5 steps are missing before position 3"):
        LINE.require_whole(2, 4, "x")


def test_without_gaps_both_ways_of_counting_agree():
    assert (Timeline(6).step_at(4), Timeline(6).position_of(4), Timeline(6).span) == (4, 4, 6)
