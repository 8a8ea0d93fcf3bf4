"""Reports of several lives add up, and the two halves of a link become one row."""

from engine.graph import Edge
from engine.policy import Policy
from engine.statistics import AgeStatistics, InletStatistics, OutletStatistics
from engine.telemetry import MemberReport, ProcessReport, add_lives, died, link_table

LINK = ("camera", "disk", "in")


def outlet(**figures):
    return OutletStatistics(*LINK, policy="block: 2 s", **figures)


def inlet(**figures):
    return InletStatistics(*LINK, **{"policy": "block: 2 s", **figures})


def test_totals_add_up_and_the_rest_is_of_the_last_life():
    before = ProcessReport(
        beat=9,
        rss_mb=90.0,
        cpu_s=2.0,
        members=[MemberReport("camera", 5, 5, 1.0, 50, {"lost": 1, "late": 2, "ms_max": 9}, {"scene": "old"})],
        outlets=[outlet(sent=5, delivered=4, lost=1, in_flight=0, bytes=50, blocked_s=0.5)],
    )
    after = ProcessReport(
        beat=3,
        rss_mb=70.0,
        cpu_s=1.0,
        members=[MemberReport("camera", 2, 2, 0.5, 20, {"lost": 3, "ms_max": 4}, {"scene": "new"})],
        outlets=[outlet(sent=2, delivered=1, in_flight=1, bytes=20, connected=True)],
    )
    whole = add_lives(before, after)
    assert (whole.beat, whole.rss_mb, whole.cpu_s) == (3, 70.0, 3.0)
    (member,) = whole.members
    assert (member.processed, member.emitted, member.busy_s, member.step) == (7, 7, 1.5, 50)
    assert (member.counters, member.status) == ({"lost": 4, "late": 2, "ms_max": 9}, {"scene": "new"})
    assert whole.outlets == [outlet(sent=7, delivered=5, lost=1, in_flight=1, bytes=70, blocked_s=0.5, connected=True)]


def test_a_life_that_has_not_reported_yet_changes_nothing_of_the_totals():
    before = ProcessReport(members=[MemberReport("camera", 5)], outlets=[outlet(sent=5)], inlets=[inlet(received=3)])
    whole = add_lives(before, ProcessReport())
    assert (whole.members, whole.outlets, whole.inlets) == (before.members, before.outlets, before.inlets)


def test_a_first_life_is_itself():
    report = ProcessReport(beat=1)
    assert add_lives(None, report) is report


def test_nothing_is_under_way_in_a_dead_process():
    report = died(ProcessReport(outlets=[outlet(sent=9, delivered=4, in_flight=5, depth=3)]))
    assert report.outlets == [outlet(sent=9, delivered=4)]


def test_both_halves_of_a_link_make_one_row_in_either_order():
    sender = ProcessReport(outlets=[outlet(sent=9, delivered=7, flushed=2, connected=True)])
    receiver = ProcessReport(inlets=[inlet(received=9, flushed=3, gap_steps=4, age=AgeStatistics(1.0, 2.0, 3.0))])
    for reports in ([sender, receiver], [receiver, sender]):
        (row,) = link_table(reports)
        assert (row["sent"], row["received"], row["flushed"], row["gap_steps"]) == (9, 9, 5, 4)
        assert row["policy"] == "block: 2 s"
        assert row["age_ms"] == {"p50": 1.0, "p99": 2.0, "max": 3.0}


def test_of_a_link_to_another_host_only_what_is_known_here_is_told():
    (arriving,) = link_table([ProcessReport(inlets=[inlet(policy="latest", received=9)])])
    (leaving,) = link_table([ProcessReport(outlets=[outlet(sent=9)])])
    assert (arriving["received"], arriving["policy"]) == (9, "latest")
    assert not arriving.keys() & {"sent", "delivered", "dropped", "lost", "in_flight"}
    assert (leaving["sent"], leaving["policy"]) == (9, "block: 2 s")
    assert not leaving.keys() & {"received", "age_ms", "gap_steps"}


def test_a_link_within_this_host_has_every_figure_before_anyone_has_reported():
    (row,) = link_table([], [Edge(*LINK, Policy.parse("block"))])
    (whole,) = link_table([ProcessReport(outlets=[outlet()], inlets=[inlet(policy="block: 2 s")])])
    assert row == whole
    assert row["sent"] == row["received"] == row["age_ms"]["max"] == 0
