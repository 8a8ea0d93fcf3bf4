import pytest

from engine.exceptions import ControlError


def test_a_save_answers_with_its_session(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 5.0})
    rig.feed(node, 0, 4000)
    answer = node.command("save", {"seconds_after": 0.25, "reason": "looks odd"})
    rig.feed(node, 4000, 8000)
    rig.finish(node)
    assert answer == {"file": str(rig.session())}
    assert rig.steps() == list(range(3000, 4250))
    assert rig.told().triggers[0].reason == "looks odd"


def test_a_save_takes_the_usual_seconds_where_none_are_given(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 0.75})
    rig.feed(node, 0, 4000)
    node.command("save", {"seconds_after": None, "reason": ""})
    rig.feed(node, 4000, 8000)
    rig.finish(node)
    assert rig.steps()[-1] == 4749


def test_a_save_while_everything_is_kept_names_the_session_that_is_open(rig):
    node = rig.recorder()
    rig.feed(node, 0, 800)
    answer = node.command("save", {"reason": "look here"})
    rig.finish(node)
    assert answer == {"file": str(rig.session())}
    assert rig.told().triggers[0].step == 800


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("save", {"seconds_after": -1}), ("save", {"seconds_after": "all"}), ("save", {"later": 1}), ("stop", {})],
)
def test_a_command_that_makes_no_sense_is_refused(rig, name, arguments):
    node = rig.recorder()
    rig.feed(node, 0, 80)
    with pytest.raises(ControlError):
        node.command(name, arguments)
    rig.finish(node)


def test_nothing_can_be_saved_before_anything_came(rig):
    node = rig.recorder()
    with pytest.raises(ControlError, match="nothing has come yet"):
        node.command("save", {})
    rig.finish(node)
