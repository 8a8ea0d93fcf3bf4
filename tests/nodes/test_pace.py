import numpy as np

from nodes.streaming.pace import Pace


def shown(moments, fps):
    pace = Pace()
    return [moment for moment in moments if pace.due(moment, fps)]


def test_pictures_that_come_at_the_pace_itself_are_all_shown_though_some_are_early():
    moments = 100 + np.arange(200) / 25 + np.random.default_rng(0).uniform(-0.0015, 0.0015, 200)
    assert len(shown(moments, 25)) == 200


def test_of_faster_ones_as_many_as_the_pace_allows():
    moments = 100 + np.arange(1000) / 180
    assert abs(len(shown(moments, 25)) - moments[-1] * 25 + 100 * 25) <= 2


def test_behind_a_pause_there_is_no_burst():
    moments = [*np.arange(100, 101, 0.01), *np.arange(200, 201, 0.01)]
    assert len([moment for moment in shown(moments, 10) if moment >= 200]) <= 11
