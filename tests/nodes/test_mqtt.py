import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import msgspec
import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from engine.clocks import ManualClock
from engine.testing import make_node
from nodes.messages import Event, Reading
from nodes.mqtt import MQTT, MQTTOptions
from spikemm.exceptions import OptionError

DEADLINE_S = 15.0


def until(holds):
    deadline, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not (found := holds()):
        assert time.monotonic() < deadline, "did not come true"
        pause.wait(0.01)
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Broker:
    """A real mosquitto on a free port, which keeps nothing over a restart."""

    def __init__(self, folder, *lines):
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        # as root it would become somebody who may not read the test's files
        head = [f"user {getpass.getuser()}", f"listener {self.port} 127.0.0.1"]
        self._file.write_text("\n".join([*head, *(lines or ["allow_anonymous true"]), ""]))
        self.start()

    def start(self):
        command = [shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-c", str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens)

    def _listens(self):
        assert self._process.poll() is None, "mosquitto has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send_signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()
        self._process.wait()


class Subscriber:
    """Somebody at the plant who listens to everything."""

    def __init__(self, port, topic="#", **login):
        self.messages = []
        self.subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(**login) if login else None
        self.client.on_message = lambda client, data, message: self.messages.append(message)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(DEADLINE_S)

    def on(self, topic):
        return [message for message in tuple(self.messages) if message.topic == topic]

    def texts(self, topic):
        return [message.payload.decode() for message in self.on(topic)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_subscribe = self.client.on_connect = None  # they hold this object


@pytest.fixture
def broker(tmp_path):
    if shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("no mosquitto is installed: there is no broker to publish to")
    started = []

    def start(*lines):
        started.append(Broker(tmp_path, *lines))
        return started[-1]

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def plant(broker):
    """A broker, and who listens there."""
    running = broker()
    listening = Subscriber(running.port)
    yield running, listening
    listening.close()


@pytest.fixture
def sink():
    made = []

    def make(port, clock=None, **options):
        context = options.pop("context", {"pipeline": "rig"})
        made.append(make_node(MQTT, clock, port=port, prefix="plant/rig", context=context, **options))
        return made[-1]

    yield make
    for node in made:
        node.close()


def event(number=0, *, state="raised", severity="alarm", region="fork"):
    details = {"state": state, "severity": severity, "region": region, "value": 0.6, "text": "fork shakes"}
    return Event(step=number, rate_hz=20_000.0, name="shaking", details=details, stream="alarm", seq=number)


def reading(name="fork", topic="region"):
    values = {"x": {"rms_px": float("nan"), "peaks": [{"hz": 310.0, "px": 0.1}]}}
    arrays = {"waveform": np.zeros((2, 8), np.float32)} if topic == "region" else {}
    return Reading(step=40_000, rate_hz=20_000.0, name=name, topic=topic, values=values, arrays=arrays)


def connected(node):
    return until(lambda: node.status()["connected"])


def test_a_reading_is_published_under_its_region_as_json(plant, sink):
    running, listening = plant
    node = sink(running.port)
    connected(node)
    node.process(reading("shaft/2"), "readings")
    (message,) = until(lambda: listening.on("plant/rig/readings/shaft%2F2"))
    told = json.loads(message.payload)
    assert (told["pipeline"], told["region"], told["sensor_seconds"]) == ("rig", "shaft/2", 2.0)
    assert told["x"] == {"rms_px": None, "peaks": [{"hz": 310.0, "px": 0.1}]}
    assert not message.retain


def test_readings_come_no_faster_than_asked_for(plant, sink):
    clock = ManualClock(100.0)
    node = sink(plant[0].port, clock, readings_per_s=5)
    connected(node)
    for _ in range(100):
        node.process(reading(), "readings")
        node.process(reading(topic="map"), "readings")
        clock.advance(0.02)
    until(lambda: node.status().get("readings_sent") == 10)
    assert not node.status().get("readings_dropped")


def test_an_event_arrives_and_the_last_state_waits_for_who_comes_later(plant, sink):
    running, listening = plant
    node = sink(running.port)
    node.process(event(1), "events")
    node.process(event(2, state="cleared"), "events")
    node.flush()
    events = until(lambda: len(told := listening.on("plant/rig/events/shaking")) == 2 and told)
    assert [json.loads(message.payload)["state"] for message in events] == ["raised", "cleared"]
    assert [message.qos for message in events] == [1, 1]
    later = Subscriber(running.port)
    (state,) = until(lambda: later.on("plant/rig/alarms/shaking/fork"))
    assert state.retain
    assert json.loads(state.payload)["state"] == "cleared"
    assert not later.on("plant/rig/events/shaking")
    later.close()


def test_the_status_is_online_and_offline_when_it_ends(plant, sink):
    running, listening = plant
    node = sink(running.port)
    until(lambda: listening.texts("plant/rig/status") == ["online"])
    node.close()
    until(lambda: listening.texts("plant/rig/status") == ["online", "offline"])


def test_the_broker_says_offline_for_a_sink_that_was_killed(plant, sink):
    running, listening = plant
    node = sink(running.port)
    until(lambda: listening.texts("plant/rig/status") == ["online"])
    node._link._client.socket().shutdown(socket.SHUT_RDWR)
    until(lambda: listening.texts("plant/rig/status")[:2] == ["online", "offline"])
    until(lambda: listening.texts("plant/rig/status")[-1] == "online")


@pytest.fixture
def patient(monkeypatch):
    """A lost connection is tried again only when the test flushes: by then the plant listens again."""
    monkeypatch.setattr("nodes.plant.mqtt_link._FIRST_PAUSE_S", 1000.0)


def steps(messages):
    """Steps of the events that have arrived, each the first time."""
    return list(dict.fromkeys(json.loads(message.payload)["step"] for message in messages))


def test_no_event_is_lost_when_the_broker_is_killed_and_comes_back(plant, sink, patient):
    running, listening = plant
    node = sink(running.port)
    node.process(event(0), "events")
    until(lambda: listening.on("plant/rig/events/shaking"))
    running.send_signal(signal.SIGSTOP)
    for number in range(1, 40):  # some of these are under way when it dies
        node.process(event(number), "events")
    until(lambda: len(node._link._under_way) == 20)
    listening.subscribed.clear()
    running.kill()
    for number in range(40, 60):
        node.process(event(number), "events")
    running.start()
    assert listening.subscribed.wait(DEADLINE_S)
    node.flush()
    until(lambda: steps(listening.on("plant/rig/events/shaking")) == list(range(60)))
    assert node.status()["waiting"] == 0
    assert node.context.counters["events_delivered"] == 2 * 60
    assert "events_dropped" not in node.context.counters


def test_what_comes_before_the_broker_does_arrives_in_order(broker, sink, patient, caplog):
    running = broker()
    running.kill()
    node = sink(running.port)
    for number in range(40):
        node.process(event(number), "events")
    until(lambda: "trying again" in caplog.text)
    running.start()
    listening = Subscriber(running.port)
    node.flush()
    until(lambda: steps(listening.on("plant/rig/events/shaking")) == list(range(40)))
    listening.close()


def test_a_flood_at_a_broker_that_has_stalled_is_bounded_and_counted(plant, sink):
    running, _ = plant
    node = sink(running.port, readings_per_s=1000, clock=None, queue=50, flush_s=0.1)
    connected(node)
    running.send_signal(signal.SIGSTOP)
    for number in range(500):
        node.process(event(number), "events")
        node.process(reading(f"r{number}"), "readings")
    assert node.status()["waiting"] <= 50 + 20
    assert node.context.counters["events_dropped"] >= 2 * 500 - 70
    running.send_signal(signal.SIGCONT)
    assert node._link.drain(DEADLINE_S)
    counts = node.status()
    assert counts["events_delivered"] + counts["events_dropped"] == 1000


def test_alarms_that_an_earlier_run_has_left_are_taken_away(plant, sink):
    running, _ = plant
    first = sink(running.port)
    first.process(event(region="gone"), "events")
    first.flush()
    first.close()
    second = sink(running.port)
    connected(second)

    def left():
        looking = Subscriber(running.port, "plant/rig/alarms/#")
        second.process(event(region="fork"), "events")
        until(lambda: looking.on("plant/rig/alarms/shaking/fork"))
        looking.close()
        return {message.topic for message in looking.messages if message.payload}

    until(lambda: left() == {"plant/rig/alarms/shaking/fork"})


def test_a_restarted_sink_leaves_the_alarms_of_its_run(plant, sink):
    running, _ = plant
    first = sink(running.port)
    first.process(event(region="fork"), "events")
    first.flush()
    first.close()
    again = sink(running.port, context={"incarnation": 1})
    again.process(event(region="shaft"), "events")
    again.flush()
    looking = Subscriber(running.port, "plant/rig/alarms/#")
    until(lambda: len(looking.messages) == 2)
    looking.close()


def test_its_own_alarms_outlive_a_lost_connection(plant, sink):
    running, listening = plant
    node = sink(running.port)
    node.process(event(region="fork"), "events")
    node.flush()
    node._link._client.socket().shutdown(socket.SHUT_RDWR)
    until(lambda: listening.texts("plant/rig/status") == ["online", "offline", "online"])
    node.process(event(1, region="shaft"), "events")
    node.flush()
    until(lambda: len(listening.on("plant/rig/alarms/shaking/shaft")) == 1)
    assert [bool(message.payload) for message in listening.on("plant/rig/alarms/shaking/fork")] == [True]


def test_a_mark_is_an_event_but_no_alarm(plant, sink):
    running, listening = plant
    node = sink(running.port)
    node.process(event(severity="mark"), "events")
    node.process(event(1), "events")
    node.flush()
    until(lambda: listening.on("plant/rig/alarms/shaking/fork"))
    assert len(listening.on("plant/rig/events/shaking")) == 2
    assert len(listening.on("plant/rig/alarms/shaking/fork")) == 1


@pytest.fixture
def guarded(broker, tmp_path):
    """A broker that asks for a name and a password."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "rig", "kept-dark"], check=True, capture_output=True)
    return broker("allow_anonymous false", f"password_file {passwords}")


def test_it_logs_in_with_a_password_that_is_never_shown(guarded, sink, tmp_path):
    (tmp_path / "secret").write_text("kept-dark\n")
    node = sink(guarded.port, username="rig", password=f"file:{tmp_path / 'secret'}")
    node.process(event(), "events")
    node.flush()
    assert node.context.counters["events_delivered"] == 2
    assert "kept-dark" not in str(node.status()) + str(msgspec.to_builtins(node.options))


def test_a_broker_that_refuses_is_told_once(guarded, sink, caplog):
    node = sink(guarded.port, flush_s=0.6)
    node.process(event(), "events")
    node.flush()
    assert not node.status()["connected"]
    assert len([record for record in caplog.records if "refuses" in record.getMessage()]) == 1


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_it_speaks_tls_and_trusts_only_whom_it_is_told_to(broker, sink, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl is installed: there is no certificate to show")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True)
    key.chmod(0o644)
    running = broker("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    trusting = sink(running.port, tls=True, ca=str(certificate))
    trusting.process(event(), "events")
    trusting.flush()
    assert trusting.context.counters["events_delivered"] == 2
    doubting = sink(running.port, tls=True, flush_s=0.3)
    doubting.process(event(), "events")
    doubting.flush()
    assert not doubting.status()["connected"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ca": "nowhere.pem"}, "needs tls"),
        ({"tls": True, "ca": "nowhere.pem"}, "no such file"),
        ({"password": "env:HOME"}, "username"),
        ({"username": "rig", "password": "env:NOT_THERE_AT_ALL"}, "NOT_THERE_AT_ALL"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        MQTT.check(msgspec.convert(options, MQTTOptions))


def test_a_prefix_with_a_wildcard_is_refused():
    with pytest.raises(msgspec.ValidationError, match="prefix"):
        msgspec.convert({"prefix": "plant/#"}, MQTTOptions)
