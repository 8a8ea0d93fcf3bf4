"""Who may see the live page, and where it listens."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from engine.clocks import WallClock
from engine.exceptions import PipelineError
from engine.testing import make_node
from nodes import web
from nodes.http import server
from nodes.web import Web, WebOptions
from spikemm.exceptions import OptionError

HEIGHT, WIDTH = 40, 64
DEADLINE_S = 20.0


def test_serves_the_page_and_its_files_and_nothing_else(open_page, get, address):
    page = address(open_page())
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
    files = {file.name: kinds[file.suffix] for file in (Path(web.__file__).parent / "web").iterdir()}
    for path, kind in ({"": "text/html"} | files).items():
        status, headers, body = asyncio.run(get(page + path))
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert b"http://" not in body
        assert b"https://" not in body
    for path in ("..%2f..%2fweb.py", "%2e%2e/web.py", "web.py"):
        assert asyncio.run(get(page + path))[0] == 404


def test_another_site_may_not_open_the_stream(open_page, visit, address):
    node = open_page()

    async def look(origin):
        async with visit(node, origin=origin):
            return True

    assert asyncio.run(look(address(node).rstrip("/")))
    for origin in ("http://evil.example", "http://127.0.0.1:1", "null"):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            asyncio.run(look(origin))


def test_a_foreign_name_that_points_at_this_machine_is_refused(open_page, get, address):
    page = address(open_page())
    for path in ("", "status.json", "snapshot.jpg", "ws"):
        assert asyncio.run(get(page + path, headers={"Host": "evil.example:8787"}))[0] == 403
    assert asyncio.run(get(page, headers={"Host": "localhost:9000"}))[0] == 200  # a tunnel from another machine


async def answer_to(page, *lines):
    """Send a bare request; return the first line of the answer."""
    port = int(page.split(":")[2].strip("/"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\r\n".join((b"GET / HTTP/1.0", *lines, b"", b"")))
    try:
        return (await asyncio.wait_for(reader.readline(), DEADLINE_S)).decode().strip()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 403),  # who calls us nothing at all
        ([b"Host: "], 403),
        ([b"Host: [::1"], 400),
        ([b"Host: 127.0.0.1:port"], 400),
        ([b"Host: 127.0.0.1:99999"], 400),
        ([b"Host: localhost.evil.example"], 403),
        ([b"Host: 127.0.0.1", b"Cookie: spikemm_80=\xff"], 403),
        ([b"Host: 127.0.0.1", b"Authorization: Bearer \xff\xfe"], 403),
        ([b"Host: 127.0.0.1", b"Authorization: Bearer open-sesame"], 200),
    ],
)
def test_what_makes_no_sense_is_refused_without_a_fault_of_ours(open_page, address, monkeypatch, caplog, lines, status):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    page = address(open_page(token="env:PAGE_TOKEN"))
    assert asyncio.run(answer_to(page, *lines)).split()[1] == str(status)
    assert not caplog.records


@pytest.mark.parametrize(
    "line", [b"X: " + b"a" * 10_000, b"no header", b"Content-Length: -1", b"A: b\r\n" * 999 + b"A: b"]
)
def test_a_malformed_request_is_no_problem_of_the_run(open_page, address, caplog, line):
    page = address(open_page())
    assert asyncio.run(answer_to(page, b"Host: 127.0.0.1", line)).split()[1] == "400"
    assert not caplog.records


@pytest.mark.parametrize("origin", ["http://[", "", "http://127.0.0.1:80@evil.example"])
def test_an_origin_that_makes_no_sense_is_refused(open_page, get, address, caplog, origin):
    page = address(open_page())
    assert asyncio.run(get(page + "ws", headers={"Origin": origin}))[0] == 403
    assert not caplog.records


def test_who_connects_and_says_nothing_is_sent_away(open_page, address, monkeypatch):
    monkeypatch.setattr(server, "_SILENCE_S", 0.05)
    page = address(open_page())

    async def wait(said):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(page.split(":")[2].strip("/")))
        writer.write(said)
        try:
            return await asyncio.wait_for(reader.read(), DEADLINE_S)
        finally:
            writer.close()
            await writer.wait_closed()

    assert asyncio.run(wait(b"")) == b""
    assert asyncio.run(wait(b"GET / HTTP/1.1\r\nHost: 127")) == b""


def test_the_token_is_told_to_whoever_started_the_run_and_in_no_status(open_page, address, monkeypatch, caplog):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    caplog.set_level("INFO")
    node = open_page(token="env:PAGE_TOKEN")
    assert f"page: {address(node)}?token=open-sesame" in caplog.text
    assert "open-sesame" not in str((node.status(), node.options))


@pytest.mark.parametrize(
    ("secret", "told"), [("two words", "letters, digits"), ("x" * 129, "128 letters"), ("", "holds no secret")]
)
def test_a_token_that_no_address_takes_is_refused_and_not_repeated(monkeypatch, secret, told):
    monkeypatch.setenv("PAGE_TOKEN", secret)
    with pytest.raises(OptionError, match=told) as refused:
        Web.check(WebOptions(port=0, token="env:PAGE_TOKEN"))
    assert not secret or secret not in str(refused.value)


def test_a_token_is_asked_for_and_then_remembered(open_page, get, address, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    node = open_page(token="env:PAGE_TOKEN")

    async def look():
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            page, answers = address(node), []
            for path in ("", "?token=wrong", "app.js", "ws", "?token=open-sesame", "app.js", "status.json"):
                async with session.get(page + path) as answer:
                    answers.append(answer.status)
            async with session.ws_connect(page + "ws") as connection:
                assert (await connection.receive_json())["type"] == "status"
            return answers

    assert asyncio.run(look()) == [403, 403, 403, 403, 200, 200, 200]


def test_listening_beyond_this_machine_needs_a_token(monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    with pytest.raises(PipelineError, match=r"listen: '0\.0\.0\.0' .* set token"):
        Web.check(WebOptions(listen="0.0.0.0", port=0))
    Web.check(WebOptions(listen="0.0.0.0", port=0, token="env:PAGE_TOKEN"))


def test_a_busy_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PipelineError, match=f"port {port} on 127.0.0.1 cannot be had .* choose another port"):
            Web.check(WebOptions(port=port))
    Web.check(WebOptions(port=port))


def test_an_address_that_is_not_ours_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "open-sesame")
    with pytest.raises(PipelineError, match=r"no-such-host\.invalid.* try 127\.0\.0\.1"):
        Web.check(WebOptions(listen="no-such-host.invalid", port=0, token="env:PAGE_TOKEN"))


def test_a_restarted_node_takes_the_same_port_while_old_connections_linger(visit, get, address):
    first = make_node(Web, WallClock(), port=0)
    port = int(address(first).split(":")[2].strip("/"))

    async def look():
        async with visit(first):
            await asyncio.to_thread(first.close)  # the server hangs up first: its side of the connection lingers

    asyncio.run(look())
    second = make_node(Web, WallClock(), port=port, context={"incarnation": 1})
    try:
        assert asyncio.run(get(address(second)))[0] == 200
    finally:
        second.close()
