"""What `spikemm run --open` opens."""

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
