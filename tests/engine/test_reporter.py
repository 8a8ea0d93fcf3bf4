from engine.reporter import Reporter


def test_a_terminal_or_pipe_that_has_gone_ends_no_run_and_problems_are_kept():
    def gone(event):
        raise BrokenPipeError(32, "Broken pipe")

    reporter = Reporter(gone)
    reporter.problem("error", "sink", "the disk is full")
    assert list(reporter.problems) == ["sink: the disk is full"]
