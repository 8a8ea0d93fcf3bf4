"""What `spikemm run` tells while it runs, and what `--open` opens."""

import time
from types import SimpleNamespace

import pytest

from tools.run_monitor import RunMonitor


@pytest.fixture
def opened(monkeypatch):
    """Addresses that were opened in a browser, on a machine with a screen."""
    addresses = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


@pytest.mark.parametrize(("token", "query"), [(None, ""), ("env:PAGE_TOKEN", "?token=open-sesame")])
def test_the_page_is_opened_once_with_the_token_that_no_status_holds(opened, monkeypatch, token, query):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    monitor = RunMonitor(quiet=True, open_page=True)
    page = {"type": "Web", "options": {"token": token}, "status": {}, "emitted": 0, "processed": 1}
    looks = [{}, {"url": "http://127.0.0.1:8787/"}, {"url": "http://127.0.0.1:8787/"}]

    def request(_):
        status = {"phase": "running", "seconds": 1.0, "nodes": {"web": page | {"status": looks.pop(0)}}, "links": []}
        if not looks:
            monitor._ended.set()
        return status

    monkeypatch.setattr("tools.run_monitor._EVERY_S", 0)
    monitor._look(SimpleNamespace(request=request))
    assert opened == [f"http://127.0.0.1:8787/{query}"]


def test_what_happens_is_told_with_the_local_time_and_the_date_of_a_later_day(capsys):
    moments = [time.mktime((2024, 10, 4, 1, 2, 3, 0, 0, -1))]
    monitor = RunMonitor(quiet=False, open_page=False, clock=lambda: moments[-1])
    monitor.say("running: camera")
    monitor.note("alarm: fork: shaking raised")
    moments.append(time.mktime((2024, 10, 5, 1, 2, 3, 0, 0, -1)))
    monitor.note("alarm: fork: shaking cleared")
    monitor.warn("spikemm: camera: 3 steps lost")
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "running: camera",
        "01:02:03 alarm: fork: shaking raised",
        "2024-10-05 01:02:03 alarm: fork: shaking cleared",
    ]
    assert said.err == "2024-10-05 01:02:03 spikemm: camera: 3 steps lost\n"


def test_when_it_is_to_be_quiet_only_warnings_are_told(capsys):
    monitor = RunMonitor(quiet=True, open_page=False)
    monitor.say("running: camera")
    monitor.note("alarm: fork: shaking raised")
    monitor.warn("spikemm: camera: 3 steps lost")
    said = capsys.readouterr()
    assert said.out == ""
    assert "3 steps lost" in said.err
