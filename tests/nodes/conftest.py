"""Who visits the live page: a bare WebSocket, and helpers for the browser."""

import asyncio
import contextlib
import json

import aiohttp
import cv2
import numpy as np
import pytest

from engine.clocks import WallClock
from engine.testing import make_node
from nodes.web import Web

_DEADLINE_S = 20.0


def _unpack(data):
    """Read a picture as the page does: (header, name → grey picture)."""
    length = int.from_bytes(data[:4], "big")
    header, at = json.loads(data[4 : 4 + length]), 4 + length
    pictures = {}
    for name, size in header["parts"]:
        pictures[name] = cv2.imdecode(np.frombuffer(data[at : at + size], np.uint8), cv2.IMREAD_UNCHANGED)
        at += size
    assert at == len(data)
    return header, pictures


class Visitor:
    """A WebSocket that keeps pictures and texts apart."""

    def __init__(self, connection):
        self.connection = connection
        self.texts = []

    async def picture(self):
        return await self._next(lambda message: message.type == aiohttp.WSMsgType.BINARY, _unpack)

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
