"""`mqtt`: readings and events to a plant's MQTT broker."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta

from engine import Live, Policy, Sink
from nodes.messages import Event, Reading
from nodes.plant.event_json import event_json, reading_json
from nodes.plant.ledger import Ledger
from nodes.plant.mqtt_link import Address, BrokerLink
from nodes.secret import Secret, read_secret
from spikemm.exceptions import OptionError, SpikeMMError

__all__ = ["MQTT"]


class MQTTOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `mqtt`."""

    broker: Annotated[str, Meta(min_length=1, description="The broker's name or address.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port; null: 1883, with tls 8883.")] | None = None
    prefix: (
        Annotated[
            str,
            Meta(
                pattern=r"^[^+#\x00-\x1f\x7f-\x9f]+\Z",
                max_length=256,
                description="First levels of every topic; null: spikemm/NAME.",
            ),
        ]
        | None
    ) = None
    tls: Annotated[bool, Meta(description="Speak TLS, and check the broker's certificate.")] = False
    ca: Annotated[str | None, Meta(description="File of the certificates trusted; null: the system's.")] = None
    certificate: Annotated[str | None, Meta(description="File of our own certificate, where the broker asks.")] = None
    certificate_key: Annotated[str | None, Meta(description="File of its key.")] = None
    username: Annotated[str | None, Meta(description="Name to log in with.")] = None
    password: Annotated[Secret | None, Meta(description="env:NAME or file:PATH.")] = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600, description="How soon a dead connection is noticed, s.")] = 15
    queue: Annotated[int, Meta(ge=1, le=100_000, description="Events that wait at most; the oldest is dropped.")] = 1000
    readings_per_s: Annotated[
        float, Meta(ge=0, le=1000, description="Readings of a region per second at most; 0: none."), Live
    ] = 5.0
    flush_s: Annotated[float, Meta(ge=0, le=20, description="How long the end of the run waits for the broker, s.")] = (
        5.0
    )

    def address(self) -> Address:
        """Return where the broker is and how to log in; raises OptionError."""
        for option in ("ca", "certificate", "certificate_key"):
            file = getattr(self, option)
            if file is not None and not (self.tls and Path(file).is_file()):
                raise OptionError(f"{option} {file}: {'there is no such file' if self.tls else 'it needs tls: true'}")
        if (self.certificate is None) != (self.certificate_key is None):
            raise OptionError("certificate and certificate_key go together: give both or none")
        if self.password is not None and self.username is None:
            raise OptionError("password without username: give both")
        return Address(
            self.broker,
            self.port or (8883 if self.tls else 1883),
            tls=self.tls,
            files=(self.ca, self.certificate, self.certificate_key),
            username=self.username,
            password=read_secret("password", self.password) if self.password else None,
            keepalive_s=self.keepalive_s,
        )


class MQTT(Sink):
    """Publish readings and events; what the broker does never holds up the stream.

    Without a prefix topics begin with ``spikemm/`` and the pipeline's name, so that two rigs can share a broker.
    ``PREFIX/status``: online or offline, retained, the latter also as last will. ``PREFIX/readings/REGION``: QoS 0.
    ``PREFIX/events/RULE``: QoS 1. ``PREFIX/alarms/RULE/REGION``: the last event of each alarm, QoS 1, retained. Names
    are percent-encoded where a topic cannot hold them.

    An alarm's event is sent twice, once retained, and counted twice. Events wait in memory: those that the broker has
    not acknowledged when the process is killed, or the machine loses its power, are lost; a restart counts them as
    ``events_lost``.
    """

    Options = MQTTOptions
    accepts = {"readings": Reading, "events": Event}  # noqa: RUF012
    optional_ports = frozenset({"readings", "events"})
    policy = {"readings": Policy("drop_oldest", depth=64), "events": Policy("block")}  # noqa: RUF012
    user_errors = (SpikeMMError,)

    _link: BrokerLink | None = None

    @classmethod
    def check(cls, options: MQTTOptions) -> None:
        """Check the files and that the password is there."""
        options.address()

    def setup(self) -> None:
        """Begin to look for the broker."""
        self._link = BrokerLink(
            self.options.address(),
            prefix=self.options.prefix or f"spikemm/{_level(self.context.pipeline)}",
            capacity=self.options.queue,
            sweep=self.context.pipeline if self.context.incarnation == 0 else None,
            say=self.context.log.warning,
        )
        self._ledger = Ledger(self.context, self._link.counts)
        self._next_s: dict[str, float] = {}

    def process(self, message: Reading | Event, port: str) -> None:
        """Publish a message."""
        if isinstance(message, Event):
            self._publish_event(message)
        elif message.topic == "region" and self._is_due(message.name):
            self._running().offer(f"readings/{_level(message.name)}", reading_json(message, self.context.pipeline))
        self._ledger.update()

    def flush(self) -> None:
        """Wait until the broker has every event, `flush_s` at most."""
        self._running().drain(self.options.flush_s)
        self._ledger.update()

    def status(self) -> dict[str, Any]:
        """Return whether the broker is there, and what became of the messages."""
        link = self._running()
        self._ledger.update()
        return {"connected": link.connected, "waiting": link.waiting, **link.counts}

    def close(self) -> None:
        """Say offline, and part."""
        if self._link is not None:
            self._link.close()
            self._ledger.update()

    def _publish_event(self, event: Event) -> None:
        body, rule = event_json(event, self.context.pipeline), _level(event.name)
        self._running().publish(f"events/{rule}", body, retain=False)
        if event.details.get("severity") != "mark":
            region = _level(str(event.details.get("region", "")))
            self._running().publish(f"alarms/{rule}/{region}", body, retain=True)

    def _is_due(self, region: str) -> bool:
        """Tell whether a region's next reading may go; a little early counts, or every second one would miss it."""
        if self.options.readings_per_s == 0:
            return False
        now_s, pause_s = self.context.clock.now(), 1 / self.options.readings_per_s
        due_s = self._next_s.get(region, now_s)
        if now_s < due_s - 0.1 * pause_s:
            return False
        if len(self._next_s) > 1000:  # regions come and go; those that still come are back at once
            self._next_s.clear()
        self._next_s[region] = max(due_s, now_s - pause_s) + pause_s
        return True

    def _running(self) -> BrokerLink:
        assert self._link is not None, "setup comes first"
        return self._link


def _level(name: str) -> str:
    """Return a name as one level of a topic."""
    return quote(name, safe=" *!()[]{}=,;:@&~'") or "-"
