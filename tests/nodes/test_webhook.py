import asyncio
import hashlib
import hmac
import json
import socket
import threading

import msgspec
import pytest
from aiohttp import web

from engine.testing import make_node
from nodes.messages import Event
from nodes.webhook import Webhook, WebhookOptions
from spikemm.exceptions import OptionError

DEADLINE_S = 10.0


class Receiver:
    """A real HTTP server that answers as told, in turn, then with 200."""

    def __init__(self):
        self.answers, self.posts = [], []
        self.held = threading.Event()
        self.held.set()
        self.came = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._run(self._start())

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    async def _start(self):
        application = web.Application()
        application.router.add_post("/hook", self._take)
        application.router.add_get("/elsewhere", self._take)  # a redirected POST would come as a GET without a body
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    async def _take(self, request):
        body = await request.read()
        await asyncio.to_thread(self.held.wait, DEADLINE_S)
        answer = self.answers.pop(0) if self.answers else 200
        with self.came:
            self.posts.append((answer, request.headers, body))
            self.came.notify_all()
        headers = {"Location": "/elsewhere"} if 300 <= answer < 400 else {}
        return web.Response(status=answer, headers=headers)

    def accepted(self):
        return [json.loads(body) for answer, _, body in self.posts if answer == 200]

    def close(self):
        self.held.set()
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def webhook(receiver):
    made = []

    def make(**options):
        url = options.pop("url", f"http://127.0.0.1:{receiver.port}/hook")
        made.append(make_node(Webhook, url=url, context={"pipeline": "rig"}, **options))
        return made[-1]

    yield make
    for node in made:
        node.close()


def event(number=0):
    details = {"state": "raised", "severity": "alarm", "region": "fork", "value": 0.6, "text": "fork: shaking alarm"}
    return Event(
        step=20_000 + number,
        rate_hz=20_000.0,
        name="shaking",
        details=details,
        stream="alarm",
        seq=number,
        source_time=5.0,
    )


def test_an_event_is_posted_as_flat_json(webhook, receiver):
    node = webhook()
    node.process(event(), "in")
    node.flush()
    ((_, headers, body),) = receiver.posts
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "pipeline": "rig", "rule": "shaking", "id": "alarm-5.000000-0", "step": 20_000, "sensor_seconds": 1.0,
        "time": "1970-01-01T00:00:05.000+00:00", "state": "raised", "severity": "alarm", "region": "fork", "value": 0.6,
        "text": "fork: shaking alarm",
    }  # fmt: skip


def test_a_server_that_fails_twice_gets_every_event_in_order(webhook, receiver):
    receiver.answers = [503, 429]
    node = webhook()
    for number in range(3):
        node.process(event(number), "in")
    node.flush()
    assert [posted["step"] for posted in receiver.accepted()] == [20_000, 20_001, 20_002]
    assert [answer for answer, _, _ in receiver.posts] == [503, 429, 200, 200, 200]
    assert node.context.counters == {"events_taken": 3, "events_delivered": 3, "events_retries": 2}


@pytest.mark.parametrize("answer", [400, 404, 302])
def test_what_the_server_will_not_have_is_not_repeated_and_is_counted(webhook, receiver, answer):
    receiver.answers = [answer]
    node = webhook()
    node.process(event(), "in")
    node.process(event(1), "in")
    node.flush()
    assert [answer for answer, _, _ in receiver.posts] == [answer, 200]
    assert node.context.counters == {"events_taken": 2, "events_refused": 1, "events_delivered": 1}


def test_a_flood_keeps_the_newest_and_counts_the_rest(webhook, receiver, caplog):
    receiver.held.clear()
    node = webhook(queue=10)
    for number in range(100):
        node.process(event(number), "in")
    assert node.status()["waiting"] == 10
    receiver.held.set()
    node.flush()
    assert [posted["step"] - 20_000 for posted in receiver.accepted()][-10:] == list(range(90, 100))
    assert node.context.counters["events_dropped"] == 90
    assert len(caplog.records) == 7  # the 1st, 2nd, 4th … 64th


def test_the_end_of_the_run_does_not_wait_for_the_next_try(webhook, receiver, monkeypatch):
    monkeypatch.setattr("nodes.plant.postman._FIRST_PAUSE_S", 1000.0)
    receiver.answers = [500]
    node = webhook(flush_s=DEADLINE_S)
    node.process(event(), "in")
    with receiver.came:
        assert receiver.came.wait_for(lambda: receiver.posts, DEADLINE_S)
    node.flush()
    assert len(receiver.accepted()) == 1


def test_nobody_at_the_address_costs_the_end_of_the_run_no_more_than_stated(webhook, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    node = webhook(url=f"http://127.0.0.1:{port}/", flush_s=0.1)
    node.process(event(), "in")
    node.flush()
    assert node.context.counters["events_dropped"] == 1
    assert "delivery fails" in caplog.text
    assert "1 events were never delivered" in caplog.text


def test_events_too_old_to_matter_are_counted_and_not_tried(webhook, receiver):
    node = webhook(give_up_s=1e-9)
    node.process(event(), "in")
    node.process(event(1), "in")
    node.flush()
    assert node.context.counters["events_expired"] == 2
    assert not receiver.posts


def test_secrets_sign_and_authorise_but_are_never_shown(webhook, receiver, tmp_path, monkeypatch):
    (tmp_path / "key").write_text("kept-dark\n")
    monkeypatch.setenv("HOOK_TOKEN", "open-sesame")
    node = webhook(token="env:HOOK_TOKEN", signing_key=f"file:{tmp_path / 'key'}")
    node.process(event(), "in")
    node.flush()
    ((_, headers, body),) = receiver.posts
    assert headers["Authorization"] == "Bearer open-sesame"
    assert headers["X-SpikeMM-Signature"] == "sha256=" + hmac.new(b"kept-dark", body, hashlib.sha256).hexdigest()
    shown = str(node.status()) + str(msgspec.to_builtins(node.options))
    assert "kept-dark" not in shown
    assert "open-sesame" not in shown


def test_an_address_may_be_a_secret_itself(webhook, receiver, monkeypatch):
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{receiver.port}/hook?key=kept-dark")
    node = webhook(url="env:HOOK")
    node.process(event(), "in")
    node.flush()
    assert len(receiver.accepted()) == 1
    assert "kept-dark" not in str(node.status())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "ftp://host/"}, "no http"),
        ({"url": "http://me:kept-dark@host/"}, r"http://…@host"),
        ({"url": "http://host/", "token": "env:NOT_THERE_AT_ALL"}, "NOT_THERE_AT_ALL; export it"),
        ({"url": "http://host/", "signing_key": "file:/nowhere/key"}, "/nowhere/key cannot be read"),
    ],
)
def test_an_address_or_secret_that_cannot_be_is_told_before_anything_starts(options, complaint):
    with pytest.raises(OptionError, match=complaint) as refused:
        Webhook.check(msgspec.convert(options, WebhookOptions))
    assert "kept-dark" not in str(refused.value)


def test_a_secret_itself_is_not_taken_for_its_place():
    with pytest.raises(msgspec.ValidationError, match="token"):
        msgspec.convert({"url": "http://host/", "token": "open-sesame"}, WebhookOptions)
