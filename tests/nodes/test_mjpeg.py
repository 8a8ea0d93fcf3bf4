"""Motion JPEG, as its clients meet it: browsers' multipart streams, OpenCV, FFmpeg, and one that does not read."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import threading
from urllib.parse import urlsplit

import aiohttp
import cv2
import numpy as np
import pytest

from engine.clocks import WallClock
from engine.exceptions import PipelineError
from engine.testing import make_node
from nodes.messages import Frames
from nodes.mjpeg import MJPEG, MJPEGOptions

HEIGHT, WIDTH = 40, 64
DEADLINE_S = 20.0


def frames(number=0, level=0.5):
    pixels = np.full((1, HEIGHT, WIDTH), level, np.float32)
    return Frames(step=20 * number, hop=20, rate_hz=20000.0, source_time=1e9 + number, pixels=pixels)


@pytest.fixture
def open_node():
    opened = []

    def start(**options):
        opened.append(make_node(MJPEG, WallClock(), port=0, max_fps=240, white=1.0, **options))
        return opened[-1]

    yield start
    for node in opened:
        node.close()


@contextlib.asynccontextmanager
async def watching(node, url=None):
    async with aiohttp.ClientSession() as session, session.get(url or node.status()["url"]) as answer:
        yield answer


async def picture(answer, boundary=b"--picture\r\n"):
    """Read one part: its headers by name, and the picture in it."""
    async with asyncio.timeout(DEADLINE_S):
        head = (await answer.content.readuntil(b"\r\n\r\n")).removeprefix(b"\r\n").removeprefix(boundary)
        headers = dict(line.split(": ") for line in head.decode().split("\r\n") if line)
        jpeg = await answer.content.readexactly(int(headers["Content-Length"]))
        assert await answer.content.readexactly(len(boundary) + 2) == b"\r\n" + boundary
    return headers, cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


def test_a_stream_is_multipart_with_each_picture_at_its_brightness_and_step(open_node):
    async def run():
        node = open_node()
        node.process(frames(1, 0.25), "in")
        async with watching(node) as answer:
            assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
            first = await picture(answer)
            node.process(frames(2, 0.75), "in")
            return first, await picture(answer)

    (headers, grey), (later, bright) = asyncio.run(run())
    assert (headers["Content-Type"], headers["X-Step"], later["X-Step"]) == ("image/jpeg", "20", "40")
    assert float(later["X-Timestamp"]) - float(headers["X-Timestamp"]) == pytest.approx(1.0)
    assert grey.shape == (HEIGHT, WIDTH)
    assert abs(float(grey.mean()) - 64) < 2
    assert abs(float(bright.mean()) - 191) < 2


def test_a_new_client_of_a_paused_stream_sees_the_last_picture(open_node):
    async def run():
        node = open_node()
        node.process(frames(7), "in")
        for _ in range(2):
            async with watching(node) as answer:
                yield (await picture(answer))[0]["X-Step"]

    async def collect():
        return [step async for step in run()]

    assert asyncio.run(collect()) == ["140", "140"]


def test_a_snapshot_is_the_newest_picture_and_none_before_the_first(open_node):
    async def run():
        node = open_node()
        url = node.status()["url"].replace("stream.mjpg", "snapshot.jpg")
        async with watching(node, url) as answer:
            assert answer.status == 503
        node.process(frames(3, 0.5), "in")
        async with watching(node, url) as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            return cv2.imdecode(np.frombuffer(await answer.read(), np.uint8), cv2.IMREAD_UNCHANGED)

    grey = asyncio.run(run())
    assert grey.shape == (HEIGHT, WIDTH)
    assert abs(float(grey.mean()) - 128) < 2


def test_a_client_that_does_not_read_slows_nobody_and_finds_the_newest_picture_soon(open_node):
    noise = np.random.default_rng(0).random((1, 250, 400)).astype(np.float32)

    async def run():
        node = open_node()
        address = urlsplit(node.status()["url"])
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((address.hostname, address.port))
            idle.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            async with watching(node) as answer:
                await until(lambda: len(node.status()["clients"]) == 2)
                for number in range(1, 41):
                    node.process(Frames(step=number, rate_hz=20000.0, source_time=1e9, pixels=noise), "in")
                    while int((await picture(answer))[0]["X-Step"]) != number:
                        pass
            await until(lambda: len(node.status()["clients"]) == 1)
            return idle_steps(idle, last=40), node.status()

    steps, status = asyncio.run(run())
    assert len(steps) < 10
    assert steps[-1] == 40
    assert status["clients"][0]["frames_skipped"] == 40 - len(steps)
    assert status["frames_skipped"] >= 40 - len(steps)


def idle_steps(idle, last):
    """Steps of what a client that has slept finds when it reads on, up to the newest."""
    idle.settimeout(DEADLINE_S)
    data = b""
    while f"X-Step: {last}\r\n".encode() not in data:
        data += idle.recv(1 << 20)
    return [int(part.partition(b"\r\n")[0]) for part in data.split(b"X-Step: ")[1:]]


def test_clients_are_bounded_and_those_refused_counted(open_node):
    async def run():
        node = open_node(max_clients=1)
        node.process(frames(), "in")
        async with watching(node) as answer:
            await picture(answer)
            async with watching(node) as second:
                assert second.status == 503
                assert "1 clients are here already" in await second.text()
            return node.status()["clients_refused"]

    assert asyncio.run(run()) == 1


@contextlib.contextmanager
def fed(node):
    """Feed a node frames without end, at the pace of a camera."""
    stop = threading.Event()

    def feed():
        number = 0
        while not stop.wait(0.01):
            node.process(frames(number := number + 1, 0.25), "in")

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield node.status()["url"]
    finally:
        stop.set()
        feeding.join()


def test_opencv_plays_it(open_node):
    with fed(open_node()) as url:
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
        found, shown = capture.read()
        capture.release()
    assert found
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert abs(float(shown.mean()) - 64) < 3


def test_ffmpeg_plays_it(open_node):
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed: the stream cannot be looked at by FFmpeg")
    look = "ffprobe -v error -count_frames -read_intervals %+#10 -of default=nw=1"
    shown = "stream=codec_name,width,height,nb_read_frames"
    with fed(open_node()) as url:
        command = [*look.split(), "-show_entries", shown, url]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    entries = dict(line.split("=") for line in found.split())
    assert (entries["codec_name"], entries["width"], entries["height"]) == ("mjpeg", str(WIDTH), str(HEIGHT))
    assert int(entries["nb_read_frames"]) >= 10


def test_beyond_this_machine_only_with_a_token_and_then_only_with_the_right_one(open_node, monkeypatch):
    monkeypatch.setenv("STREAM_TOKEN", "open-sesame")
    with pytest.raises(PipelineError, match=r"'0\.0\.0\.0' is reachable from other machines, which needs a token"):
        MJPEG.check(MJPEGOptions(listen="0.0.0.0", port=0))

    async def run():
        node = open_node(token="env:STREAM_TOKEN")
        node.process(frames(), "in")
        url = node.status()["url"]
        assert url.endswith("/stream.mjpg")  # whoever reads the status does not learn the token
        async with watching(node, url) as answer:
            assert answer.status == 403
        async with watching(node, f"{url}?token=open-sesame") as answer:
            return answer.status

    assert asyncio.run(run()) == 200


def test_who_asks_for_the_head_of_a_stream_gets_no_stream(open_node):
    async def run():
        node = open_node()
        node.process(frames(), "in")
        async with aiohttp.ClientSession() as session, session.head(node.status()["url"]) as answer:
            return answer.status

    assert asyncio.run(run()) == 405


def test_every_answer_keeps_other_sites_out(open_node):
    async def run():
        node = open_node()
        node.process(frames(), "in")
        stream = node.status()["url"]
        found = []
        for url in (stream, stream.replace("stream.mjpg", "snapshot.jpg"), stream + "x"):
            async with watching(node, url) as answer:
                found.append((answer.status, answer.headers))
        return found

    found = asyncio.run(run())
    assert [status for status, _ in found] == [200, 200, 404]
    for _, headers in found:
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    assert found[0][1]["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"


def test_without_a_client_nothing_is_encoded(open_node):
    node = open_node()
    for number in range(5):
        node.process(frames(number), "in")
    assert node.status()["pictures_encoded"] == 0
