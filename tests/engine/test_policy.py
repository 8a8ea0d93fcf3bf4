import pytest

from engine import Policy
from engine.exceptions import PipelineError


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("latest", Policy("latest", depth=1)),
        ({"block": 0.5}, Policy("block", buffer_s=0.5)),
        ({"block": 3}, Policy("block", buffer_s=3.0)),
        ({"drop_oldest": 12}, Policy("drop_oldest", depth=12)),
    ],
)
def test_a_policy_is_read_as_a_pipeline_file_writes_it(text, policy):
    assert Policy.parse(text) == policy


def test_a_policy_without_a_number_has_a_default():
    assert Policy.parse("block").name == "block"
    assert Policy.parse("drop_oldest").depth > Policy.parse("latest").depth == 1


@pytest.mark.parametrize(
    "text",
    ["newest", "", None, 3, [], {}, {"latest": 1}, {"block": 0}, {"block": -1}, {"block": "2 s"}, {"block": 1e9},
     {"drop_oldest": 0}, {"drop_oldest": 1.5}, {"block": 1, "drop_oldest": 2}],
)  # fmt: skip
def test_anything_else_is_refused_with_what_there_is(text):
    with pytest.raises(PipelineError, match=r"is none of: latest, block, \{block: seconds of buffer\}"):
        Policy.parse(text)


def test_a_policy_is_shown_with_its_number():
    assert [str(Policy.parse(text)) for text in ("latest", {"block": 0.5}, {"drop_oldest": 3})] == [
        "latest",
        "block: 0.5 s",
        "drop_oldest: 3",
    ]
