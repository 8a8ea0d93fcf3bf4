"""The live page as a person meets it: in a real Chromium."""

import threading
import time

import numpy as np
import pytest

from engine.clocks import WallClock
from engine.testing import make_node
from nodes.messages import Frames
from nodes.web import Web

HEIGHT, WIDTH = 50, 80
NOTES = {"alpha": 10, "band_hz": [290, 330], "method": "warp", "mode": "band", "phase_delay_deg": 12.5}
MEAN_OF = """(() => {{ const c = document.getElementById("{0}");
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let s = 0; for (let i = 0; i < d.length; i += 4) s += d[i]; return s / (c.width * c.height) }})()"""
CENTRE_OF = """(() => {{ const c = document.getElementById("{0}");
    const d = c.getContext("2d").getImageData(0, c.height >> 1, c.width, 1).data;
    let s = 0, m = 0; for (let x = 0; x < c.width; x++) {{ s += d[4 * x]; m += x * d[4 * x] }} return m / s }})()"""


class Replayer:
    """Stands in for a supervisor with a replay and a magnifier."""

    def __init__(self):
        self.replay = {"step": 100, "steps": 1000, "seconds": 0.005, "speed": 1.0, "paused": False, "loop": False}
        self.live = True
        self.dropped, self.inner = 7, 0

    def request(self, request):
        return self.status()

    def status(self):
        common = {"phase": "RUNNING", "restarts": 0, "cpu": 0.25, "rss_mb": 90.0, "processed": 5, "emitted": 5}
        nodes = {
            "replay": common | {"status": self.replay},
            "magnify": common | {"options": {"alpha": 10}, "live_options": ["alpha"]},
            "web": common,
        }
        web = {"source": "magnify", "target": "web", "policy": "latest", "sent": 50, "dropped": self.dropped}
        inner = {"source": "replay", "target": "magnify", "policy": "drop_oldest: 32", "sent": 90}
        inner["dropped"] = self.inner
        both = {"port": "", "lost": 0, "in_flight": 0, "depth": 0, "age_ms": {"p50": 3.0, "p99": 9.0}}
        links = [web | both, inner | both]
        return {"pipeline": "rig", "live": self.live, "problems": [], "nodes": nodes, "links": links}

    def close(self):
        pass


class Feed(threading.Thread):
    """A bar that moves in `pixels` and stands still in `raw`, a hundred times a second."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.number = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.01):
            self.number += 1
            self.node.process(self._frames(), "frames")

    def stop(self):
        self.over.set()
        self.join()

    def _frames(self):
        pixels, raw = (np.zeros((1, HEIGHT, WIDTH), np.float32) for _ in range(2))
        at = 10 + self.number % 50
        pixels[0, :, at : at + 16] = raw[0, :, 32:48] = 1.0
        times = {"step": 20 * self.number, "rate_hz": 20000.0, "source_time": time.time()}
        return Frames(hop=20, pixels=pixels, raw=raw, front="interval:32", window_steps=38.6, notes=NOTES, **times)


@pytest.fixture
def control():
    return Replayer()


@pytest.fixture
def node(control, monkeypatch):
    monkeypatch.setattr(Web, "_connect", lambda self: control)
    running = make_node(Web, WallClock(), port=0, white=1.0, context={"control": "ipc://supervisor"})
    yield running
    running.close()


@pytest.fixture
def feed(node):
    running = Feed(node)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def page(browser, node, feed):
    opened = browser.open(node.status()["url"])
    opened.wait_for("document.body.dataset.pictures > 5")
    yield opened
    opened.close()


def test_the_magnified_picture_moves_and_the_unmagnified_one_stands_still(page):
    start, still = page.evaluate(CENTRE_OF.format("pixels")), page.evaluate(CENTRE_OF.format("raw"))
    assert page.evaluate(MEAN_OF.format("raw")) == pytest.approx(255 * 16 / WIDTH, rel=0.05)
    page.wait_for(f"Math.abs({CENTRE_OF.format('pixels')} - {start}) > 5")
    assert page.evaluate(CENTRE_OF.format("raw")) == pytest.approx(still, abs=0.5)


def test_tells_what_is_shown_and_how_old_it_is(page, node):
    page.wait_for("Number(document.getElementById('age').value) >= 0 && document.getElementById('age').value !== '–'")
    page.wait_for("Number(document.getElementById('fps').value) > 1")
    page.wait_for("document.getElementById('dropped').value === '7'")
    shown = page.text()
    for words in (
        "Live",
        "Magnified ×10",
        "290–330 Hz",
        "Unmagnified",
        "magnify → web",
        "latest",
        "rig",
        "25 %",
        "90 MB",
    ):
        assert words in shown
    assert node.status()["viewers"][0]["age_ms"]["p50"] == pytest.approx(0, abs=2000)


def test_losses_on_any_link_are_told_and_those_of_latest_are_only_counted(page, control):
    control.dropped = 20
    page.wait_for("document.getElementById('dropped').value === '20'")
    assert page.evaluate("document.getElementById('losses').hidden")
    control.inner = 300
    page.wait_for("document.getElementById('losses').innerText.endsWith('300 on replay → magnify')")
    assert page.evaluate("document.getElementById('dropped').value") == "320"
    assert page.evaluate("document.getElementById('losses').offsetHeight") > 0


def test_a_replay_is_not_called_live(page, control):
    control.live = False
    page.wait_for("document.getElementById('state-word').textContent === 'Replay'")
    assert page.evaluate("document.body.dataset.state") == "live"


def test_names_the_window_and_what_it_averages_over(page):
    assert page.evaluate("document.getElementById('window').textContent") == "interval, 32 steps; averages over 1.93 ms"


@pytest.mark.parametrize("width", [1440, 420])
def test_nothing_jumps_at_the_first_picture(browser, node, width):
    places = """['raw', 'pixels'].map((id) => { const r = document.getElementById(id).getBoundingClientRect();
        return [r.left, r.width] }).flat()"""
    page = browser.open(node.status()["url"], width, 900)
    page.wait_for("document.body.dataset.state === 'waiting'")
    before = page.evaluate(places)
    feed = Feed(node)
    feed.start()
    page.wait_for("document.body.dataset.pictures > 2")
    assert page.evaluate(places) == before
    page.close()
    feed.stop()


def test_a_caption_wraps_on_a_narrow_screen(browser, node, feed):
    page = browser.open(node.status()["url"], 420, 900)
    page.wait_for("document.body.dataset.pictures > 2")
    caption = "document.querySelector('#pixels-figure figcaption')"
    for part in (caption, "document.getElementById('notes')", "document.getElementById('pixels-name')"):
        assert page.evaluate(f"{part}.scrollWidth <= {part}.clientWidth || {part}.clientWidth === 0")
    page.close()


def test_says_when_the_stream_stalls_goes_on_and_ends(page, node, feed):
    feed.stop()
    page.wait_for("document.body.dataset.state === 'stalled'")
    page.wait_for("/^No picture for [1-9][0-9.]* s$/.test(document.getElementById('notice').textContent)")
    node.process(feed._frames(), "frames")
    page.wait_for("document.body.dataset.state === 'live'")
    node.flush()
    page.wait_for("document.body.dataset.state === 'ended'")


def test_connects_again_by_itself(browser, control):
    first = make_node(Web, WallClock(), port=0, white=1.0)
    url = first.status()["url"]
    page = browser.open(url)
    page.wait_for("document.body.dataset.state === 'waiting'")
    first.close()
    page.wait_for("document.body.dataset.state === 'lost'")
    second = make_node(Web, WallClock(), port=int(url.split(":")[2].strip("/")), white=1.0)
    feed = Feed(second)
    feed.start()
    page.wait_for("document.body.dataset.state === 'live'")
    page.close()
    feed.stop()
    second.close()


def test_fits_a_phone_with_one_picture_wiped_over_the_other(browser, node, feed):
    page = browser.open(node.status()["url"], 390, 844, mobile=True)
    page.wait_for("document.body.dataset.pictures > 2")
    width, pixels, raw, divider = page.evaluate(
        "[document.documentElement.scrollWidth, ...['pixels', 'raw', 'divider'].map("
        "(id) => { const r = document.getElementById(id).getBoundingClientRect(); return [r.left, r.top, r.width] })]"
    )
    page.close()
    assert width <= 390
    assert pixels == raw
    assert divider[0] + divider[2] / 2 == pytest.approx(195, abs=1)
