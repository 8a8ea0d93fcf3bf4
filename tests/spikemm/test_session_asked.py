import numpy as np
import pytest

from spikemm.session import Description, SessionCheck, SessionSteps, SessionWriter, Trigger

RATE, STEP_BYTES = 1000, 6


def checked(folder):
    found = SessionCheck(SessionSteps(folder))
    for _ in found.blocks():
        continue
    return found.facts()


@pytest.fixture
def session(tmp_path):
    """Make a session of steps in blocks of 20 that was kept for one trigger."""

    def make(steps, first, stop, *, close=True, **facts):
        writer = SessionWriter(tmp_path / "s", Description(6, 8, RATE, 0, 1e9), file_bytes=1e9, file_s=1e9)
        writer.trigger(Trigger(500, "limit", "too much", first, stop))
        for start, end in steps:
            for at in range(start, end, 20):
                writer.write(at, [np.full((20, STEP_BYTES), at % 251, np.uint8)], 1e9)
        if close:
            writer.close("", **facts)
        return writer

    return make


def lacking(facts):
    (trigger,) = facts["triggers"]
    return tuple(trigger[f"missing_{part}"] for part in ("before", "inside", "after"))


@pytest.mark.parametrize(
    ("steps", "asked", "missing"),
    [
        ([(400, 800)], (400, 800), (0, 0, 0)),
        ([(400, 800)], (450, 700), (0, 0, 0)),
        ([(400, 800)], (300, 1000), (100, 0, 200)),
        ([(400, 500), (560, 800)], (450, 700), (0, 60, 0)),
        ([(400, 500), (560, 800)], (520, 900), (0, 40, 100)),
        ([(400, 800)], (100, 300), (200, 0, 0)),
        ([(400, 800)], (900, 1000), (0, 0, 100)),
        ([(0, 800)], (-200, 800), (0, 0, 0)),
        ([(40, 800)], (-200, 800), (40, 0, 0)),
        ([(400, 800)], (500, 500), (0, 0, 0)),
    ],
)
def test_what_was_asked_for_is_compared_with_what_is_there(session, tmp_path, steps, asked, missing):
    session(steps, *asked)
    facts = checked(tmp_path / "s")
    assert lacking(facts) == missing
    assert facts["triggers"][0]["missing_s"] == sum(missing) / RATE
    assert facts["whole"] is (not any(missing) and len(steps) == 1)
    assert facts["sound"]


def test_a_session_whose_recorder_was_killed_is_not_whole_and_lacks_its_end(session, tmp_path):
    writer = session([(400, 600)], 400, 900, close=False)
    writer._index.close()
    facts = checked(tmp_path / "s")
    assert (facts["recording"], facts["finished"], facts["whole"]) == (False, False, False)
    assert lacking(facts) == (0, 0, 300)


def test_what_is_still_to_come_of_a_session_is_not_missing(session, tmp_path):
    writer = session([(400, 600)], 400, 900, close=False)
    facts = checked(tmp_path / "s")
    assert (lacking(facts), facts["whole"]) == ((0, 0, 0), True)
    writer.close("")
    assert lacking(checked(tmp_path / "s")) == (0, 0, 300)


def test_a_session_that_could_not_be_written_on_is_not_whole(session, tmp_path):
    session([(400, 800)], 500, 500, failed=True)
    facts = checked(tmp_path / "s")
    assert (facts["failed"], facts["sound"], facts["whole"]) == (True, False, False)


def test_damaged_blocks_are_missing_inside(session, tmp_path):
    session([(400, 800)], 450, 600)
    file = tmp_path / "s" / "spikes-000001.dat"
    content = bytearray(file.read_bytes())
    content[50 * STEP_BYTES] ^= 1  # of the block of steps 440 to 459
    file.write_bytes(content)
    assert lacking(checked(tmp_path / "s")) == (0, 10, 0)
