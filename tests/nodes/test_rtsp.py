"""RTSP and RTP, as FFmpeg receives and decodes them; a stand-in server for what FFmpeg does not do: refuse and fail."""

import contextlib
import hashlib
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import numpy as np
import pytest

from engine.clocks import ManualClock
from engine.exceptions import PipelineError
from engine.testing import make_node
from nodes.messages import Frames
from nodes.rtsp import RTSP, RTSPOptions
from nodes.streaming.rtp import Packetizer
from nodes.streaming.rtsp_login import Credentials, Login

HEIGHT, WIDTH = 61, 83
START_S = 1_700_000_000.0
DEADLINE_S = 30.0


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: nobody to receive the stream")
    return program


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


@pytest.fixture
def spawn():
    """Start a program; it does not outlive the test."""
    started = []

    def start(command):
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ffmpeg_records_what_is_published_over_rtsp(open_feeder, spawn, tmp_path):
    url, out = f"rtsp://127.0.0.1:{free_port()}/live", tmp_path / "out.raw"
    listen = f"{need('ffmpeg')} -v error -rtsp_flags listen -i {url} -frames:v 12 -f rawvideo -pix_fmt gray {out}"
    ffmpeg = spawn(listen.split())
    feeder = open_feeder(url=url)
    feeder.feed_until(lambda: ffmpeg.poll() is not None)
    assert ffmpeg.returncode == 0
    pictures = np.fromfile(out, np.uint8).reshape(-1, HEIGHT + 1, WIDTH + 1)
    rows = pictures[:, :, 10].argmax(1)
    assert len(rows) == 12
    assert np.all((np.diff(rows) % HEIGHT >= 1) & (np.diff(rows) % HEIGHT <= 10))  # in order, few left out
    left, right = np.median(pictures[:, :, 2:38]), np.median(pictures[:, :, 44:])
    assert abs(left - 64) <= 2
    assert abs(right - 191) <= 2


def test_ffprobe_decodes_rtp_by_the_description_at_the_frames_own_time(open_feeder, spawn, tmp_path):
    sdp = tmp_path / "live.sdp"
    need("ffprobe")
    feeder = open_feeder(url=f"rtp://127.0.0.1:{free_port(socket.SOCK_DGRAM) & ~1}", sdp=str(sdp), fps=25)
    feeder.feed_until(sdp.exists)
    look = "ffprobe -v error -protocol_whitelist file,rtp,udp -read_intervals %+#40 -of csv=p=0"
    show = "-show_entries frame=width,height,pts_time"
    ffprobe = spawn([*look.split(), *show.split(), str(sdp)])
    feeder.feed_until(lambda: ffprobe.poll() is not None)
    rows = [line.strip().split(",") for line in ffprobe.stdout if line.strip()]
    assert len(rows) >= 8
    assert {tuple(row[1:]) for row in rows} == {(str(WIDTH + 1), str(HEIGHT + 1))}
    intervals = np.diff([float(row[0]) for row in rows]) / 0.04
    assert intervals == pytest.approx(np.maximum(np.rint(intervals), 1), abs=0.01)
    assert np.median(intervals) == pytest.approx(1, abs=0.01)


def test_large_units_are_cut_into_packets_that_make_them_whole_again():
    unit = bytes([0x65]) + np.random.default_rng(0).bytes(5000)
    packets = Packetizer().packets([b"\x67small", unit], 0x1_2345_6789)
    assert max(map(len, packets)) <= 1412
    numbers = [struct.unpack_from(">BBHI", packet) for packet in packets]
    assert [marked >> 7 for _, marked, _, _ in numbers] == [0] * (len(packets) - 1) + [1]
    assert {timestamp for *_, timestamp in numbers} == {0x2345_6789}
    assert np.array_equal(np.diff([number for _, _, number, _ in numbers]) % 65536, np.ones(len(packets) - 1))
    assert packets[0][12:] == b"\x67small"
    pieces = [packet[12:] for packet in packets[1:]]
    assert [piece[1] >> 6 for piece in pieces] == [2] + [0] * (len(pieces) - 2) + [1]
    assert bytes([pieces[0][0] & 0xE0 | pieces[0][1] & 0x1F]) + b"".join(piece[2:] for piece in pieces) == unit


def test_a_sender_report_ties_a_time_stamp_to_the_wall_clock():
    packetizer = Packetizer()
    sent = packetizer.packets([b"\x65" + bytes(99), b"\x65" + bytes(9)], 90_000)
    report = struct.unpack(">BBHIIIIII", packetizer.sender_report(1.5, 135_000))
    assert report[:3] == (0x80, 200, 6)
    assert report[3] == struct.unpack_from(">I", sent[0], 8)[0]
    assert report[4:6] == (2_208_988_801, 1 << 31)
    assert report[6:] == (135_000, 2, 110)


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


def test_a_server_that_asks_who_publishes_is_told(open_server, open_feeder, monkeypatch):
    monkeypatch.setenv("RTSP_PASSWORD", "pass word")
    server = open_server(realm="plant")
    feeder = open_feeder(url=server.url, username="rig", password="env:RTSP_PASSWORD")
    feeder.feed_until(lambda: server.pictures >= 3)
    assert server.requests == ["OPTIONS", "OPTIONS", "ANNOUNCE", "SETUP", "RECORD"]
    status = feeder.node.status()
    assert (status["url"], status["connected"], status["failure"]) == (server.url, True, "")


def test_a_digest_gives_back_what_is_opaque_to_it():
    credentials = Credentials(Login("rig", "pass word"))
    assert credentials.accept(['Digest realm="plant", nonce="n0", opaque="5ccc069c"'])
    assert 'opaque="5ccc069c"' in credentials.header("OPTIONS", "rtsp://server/live")["Authorization"]


def test_each_request_of_a_digest_has_the_next_nonce_count(open_server, open_feeder, monkeypatch):
    monkeypatch.setenv("RTSP_PASSWORD", "pass word")
    server = open_server(realm="plant", qop=', qop="auth"')
    feeder = open_feeder(url=server.url, username="rig", password="env:RTSP_PASSWORD")
    feeder.feed_until(lambda: server.pictures >= 1)
    assert server.requests == ["OPTIONS", "OPTIONS", "ANNOUNCE", "SETUP", "RECORD"]
    assert server.nonce_counts == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"200 OK\r\nContent-Length: x", "the server's answer is malformed: its Content-Length is 'x'"),
        (b"200 OK\r\nContent-Length: -1", "the server's answer is malformed: its Content-Length is '-1'"),
        (b"401 Who\r\nWWW-Authenticate: Digest realm", "the server's challenge is malformed: 'realm'"),
        (b"401 Who\r\nWWW-Authenticate: Digest realm=", "the server's challenge is malformed: 'realm='"),
    ],
)
def test_a_malformed_answer_is_told_and_tried_again(open_server, open_feeder, monkeypatch, head, told):
    monkeypatch.setenv("RTSP_PASSWORD", "pass word")
    server = open_server(first_answer=b"RTSP/1.0 " + head + b"\r\n\r\n")
    feeder = open_feeder(url=server.url, username="rig", password="env:RTSP_PASSWORD")
    feeder.feed_until(lambda: feeder.node.status()["failure"])
    assert feeder.node.status()["failure"] == told
    feeder.feed_until(lambda: server.pictures >= 1)
    assert server.connections == 2


def test_answers_to_other_requests_and_interim_ones_are_passed_over(open_server, open_feeder):
    stray = "RTSP/1.0 454 Session Not Found\r\nCSeq: 77\r\n\r\nRTSP/1.0 100 Continue\r\n\r\n"
    server = open_server(stray=stray)
    open_feeder(url=server.url).feed_until(lambda: server.pictures >= 1)
    assert server.connections == 1


def test_pictures_go_where_the_server_wants_them(open_server, open_feeder):
    server = open_server(video=4, Transport="RTP/AVP/TCP;unicast;interleaved=4-5")
    open_feeder(url=server.url).feed_until(lambda: server.pictures >= 1)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Session": ""}, "the server's answer to SETUP names no session"),
        (
            {"Transport": "RTP/AVP;unicast;client_port=4-5"},
            "another way of transport: 'RTP/AVP;unicast;client_port=4-5'",
        ),
        ({"Transport": "RTP/AVP/TCP;interleaved=0-256"}, "another way of transport"),
    ],
)
def test_a_session_that_cannot_be_is_told(open_server, open_feeder, headers, told):
    feeder = open_feeder(url=open_server(**headers).url)
    feeder.feed_until(lambda: feeder.node.status()["failure"])
    assert told in feeder.node.status()["failure"]


def test_a_server_that_answers_drop_by_drop_is_given_up(open_server, open_feeder, monkeypatch):
    monkeypatch.setattr("nodes.streaming.rtsp_session._TIMEOUT_S", 0.2)
    server = open_server()

    def answer(*_):
        while not server._ended.wait(0.05):
            server._talking.sendall(b"R")
        return b""

    server._answer = answer
    feeder = open_feeder(url=server.url)
    feeder.feed_until(lambda: feeder.node.status()["failure"])
    assert feeder.node.status()["failure"] == "the server has not answered within 0.2 s"


def test_a_server_that_never_stops_talking_does_not_hold_the_pictures_up(open_server, open_feeder):
    server = open_server(chatty=True)
    open_feeder(url=server.url).feed_until(lambda: server.pictures >= 5)
    assert server.connections == 1


def test_a_wrong_password_is_told_and_not_repeated_in_the_telling(open_server, open_feeder, caplog, monkeypatch):
    monkeypatch.setenv("RTSP_PASSWORD", "wrong")
    server = open_server(realm="plant")
    feeder = open_feeder(url=server.url, username="rig", password="env:RTSP_PASSWORD")
    feeder.feed_until(lambda: feeder.node.status()["failure"])
    assert feeder.node.status()["failure"] == "OPTIONS is refused with status 401"
    assert f"{server.url}: OPTIONS is refused with status 401; frames are left out" in caplog.text
    assert "wrong" not in caplog.text


def test_a_lost_connection_is_counted_and_made_anew_with_a_key_frame(open_server, open_feeder):
    server = open_server()
    feeder = open_feeder(url=server.url)
    feeder.feed_until(lambda: server.pictures >= 3)
    server.hang_up()
    feeder.feed_until(lambda: server.connections == 2 and server.pictures >= 6)
    counters = feeder.node.context.counters
    assert counters["connections_lost"] == 1
    feeder.node.close()
    sent = feeder.node.status()["pictures_sent"]
    assert sent + counters["frames_unsent"] + counters["frames_replaced"] in (feeder.number, feeder.number - 1)


def test_a_server_that_takes_nothing_does_not_slow_the_stream(open_server, open_feeder):
    noise = np.random.default_rng(0).random((250, 400)).astype(np.float32)
    server = open_server(deaf=True)
    feeder = open_feeder(url=server.url, mbit_s=200)
    feeder.feed_until(lambda: feeder.node.context.counters["frames_replaced"] > 20, noise)
    longest = 0.0
    for _ in range(100):
        start = time.perf_counter()
        feeder.feed(noise)
        longest = max(longest, time.perf_counter() - start)
    assert longest < 1.0
    assert feeder.node.context.counters["frames_replaced"] > 100
    assert feeder.node.status()["pictures_sent"] < 20


def test_a_new_picture_size_makes_a_new_stream(open_server, open_feeder):
    server = open_server()
    feeder = open_feeder(url=server.url)
    feeder.feed_until(lambda: server.pictures >= 2)
    feeder.feed_until(lambda: server.connections == 2 and server.pictures >= 5, scene(0, 122, 166))
    assert feeder.node.context.counters["connections_lost"] == 0
    assert "TEARDOWN" in server.requests


def test_what_comes_faster_than_fps_is_skipped_and_counted(open_server, open_feeder):
    feeder = open_feeder(url=open_server().url, fps=5)  # the frames come at 25
    for _ in range(50):
        feeder.feed()
    assert feeder.node.context.counters["frames_skipped"] == 40


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "http://host/x"}, "url: 'http://host/x' is neither rtsp://host/path nor rtp://host:port"),
        ({"url": "rtsp:///x"}, "url: 'rtsp:///x' cannot be used: it names no host"),
        (
            {"url": "rtsp://me:secret@host/x"},
            "url: host with a user's name in it; give username, and password: env:NAME",
        ),
        ({"url": "rtsp://host/x", "username": "me"}, "username and password: give both, or neither"),
        ({"url": "rtp://host", "sdp": "a.sdp"}, "url: 'rtp://host' cannot be used: it names no host and port"),
        (
            {"url": "rtp://host:5004"},
            "sdp: name a file, such as live.sdp: players of an rtp:// stream cannot do without",
        ),
        ({"url": "rtsp://host/x", "sdp": "a.sdp"}, "sdp: 'a.sdp' would not be written"),
        ({"url": "rtp://host:5004", "sdp": "/none/a.sdp"}, "sdp: /none/a.sdp: there is no folder /none; make it first"),
    ],
)
def test_addresses_are_checked_before_anything_starts(options, told):
    with pytest.raises(PipelineError, match=re.escape(told)):
        RTSP.check(RTSPOptions(**options))
