"""The line to an MQTT broker: reconnects by itself, keeps events until the broker has them, and is bounded."""

import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from spikemm.exceptions import OptionError

__all__ = ["Address", "BrokerLink"]

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0
_URGENT_PAUSE_S = 0.25
_TURN_S = 0.05
_UNDER_WAY = 20
_MOST_READINGS = 64
_MOST_SWEPT = 10_000
_ONLINE, _OFFLINE = "online", "offline"
_GOODBYE_S = 1.0


class Address(NamedTuple):
    """Where a broker is and how to log in.

    Attributes
    ----------
    files : tuple
        Of TLS: the certificates trusted, our own certificate, its key; None where there is none.
    """

    host: str
    port: int
    tls: bool
    files: tuple[str | None, str | None, str | None]
    username: str | None
    password: str | None
    keepalive_s: int


class _Letter(NamedTuple):
    topic: str
    body: bytes
    retain: bool


class BrokerLink:
    """Publishes under one prefix, from a thread of its own, in which alone the client is used.

    Parameters
    ----------
    address : Address
        The broker.
    prefix : str
        First levels of every topic.
    capacity : int
        Events that wait at most; the oldest goes.
    sweep : str or None
        Take away the retained alarms of earlier runs of this pipeline, which nobody watches any more.
    say : callable
        Takes a line for the log.

    Attributes
    ----------
    connected : bool
        Whether the broker is there.
    counts : Counter
        ``events_taken``; of these ``events_delivered`` (acknowledged) and ``events_dropped``; ``readings_sent``,
        ``readings_dropped``, ``connects``.
    """

    def __init__(
        self, address: Address, *, prefix: str, capacity: int, sweep: str | None, say: Callable[[str], None]
    ) -> None:
        self._address, self._prefix, self._capacity = address, prefix, capacity
        self._sweep, self._swept, self._say = sweep, False, say
        self.connected = False
        self.counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._waiting: deque[_Letter] = deque()
        self._under_way: dict[int, _Letter] = {}
        self._readings: deque[_Letter] = deque()
        self._own: set[str] = set()  # topics that this run has left something on
        self._sweepable = _MOST_SWEPT
        self._urgent = self._closing = self._failing = False
        self._crash: Exception | None = None
        self._client = self._make_client(address)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Events that the broker has not acknowledged."""
        return len(self._waiting) + len(self._under_way)

    def publish(self, topic: str, body: bytes, *, retain: bool) -> None:
        """Hand over an event; never waits. Raises what has ended the thread."""
        with self._changed:
            self._raise_crash()
            self.counts["events_taken"] += 1
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self._lose("events_dropped", 1)
            letter = _Letter(f"{self._prefix}/{topic}", body, retain)
            self._waiting.append(letter)
            if retain and self._sweep is not None:
                self._own.add(letter.topic)

    def offer(self, topic: str, body: bytes) -> None:
        """Hand over a reading; the oldest goes where the broker is away, or takes them more slowly than they come."""
        with self._changed:
            self._raise_crash()
            if len(self._readings) >= _MOST_READINGS:
                self._readings.popleft()
                self.counts["readings_dropped"] += 1
            self._readings.append(_Letter(f"{self._prefix}/{topic}", body, retain=False))

    def drain(self, seconds: float) -> bool:
        """Try again at once, and wait until the broker has every event, at most so long; return whether it has."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self.waiting or self._crash is not None, seconds)
            self._raise_crash()
            return not self.waiting

    def close(self) -> None:
        """Say offline, part, and count what was never delivered."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(2 * _GOODBYE_S)
        with self._changed:
            if self.waiting:
                self._lose("events_dropped", self.waiting)
            self._waiting.clear()
            self._under_way.clear()

    def _make_client(self, address: Address) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(_UNDER_WAY + 2)
        client.username_pw_set(address.username, address.password)
        client.will_set(f"{self._prefix}/status", _OFFLINE, qos=1, retain=True)
        if address.tls:
            try:
                client.tls_set(*address.files)
            except (ssl.SSLError, OSError) as error:
                raise OptionError(f"tls: the certificates cannot be used ({error}); check ca and certificate") from None
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        return client

    def _raise_crash(self) -> None:
        if self._crash is not None:
            raise self._crash

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # it comes out where the node is, instead of ending a thread unseen
            with self._changed:
                self._crash, self.connected = error, False
                self._changed.notify_all()

    def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing:
            self._connect()
            while not self._closing and self._client.loop(_TURN_S) == mqtt.MQTT_ERR_SUCCESS:
                pause_s = _FIRST_PAUSE_S if self.connected else pause_s
                self._send()
            if not self._closing:
                self._part()
                pause_s = self._rest(pause_s)
        self._say_goodbye()
        # the client and this object would hold each other, and the sockets with them
        self._client.on_connect = self._client.on_disconnect = None
        self._client.on_publish = self._client.on_message = None

    def _connect(self) -> None:
        host, port, keepalive_s = self._address.host, self._address.port, self._address.keepalive_s
        try:
            self._client.connect(host, port, keepalive_s)
        except (OSError, ValueError) as error:
            self._fail(str(error) or type(error).__name__)

    def _part(self) -> None:
        with self._changed:
            self.connected = False

    def _rest(self, seconds: float) -> float:
        """Wait before the next try; return how long to wait before the one after it."""
        with self._changed:
            calm = not self._urgent
            pause_s = seconds if calm else _URGENT_PAUSE_S
            self._changed.wait_for(lambda: self._closing or (calm and self._urgent), pause_s)
            return _FIRST_PAUSE_S if self._urgent else min(2 * seconds, _LONGEST_PAUSE_S)

    def _send(self) -> None:
        """Pass on what waits as fast as it goes out; of the events, as many as may lack an acknowledgement."""
        while self.connected and not self._client.want_write():
            with self._changed:
                letter = self._waiting.popleft() if self._waiting and len(self._under_way) < _UNDER_WAY else None
                reading = self._readings.popleft() if letter is None and self._readings else None
                if letter is not None:
                    sent = self._client.publish(letter.topic, letter.body, qos=1, retain=letter.retain)
                    self._under_way[sent.mid] = letter
                elif reading is not None:
                    self._client.publish(reading.topic, reading.body, qos=0)
                    self.counts["readings_sent"] += 1
                else:
                    return

    def _say_goodbye(self) -> None:
        """Publish that nobody watches any more, and part; the broker's will is for ends that are none."""
        if self.connected:
            farewell = self._client.publish(f"{self._prefix}/status", _OFFLINE, qos=1, retain=True)
            deadline = time.monotonic() + _GOODBYE_S
            while not farewell.is_published() and time.monotonic() < deadline:
                if self._client.loop(_TURN_S) != mqtt.MQTT_ERR_SUCCESS:
                    return
        self._client.disconnect()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._fail(f"it refuses: {reason}")
            return
        client.publish(f"{self._prefix}/status", _ONLINE, qos=1, retain=True)
        if self._sweep is not None and not self._swept:
            client.subscribe(f"{self._prefix}/alarms/+/+", qos=0)
            self._swept = True
        self.connected, self._failing = True, False
        self.counts["connects"] += 1

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._fail(f"the connection is lost ({reason})")

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self._changed:
            if self._under_way.pop(mid, None) is not None:
                self.counts["events_delivered"] += 1
                self._changed.notify_all()

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        """Take away what an earlier run of ours has left; not where this one has left, or will leave, its own."""
        with self._changed:
            own = message.topic in self._own
        stale = message.retain and message.payload and _pipeline_of(message.payload) == self._sweep
        if stale and not own and self._sweepable > 0:
            self._sweepable -= 1
            client.publish(message.topic, b"", qos=1, retain=True)

    def _fail(self, reason: str) -> None:
        """Say so once, until the broker is back."""
        if not self._failing and not self._closing:
            self._say(f"broker {self._address.host}:{self._address.port}: {reason}; trying again")
        self._failing = True

    def _lose(self, what: str, number: int) -> None:
        """Count what is lost; say so of the 1st, 2nd, 4th, 8th …: a flood must not fill the log."""
        before = self.counts[what]
        self.counts[what] += number
        if before.bit_length() != self.counts[what].bit_length():
            self._say(f"{self.counts[what]} {what.replace('_', ' ')}")


def _pipeline_of(payload: bytes | bytearray) -> object:
    """Return which pipeline has sent an event; None where it is none."""
    try:
        event = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event.get("pipeline") if isinstance(event, dict) else None
