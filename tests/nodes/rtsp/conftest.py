"""A publisher that is fed pictures, and a stand-in server for what FFmpeg does not do: refuse and fail."""

import contextlib
import hashlib
import re
import socket
import struct
import threading
import time

import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.testing import make_node
from nodes.messages import Frames
from nodes.rtsp import RTSP

HEIGHT, WIDTH = 61, 83
START_S = 1_700_000_000.0
DEADLINE_S = 30.0


def scene(number, height=HEIGHT, width=WIDTH):
    """Left half dark, right half bright, and a bar whose row tells the frame's number."""
    light = np.full((height, width), 0.25, np.float32)
    light[:, width // 2 :] = 0.75
    light[number % height] = 1.0
    return light


class Feeder:
    """A node that is fed a frame each 10 ms, which its clock and the frames' own time call 40 ms."""

    def __init__(self, **options):
        self.clock = ManualClock()
        self.node = make_node(RTSP, self.clock, white=1.0, **options)
        self.number = 0

    def feed(self, pixels=None):
        pixels = scene(self.number) if pixels is None else pixels
        moment = START_S + 0.04 * self.number
        self.node.process(Frames(step=self.number, rate_hz=25.0, source_time=moment, pixels=pixels[None]), "in")
        self.clock.advance(0.04)
        self.number += 1

    def feed_until(self, condition, pixels=None):
        end, pause = time.monotonic() + DEADLINE_S, threading.Event()
        while not condition():
            assert time.monotonic() < end, self.node.status()
            self.feed(pixels)
            pause.wait(0.01)


@pytest.fixture
def open_feeder():
    opened = []

    def start(**options):
        opened.append(Feeder(**options))
        return opened[-1]

    yield start
    for feeder in opened:
        feeder.node.close()


class Server:
    """The server's side of RTSP, as far as a publisher meets it."""

    def __init__(self, *, realm="", qop="", deaf=False, chatty=False, first_answer=b"", stray="", video=0, **told):
        self.realm, self.qop, self.deaf, self.chatty, self.first_answer = realm, qop, deaf, chatty, first_answer
        self.stray, self.video = stray, video  # what comes before each answer; the channel for pictures
        self.told = "".join(f"{name}: {value}\r\n" for name, value in ({"Session": "1234;timeout=60"} | told).items())
        self.nonce_counts = []
        self.requests, self.pictures, self.connections = [], 0, 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/live"
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._talking = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hang_up(self):
        self._talking.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.hang_up()
        self._thread.join()
        self._listening.close()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                self._talking, _ = self._listening.accept()
                self.connections += 1
                with contextlib.suppress(OSError), self._talking, self._talking.makefile("rb") as stream:
                    self._serve(stream)

    def _serve(self, stream):
        while first := stream.read(1):
            if first == b"$":
                channel, length = struct.unpack(">BH", stream.read(3))
                packet = stream.read(length)
                self.pictures += channel == self.video and packet[1] >> 7
            else:
                self._talking.sendall(self._answer(first + b"".join(iter(stream.readline, b"\r\n")), stream))
            if self.deaf and self.requests[-1] == "RECORD":
                self._ended.wait(DEADLINE_S)
            if self.chatty and self.requests[-1] == "RECORD":
                self.chatty = False
                threading.Thread(target=self._chat, args=[self._talking]).start()

    def _chat(self, connection):
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(1 << 20))

    def _answer(self, head, stream):
        lines = head.decode().splitlines()
        method, url, _ = lines[0].split()
        headers = dict(line.split(": ", 1) for line in lines[1:])
        stream.read(int(headers.get("Content-Length", 0)))
        self.requests.append(method)
        if len(self.requests) == 1 and self.first_answer:
            return self.first_answer
        status, extra = "200 OK", self.told
        if self.realm and not self._knows(method, url, headers.get("Authorization", "")):
            status, extra = (
                "401 Unauthorized",
                f'WWW-Authenticate: Digest realm="{self.realm}", nonce="n0"{self.qop}\r\n'
                f'WWW-Authenticate: Basic realm="{self.realm}"\r\nWWW-Authenticate: Negotiate abc\r\n',
            )
        return f"{self.stray}RTSP/1.0 {status}\r\nCSeq: {headers['CSeq']}\r\n{extra}\r\n".encode()

    def _knows(self, method, url, authorization):
        given = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        secret, request = md5(f"rig:{self.realm}:pass word"), md5(f"{method}:{url}")
        nonce = "n0"
        if self.qop and (count := re.search(r"nc=(\w{8})", authorization)):
            self.nonce_counts.append(int(count[1], 16))
            nonce = f"n0:{count[1]}:{given['cnonce']}:auth"
        return given.get("response") == md5(f"{secret}:{nonce}:{request}") and given["uri"] == url


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def open_server():
    opened = []

    def start(**options):
        opened.append(Server(**options))
        return opened[-1]

    yield start
    for server in opened:
        server.close()
