"""Who visits the live page: a bare WebSocket, and a driver of the console in a browser."""

import asyncio
import contextlib
import json
import threading
import time

import aiohttp
import cv2
import numpy as np
import pytest

from engine.clocks import WallClock
from engine.exceptions import ControlError
from engine.testing import make_node
from nodes.messages import Frames
from nodes.web import Web

_DEADLINE_S = 20.0


def _unpack(data):
    """Read a picture as the page does: (header, name → grey picture)."""
    header, at = _header(data)
    pictures = {}
    for name, size in header["parts"]:
        pictures[name] = cv2.imdecode(np.frombuffer(data[at : at + size], np.uint8), cv2.IMREAD_UNCHANGED)
        at += size
    assert at == len(data)
    return header, pictures


def _header(data):
    length = int.from_bytes(data[:4], "big")
    return json.loads(data[4 : 4 + length]), 4 + length


def _numbers(data):
    """Read readings as the page does."""
    header, at = _header(data)
    for entry in header["readings"]:
        entry["numbers"] = {}
        for name, shape in entry["arrays"]:
            size = int(np.prod(shape))
            entry["numbers"][name] = np.frombuffer(data, "<f4", size, at).tolist()
            at += 4 * size
    assert at == len(data)
    return {entry["name"]: entry for entry in header["readings"]}


class Visitor:
    """A WebSocket that keeps pictures and texts apart."""

    def __init__(self, connection):
        self.connection = connection
        self.texts = []

    async def picture(self):
        return await self._next(lambda message: message.type == aiohttp.WSMsgType.BINARY, _unpack)

    async def readings(self):
        """Read on to readings: their entries by name, the numbers of each array in ``numbers``."""

        def wanted(message):
            return message.type == aiohttp.WSMsgType.BINARY and _header(message.data)[0]["type"] == "readings"

        return await self._next(wanted, _numbers)

    async def text(self, kind, *, alone=False):
        """Read on to a text of some kind; `alone`: no picture may come before it."""

        def wanted(message):
            assert not (alone and message.type == aiohttp.WSMsgType.BINARY)
            return message.type == aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == kind

        return await self._next(wanted, json.loads)

    async def say(self, **message):
        await self.connection.send_str(json.dumps(message))

    async def drawn(self, header, age_ms=5.0):
        await self.say(type="drawn", picture=header["picture"], age_ms=age_ms)

    async def _next(self, wanted, read):
        while True:
            message = await asyncio.wait_for(self.connection.receive(), _DEADLINE_S)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if wanted(message):
                return read(message.data)


@contextlib.asynccontextmanager
async def _visit(node, **arguments):
    """Open the page's WebSocket."""
    async with aiohttp.ClientSession() as session, session.ws_connect(_address(node) + "ws", **arguments) as connection:
        visitor = Visitor(connection)
        await visitor.text("status")  # from here on the server knows the visitor
        yield visitor


async def _get(url, **arguments):
    """Fetch: (status, headers, body)."""
    async with aiohttp.ClientSession() as session, session.get(url, **arguments) as answer:
        return answer.status, answer.headers, await answer.read()


def _address(node):
    return node.status()["url"].partition("?")[0]


@pytest.fixture
def visit():
    """Open a page's WebSocket: ``async with visit(node) as visitor``."""
    return _visit


@pytest.fixture
def get():
    """Fetch an address: ``status, headers, body = await get(url)``."""
    return _get


@pytest.fixture
def address():
    """Tell a page's address, without its token."""
    return _address


@pytest.fixture
def open_page(monkeypatch):
    """Start a `web` node on a free port; returns it and its stand-in for the supervisor."""
    opened = []

    def start(control=None, **options):
        monkeypatch.setattr(Web, "_connect", lambda self: control)
        around = {"control": "ipc://supervisor"} if control else {}
        opened.append(make_node(Web, WallClock(), port=0, max_fps=240, context=around, **options))
        return opened[-1]

    yield start
    for node in opened:
        node.close()


HEIGHT, WIDTH, SCALE = 50, 80, 2.0
TINE = [40, 10, 24, 16]
_PATIENCE_S = 5.0


class StandInPipeline:
    """A pipeline that does as it is told, and keeps what that was."""

    def __init__(self):
        self.asked = []
        self.refuse = False
        self.options = {
            "encode": {"strobe_hz": None},
            "magnify": {"alpha": 10.0, "band_hz": [290.0, 330.0], "method": "warp"},
            "upsample": {"scale": 2.0},
            "measure": {"regions": {"tine": {"roi": TINE, "housing": False}}, "map": None},
            "web": {"max_fps": 30.0, "quality": 85},
        }
        self.replay = {"step": 100, "steps": 1000, "seconds": 0.005, "speed": 1.0, "paused": False, "loop": False}

    def request(self, request, **asked):
        if request == "status":
            return self.status()
        self.asked.append(
            (asked["node"], asked.get("option") or asked["name"], asked.get("value", asked.get("arguments")))
        )
        if self.refuse:
            raise ControlError("magnify.alpha: Expected `float` <= 1000.0 (got 5000)")
        if request == "set":
            self.options[asked["node"]][asked["option"]] = asked["value"]
            return asked["value"]
        if asked["name"] == "save":
            return {"file": "sessions/one"}
        self.replay["paused"] = {"pause": True, "resume": False}.get(asked["name"], self.replay["paused"])
        return self.replay

    def status(self):
        types = {
            "replay": "Replay",
            "encode": "Encode",
            "magnify": "Magnify",
            "upsample": "Upsample",
            "measure": "Measure",
            "alarm": "Alarm",
            "record": "Record",
            "web": "Web",
        }
        statuses = {
            "replay": self.replay,
            "encode": {"strobe": "locked", "strobe_hz": 497.0, "apparent_hz": 1.0},
            "magnify": {"methods": ["warp", "riesz", "linear"]},
            "record": {"ring_s": 12.0, "session": None, "failure": "", "queued_mb": 0.0},
        }
        nodes = {}
        for name, kind in types.items():
            options = self.options.get(name, {})
            nodes[name] = {"type": kind, "phase": "RUNNING", "restarts": 0, "options": options}
            nodes[name] |= {"live_options": list(options), "status": statuses.get(name, {})}
        return {"pipeline": "rig", "live": False, "problems": [], "nodes": nodes, "links": []}

    def close(self):
        pass


class SwayingEdge(threading.Thread):
    """Dark on the left, light on the right; the edge sways in `pixels` and stands in `raw`."""

    def __init__(self, node):
        super().__init__()
        self.node, self.number, self.over = node, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            self.number += 1
            self.node.process(self.frames(), "frames")

    def frames(self):
        across = np.arange(int(WIDTH * SCALE)) / SCALE
        edge = 40 + 8 * np.sin(2 * np.pi * self.number / 20)
        pixels, raw = (np.tile(across > at, (1, int(HEIGHT * SCALE), 1)).astype(np.float32) for at in (edge, 40))
        times = {"step": 20 * self.number, "hop": 20, "rate_hz": 20000.0, "source_time": time.time()}
        return Frames(pixels=pixels, raw=raw, scale=SCALE, notes={"alpha": 10, "band_hz": [290, 330]}, **times)

    def stop(self):
        self.over.set()
        self.join()


class Console:
    """A page on a stand-in pipeline, and hands to use it with."""

    def __init__(self, page, node, pipeline):
        self.page, self.node, self.pipeline = page, node, pipeline

    def on(self, page):
        return Console(page, self.node, self.pipeline)

    def click(self, identity):
        self.page.evaluate(f"document.getElementById('{identity}').click()")

    def change(self, identity, value, event="change"):
        self.page.evaluate(
            f"(() => {{ const i = document.getElementById('{identity}'); i.value = '{value}'; "
            f"i.dispatchEvent(new Event('{event}', {{bubbles: true}})) }})()"
        )

    def press(self, key, **held):
        self.page.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **held)

    def text(self, selector):
        return self.page.evaluate(f"document.querySelector('{selector}').innerText")

    def place(self, x, y):
        """Where on the page a px of the sensor is, on the magnified picture."""
        left, top, per_px = self.page.evaluate(
            "(() => { const r = document.getElementById('pixels-overlay').getBoundingClientRect(); "
            f"return [r.left, r.top, r.width / {WIDTH}] }})()"
        )
        return {"x": left + x * per_px, "y": top + y * per_px}

    def drag(self, start, end):
        """Drag the mouse over the magnified picture, from and to px of the sensor."""
        self.page.evaluate("document.getElementById('pictures').scrollIntoView({block: 'center'})")
        half = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
        moves = {"mousePressed": start, "mouseMoved": half}, {"mouseMoved": end, "mouseReleased": end}
        for kind, spot in (*moves[0].items(), *moves[1].items()):
            at = self.place(*spot)
            self.page.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **at)

    def asked(self, node, what, expected=...):
        """Wait until the pipeline was asked for something, and last for `expected` where that is given; return it."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            values = [value for name, key, value in tuple(self.pipeline.asked) if (name, key) == (node, what)]
            if values and (expected is ... or values[-1] == expected):
                return values[-1]
            assert time.monotonic() < end, f"{node}.{what}: {expected} was not asked for: {self.pipeline.asked}"
            self.page.evaluate("new Promise((resolve) => setTimeout(resolve, 20))")


@pytest.fixture(scope="module")
def console_of_module(browser):
    """One page on one stand-in pipeline."""
    pipeline = StandInPipeline()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Web, "_connect", lambda self: pipeline)
        node = make_node(Web, WallClock(), port=0, white=1.0, context={"control": "ipc://supervisor"})
        feed = SwayingEdge(node)
        feed.start()
        page = browser.open(node.status()["url"], 1600, 1200)
        page.wait_for("document.body.dataset.pictures > 2 && document.querySelector('.region') !== null")
        yield Console(page, node, pipeline)
        page.close()
        feed.stop()
        node.close()


@pytest.fixture
def console(console_of_module):
    """The module's page in front, with nothing asked yet."""
    console_of_module.pipeline.asked.clear()
    console_of_module.pipeline.refuse = False
    console_of_module.page.call("Page.bringToFront")  # a tab in the background draws nothing
    return console_of_module


@pytest.fixture
def bare_pipeline():
    """A stand-in pipeline without any node."""
    pipeline = StandInPipeline()
    pipeline.status = lambda: {"nodes": {}, "links": [], "live": True, "problems": [], "pipeline": "bare"}
    return pipeline
