import contextlib
from types import SimpleNamespace

import pytest

from engine.control import RunningPipeline
from engine.exceptions import ControlError

RIG = RunningPipeline("rig", 41, "rig")
STATUS = {"pipeline": "rig", "pid": 41, "phase": "running", "seconds": 1.0, "problems": [], "nodes": {}, "links": []}


@pytest.fixture
def rig(monkeypatch):
    """A pipeline that runs until `answers` are used up; whether it is then gone or does not answer is said."""

    def make(answers, gone):
        def request(_):
            if not answers:
                raise ControlError("no answer")
            return answers.pop()

        def running():
            return [] if gone and not answers else [RIG]

        monkeypatch.setattr("engine.control.ControlClient", lambda _: contextlib.nullcontext(client))
        for module in ("engine.rundir", "engine.control"):
            monkeypatch.setattr(f"{module}.running_pipelines", running)
        client = SimpleNamespace(request=request)

    return make


def test_the_end_of_the_run_ends_the_watching(rig, spikemm):
    rig([STATUS, STATUS], gone=True)
    ended = spikemm("top", "--every", 0.1)
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1] == "rig has ended"


def test_a_run_that_ends_while_it_is_asked_has_ended(rig, spikemm, monkeypatch):
    rig([STATUS, STATUS], gone=True)
    looks = iter([[RIG], [RIG], [RIG], []])  # chosen, two looks, and gone when the third is not answered
    monkeypatch.setattr("engine.control.running_pipelines", lambda: next(looks))
    ended = spikemm("top", "--every", 0.1)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "rig has ended"


def test_a_run_that_is_there_and_does_not_answer_is_an_error(rig, refused):
    rig([STATUS], gone=False)
    assert "no answer" in refused("top", "--every", 0.1)
