"""RTSP and RTP, as FFmpeg receives and decodes them."""

import re
import shutil
import socket
import struct
import subprocess

import numpy as np
import pytest

from engine.exceptions import PipelineError
from nodes.rtsp import RTSP, RTSPOptions
from nodes.streaming.rtp import Packetizer

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
