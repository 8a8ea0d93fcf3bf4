"""`foxglove`: pictures, readings and events to Foxglove, or to any viewer that speaks its WebSocket protocol."""

import logging
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from engine import Live, Message, Policy, Sink
from engine.envelope import host_array
from engine.exceptions import PipelineError
from nodes.grey_scale import GreyScale, White
from nodes.http.listen import is_loopback, require_free
from nodes.http.options import Port
from nodes.messages import Event, Frames, Reading
from nodes.streaming.foxglove_schemas import READING_SCHEMA, SensorTime, event_log, image, map_image, reading_fields
from nodes.streaming.pace import Pace

if TYPE_CHECKING:
    from foxglove import Channel

__all__ = ["Foxglove"]

_TOPICS_LIMIT = 64
_BACKLOG = 64


class FoxgloveOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `foxglove`."""

    listen: Annotated[
        str, Meta(min_length=1, description="Loopback address to listen on: the protocol knows no secret.")
    ] = "127.0.0.1"
    port: Port = 8765
    raw: Annotated[bool, Meta(description="Show the unmagnified picture too, as the topic /raw.")] = False
    max_fps: Annotated[float, Meta(ge=0.1, le=1000, description="Pictures per second at most."), Live] = 30.0
    white: White = None


class Foxglove(Sink):
    """Serve pictures (`/frames`, `/raw`), readings (`/readings/NAME`, `/map/hz`, `/map/px`) and events (`/events`).

    A topic that nobody has subscribed to costs nothing. Times are the sensor's; see `SensorTime`. The server keeps 64
    messages for a viewer; of one that is slower the oldest go, and Foxglove's library does not tell how many.
    """

    Options = FoxgloveOptions
    accepts: ClassVar[dict[str, type[Message]]] = {"frames": Frames, "readings": Reading, "events": Event}
    optional_ports = frozenset({"frames", "readings", "events"})
    policy: ClassVar[dict[str, Policy]] = {
        "frames": Policy("latest", depth=1),
        "readings": Policy("drop_oldest", depth=256),
        "events": Policy("drop_oldest", depth=256),
    }

    _server: Any = None

    @classmethod
    def check(cls, options: FoxgloveOptions) -> None:
        """Refuse to listen beyond this machine, and on a port that is taken."""
        if not is_loopback(options.listen):
            raise PipelineError(
                f"listen: {options.listen!r} is reachable from other machines, and this protocol cannot ask a viewer "
                "for a secret: listen on 127.0.0.1, and let viewers come in by ssh -L 8765:127.0.0.1:8765 THIS_HOST"
            )
        require_free(options.listen, options.port)

    @classmethod
    def wants(cls, options: FoxgloveOptions, wanted: frozenset[str]) -> frozenset[str]:
        """Ask for the unmagnified picture where it is to be shown."""
        return frozenset({"raw"}) if options.raw else frozenset()

    def setup(self) -> None:
        """Open the server; a topic appears with its first message."""
        import foxglove  # 0.1 s to load: not in the parent, which imports every node's module

        logging.getLogger("foxglove").setLevel(logging.WARNING)  # that it starts and stops is told by the node
        self._context = foxglove.Context()
        self._topics: dict[str, Any] = {}
        self._time = SensorTime()
        self._grey = GreyScale(self.options.white)
        self._pace = Pace()
        self._server = foxglove.start_server(
            name=f"SpikeMM {self.context.pipeline}".strip(),
            host=self.options.listen,
            port=self.options.port,
            context=self._context,
            message_backlog_size=_BACKLOG,
        )
        self._url = f"ws://{self.options.listen}:{self._server.port}"
        self.context.log.info("foxglove: %s", self._url)

    def process(self, message: Frames | Reading | Event, port: str) -> None:
        """Publish a message to those who have subscribed to its topic."""
        match message:
            case Frames():
                self._show(message)
            case Reading():
                self._read(message)
            case Event():
                self._tell(message)

    def status(self) -> dict[str, Any]:
        """Where to connect, what there is to see, what somebody looks at, and what nobody counts."""
        topics = dict(self._topics)
        watched = sorted(name for name, channel in topics.items() if channel.has_sinks())
        kept = f"{_BACKLOG} messages a viewer; what a slower one misses is not counted"
        return {"url": self._url, "topics": sorted(topics), "watched": watched, "kept": kept}

    def close(self) -> None:
        """Send the viewers away."""
        if self._server is not None:
            self._server.stop()

    def _show(self, frames: Frames) -> None:
        """Publish the newest instant of a message, at the pace that was asked for."""
        from foxglove.channels import RawImageChannel

        pictures = {"/raw": frames.raw, "/frames": frames.pixels}  # the level comes from the unmagnified one
        watched = {}
        for topic, pixels in pictures.items():
            channel = None if pixels is None else self._topic(topic, RawImageChannel)
            if channel is not None and channel.has_sinks():
                watched[topic] = channel
        due = bool(watched) and self._pace.due(self.context.clock.now(), self.options.max_fps)
        if watched:
            self.context.count("frames_skipped", frames.count - due)
        if not due:
            return
        moment = self._time.nanoseconds(frames, frames.steps[-1])
        for topic, channel in watched.items():
            grey = self._grey(host_array(pictures[topic][-1]))
            channel.log(image(grey, moment, frames.stream), log_time=moment)

    def _read(self, reading: Reading) -> None:
        moment = self._time.nanoseconds(reading)
        if reading.topic == "map":
            self._map(reading, moment)
            return
        channel = self._topic(f"/readings/{reading.name}", self._json_channel)
        if channel is not None and channel.has_sinks():
            channel.log(msgspec.json.encode(reading_fields(reading, moment)), log_time=moment)

    def _map(self, reading: Reading, moment: int) -> None:
        from foxglove.channels import RawImageChannel

        for name in ("hz", "px"):
            channel = self._topic(f"/map/{name}", RawImageChannel)
            if channel is not None and channel.has_sinks():
                channel.log(map_image(reading.arrays[name], moment, reading.stream), log_time=moment)

    def _tell(self, event: Event) -> None:
        from foxglove.channels import LogChannel

        channel = self._topic("/events", LogChannel)
        if channel is not None:
            moment = self._time.nanoseconds(event)
            channel.log(event_log(event, moment), log_time=moment)

    def _json_channel(self, topic: str, *, context: Any) -> "Channel":
        from foxglove import Channel

        return Channel(topic, schema=READING_SCHEMA, context=context)

    def _topic(self, topic: str, make: Any) -> Any:
        """Return the channel of a topic; None where there are too many names to make another."""
        if topic not in self._topics:
            if len(self._topics) >= _TOPICS_LIMIT:
                self.context.count("messages_without_topic")
                return None
            self._topics[topic] = make(topic, context=self._context)
        return self._topics[topic]
