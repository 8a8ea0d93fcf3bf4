"""What a publisher makes of a server: who asks, refuses, stalls and fails."""

import time

import numpy as np
import pytest

from nodes.streaming.rtsp_login import Credentials, Login


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
    feeder.feed_until(lambda: server.connections == 2 and server.pictures >= 5, np.full((122, 166), 0.5, np.float32))
    assert feeder.node.context.counters["connections_lost"] == 0
    assert "TEARDOWN" in server.requests


def test_what_comes_faster_than_fps_is_skipped_and_counted(open_server, open_feeder):
    feeder = open_feeder(url=open_server().url, fps=5)  # the frames come at 25
    for _ in range(50):
        feeder.feed()
    assert feeder.node.context.counters["frames_skipped"] == 40
