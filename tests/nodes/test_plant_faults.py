import tempfile
import threading
import time
from types import SimpleNamespace

import msgspec
import pytest

from engine.control import ControlServer
from engine.testing import make_node
from nodes.messages import Event
from nodes.mqtt import MQTT
from nodes.plant.mqtt_link import BrokerLink
from nodes.plant.postman import Letter, Postman
from nodes.webhook import Webhook, WebhookOptions
from spikemm.exceptions import OptionError

NOWHERE = "http://127.0.0.1:9/hook"
EVENT = Event(step=0, rate_hz=20_000.0, name="shaking", details={"severity": "alarm", "region": "fork"}, stream="alarm")


class Broken(RuntimeError):
    """What nobody has foreseen."""


def fail(*_, **__):
    raise Broken


@pytest.mark.parametrize("url", ["http://plant/prüfung", "http://plant/a b", "http://plant:port/", "http://[::1"])
def test_an_address_that_cannot_be_asked_for_is_refused_before_the_start(url):
    with pytest.raises(OptionError, match="url"):
        Webhook.check(WebhookOptions(url=url))


def test_a_token_that_no_header_takes_is_refused_before_the_start(monkeypatch):
    monkeypatch.setenv("TOKEN", "geheim–€")
    with pytest.raises(OptionError, match="ASCII") as refused:
        Webhook.check(WebhookOptions(url=NOWHERE, token="env:TOKEN"))
    assert "geheim" not in str(refused.value)


@pytest.fixture
def postman():
    running = Postman(NOWHERE, capacity=9, timeout_s=1.0, say=lambda text: None)
    yield running
    running.close()


def test_a_letter_that_cannot_be_sent_is_refused_and_the_next_one_tried(postman):
    for text in ("€", "€"):
        postman.post(Letter(b"{}", {"X-Text": text}, time.monotonic() + 60))
    assert postman.drain(10.0)
    assert postman.counts["events_refused"] == 2


def test_a_crash_of_the_postman_comes_out_at_the_node(postman, monkeypatch):
    monkeypatch.setattr(postman, "_try", fail)
    postman.post(Letter(b"{}", {}, time.monotonic() + 60))
    with pytest.raises(Broken):
        postman.drain(10.0)
    with pytest.raises(Broken):
        postman.post(Letter(b"{}", {}, time.monotonic() + 60))


def test_what_the_end_leaves_undelivered_is_counted():
    node = make_node(Webhook, url=NOWHERE, context={"pipeline": "rig"})
    node.process(EVENT, "in")
    node.close()
    assert node.context.counters["events_dropped"] == 1


class Supervisor:
    """The control socket of a run whose nodes have lived before."""

    def __init__(self, counters):
        self.endpoint = f"ipc://{tempfile.mkdtemp()}/run.control"
        self._counters = counters
        self._server = ControlServer(self.endpoint)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        ((identity, asked),) = self._server.receive(10.0)
        nodes = {name: {"counters": self._counters} for name in ("webhook", "mqtt")}
        self._server.answer(identity, asked["id"], result={"nodes": nodes})

    def close(self):
        self._thread.join()
        self._server.close()


def made_after_a_kill(node_type, counters, **options):
    supervisor = Supervisor(counters)
    node = make_node(node_type, context={"incarnation": 1, "control": supervisor.endpoint}, **options)
    supervisor.close()
    node.close()
    return node.context.counters["events_lost"]


def test_a_restart_counts_what_the_life_before_had_not_settled(caplog):
    before = {"events_taken": 9, "events_delivered": 3, "events_dropped": 2, "events_refused": 1, "events_lost": 1}
    assert made_after_a_kill(Webhook, before, url=NOWHERE) == 2
    assert "2 events that were under way in the life before are lost" in caplog.text
    assert made_after_a_kill(MQTT, before, port=9) == 2
    assert made_after_a_kill(MQTT, {"events_taken": 4, "events_delivered": 4}, port=9) == 0


def make_link(address, **options):
    return BrokerLink(address, **({"prefix": "rig", "capacity": 9, "sweep": None, "say": lambda text: None} | options))


@pytest.fixture
def address():
    return msgspec.convert({"port": 9}, MQTT.Options).address()


def test_a_crash_of_the_line_to_the_broker_comes_out_at_the_node(address, monkeypatch):
    monkeypatch.setattr(BrokerLink, "_connect", fail)
    link = make_link(address)
    link._thread.join(10.0)
    with pytest.raises(Broken):
        link.publish("events/shaking", b"{}", retain=False)
    with pytest.raises(Broken):
        link.drain(0.0)
    link.close()


def test_without_a_prefix_topics_begin_with_the_pipeline(monkeypatch):
    connected = threading.Event()
    monkeypatch.setattr(BrokerLink, "_connect", lambda self: connected.set())
    node = make_node(MQTT, context={"pipeline": "press/A"})
    node.process(EVENT, "events")
    assert node._link._prefix == "spikemm/press%2FA"
    node.close()


@pytest.mark.parametrize(
    ("payload", "taken"), [(b'{"pipeline":"A"}', True), (b'{"pipeline":"B"}', False), (b"on", False), (b"[1]", False)]
)
def test_only_the_alarms_of_the_own_pipeline_are_taken_away(address, payload, taken):
    link, cleared = make_link(address, sweep="A"), []
    client = SimpleNamespace(publish=lambda topic, body, **_: cleared.append((topic, body)))
    link._on_message(client, None, SimpleNamespace(retain=True, payload=payload, topic="rig/alarms/shaking/fork"))
    link.close()
    assert cleared == ([("rig/alarms/shaking/fork", b"")] if taken else [])


def test_an_alarm_of_this_run_is_not_taken_away_with_that_of_an_earlier_one(address):
    link, cleared = make_link(address, sweep="A"), []
    link.publish("alarms/shaking/fork", b'{"pipeline":"A"}', retain=True)
    client = SimpleNamespace(publish=lambda topic, *_, **__: cleared.append(topic))
    for region in ("fork", "shaft"):
        topic = f"rig/alarms/shaking/{region}"
        link._on_message(client, None, SimpleNamespace(retain=True, payload=b'{"pipeline":"A"}', topic=topic))
    link.close()
    assert cleared == ["rig/alarms/shaking/shaft"]


def test_what_is_taken_away_is_bounded_however_much_a_broker_sends(address, monkeypatch):
    monkeypatch.setattr("nodes.plant.mqtt_link._MOST_SWEPT", 3)
    link, cleared = make_link(address, sweep="A"), []
    client = SimpleNamespace(publish=lambda topic, *_, **__: cleared.append(topic))
    for number in range(9):
        link._on_message(client, None, SimpleNamespace(retain=True, payload=b'{"pipeline":"A"}', topic=str(number)))
    link.close()
    assert len(cleared) == 3


@pytest.mark.parametrize("prefix", ["", "a/#", "+/a", "a\0", "a\n", "a\tb", "a\x85", "x" * 257])
def test_a_prefix_that_no_broker_takes_is_refused_before_the_start(prefix):
    with pytest.raises(msgspec.ValidationError, match="prefix"):
        msgspec.convert({"prefix": prefix}, MQTT.Options)
