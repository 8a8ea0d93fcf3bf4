"""Foxglove's viewers, as a client of its WebSocket protocol meets the node: subscribe, then read what comes."""

import asyncio
import contextlib
import json
import struct

import aiohttp
import numpy as np
import pytest

from engine.clocks import WallClock
from engine.exceptions import PipelineError
from engine.testing import make_node
from nodes.foxglove import Foxglove, FoxgloveOptions
from nodes.messages import Event, Frames, Reading
from nodes.streaming.foxglove_schemas import SensorTime, reading_fields

RATE_HZ = 20000.0
START_S = 1_700_000_000.25
DEADLINE_S = 20.0
WARNING, ERROR, INFO = 3, 4, 2  # levels of foxglove.Log


def around(step, **fields):
    return {"step": step, "rate_hz": RATE_HZ, "source_time": START_S, "stream": "magnify", **fields}


def frames(step, level=0.5, *, raw=None, epoch=0):
    pixels = np.full((1, 6, 10), level, np.float32)
    pixels[0, 2, 3] = 1.0
    twin = None if raw is None else np.full_like(pixels, raw)
    return Frames(**around(step, hop=20, epoch=epoch), pixels=pixels, raw=twin)


def region(name="pump", step=4000):
    waveform = np.array([[0.1, -0.25, 0.5], [0.0, 1e-4, -1e-3]], np.float32)
    spectrum = np.array([[0.0, 0.3], [0.0, 0.01]], np.float32)
    values = {
        "seconds": 1.0,
        "fps": 1000.0,
        "method": "frames",
        "waveform_step": [step - 40, 20],
        "x": {"rms_px": 0.2, "peaks": [{"hz": 310.0, "px": 0.3, "snr_db": 40.0, "phase_deg": 12.0}]},
        "y": {"rms_px": 0.0, "peaks": []},
        "orbit": None,
    }
    arrays = {"waveform": waveform, "spectrum": spectrum, "frequencies_hz": np.array([0.0, 310.0], np.float32)}
    return Reading(**around(step), name=name, topic="region", values=values, arrays=arrays)


def protobuf(data):
    """Field number → value of a protocol buffer, for the fields that these schemas use."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            fields[number], at = varint(data, at)
        elif wire == 5:
            fields[number], at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            assert wire == 2
            size, at = varint(data, at)
            fields[number], at = data[at : at + size], at + size
    return fields


def varint(data, at):
    value = shift = 0
    while data[at] & 0x80:
        value, shift, at = value | (data[at] & 0x7F) << shift, shift + 7, at + 1
    return value | data[at] << shift, at + 1


class Viewer:
    """A client of the protocol."""

    def __init__(self, connection):
        self._connection = connection
        self.channels = {}
        self._subscribed = {}

    async def watch(self, node, *topics):
        """Wait until topics are advertised, subscribe to them, and until the server knows."""
        while not set(topics) <= self.channels.keys():
            await self._hear(aiohttp.WSMsgType.TEXT)
        for topic in topics:
            self._subscribed[self.channels[topic]["id"]] = topic
            wish = {"id": self.channels[topic]["id"], "channelId": self.channels[topic]["id"]}
            await self._connection.send_json({"op": "subscribe", "subscriptions": [wish]})
        async with asyncio.timeout(DEADLINE_S):
            while not set(topics) <= set(node.status()["watched"]):
                await asyncio.sleep(0)

    async def receive(self):
        """Return the next message: its topic, nanoseconds and payload."""
        data = await self._hear(aiohttp.WSMsgType.BINARY)
        operation, subscription, nanoseconds = struct.unpack_from("<BIQ", data)
        assert operation == 1
        return self._subscribed[subscription], nanoseconds, data[13:]

    async def _hear(self, wanted):
        while True:
            message = await asyncio.wait_for(self._connection.receive(), DEADLINE_S)
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            if message.type == aiohttp.WSMsgType.TEXT:
                self._note(json.loads(message.data))
            if message.type == wanted:
                return message.data

    def _note(self, text):
        if text["op"] == "advertise":
            self.channels |= {channel["topic"]: channel for channel in text["channels"]}


@contextlib.asynccontextmanager
async def viewing(node):
    url = node.status()["url"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=["foxglove.sdk.v1"]) as connection,
    ):
        yield Viewer(connection)


@pytest.fixture
def open_node():
    opened = []

    def start(**options):
        opened.append(make_node(Foxglove, WallClock(), port=0, white=1.0, max_fps=1000, **options))
        return opened[-1]

    yield start
    for node in opened:
        node.close()


def test_pictures_come_at_their_brightness_and_at_the_sensor_s_time(open_node):
    async def run():
        node = open_node()
        node.process(frames(0), "frames")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/frames")
            assert viewer.channels["/frames"]["schemaName"] == "foxglove.RawImage"
            node.process(frames(1000), "frames")
            topic, first, payload = await viewer.receive()
            await asyncio.sleep(0.002)  # the pace of 1000 pictures a second
            node.process(frames(1020), "frames")
            _, second, _ = await viewer.receive()
        picture = protobuf(payload)
        assert topic == "/frames"
        assert (picture[2], picture[3], picture[4], picture[5]) == (10, 6, b"mono8", 10)
        grey = np.frombuffer(picture[6], np.uint8).reshape(6, 10)
        assert grey[2, 3] == 255
        assert np.all(np.delete(grey.ravel(), 23) == 128)
        assert picture[7] == b"magnify"
        time = protobuf(picture[1])
        assert time[1] * 10**9 + time[2] == first
        assert second - first == 1_000_000  # 20 steps

    asyncio.run(run())


def test_the_unmagnified_picture_is_a_topic_beside(open_node):
    async def run():
        node = open_node(raw=True)
        node.process(frames(0, raw=0.2), "frames")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/frames", "/raw")
            node.process(frames(1000, raw=0.2), "frames")
            levels = {}
            for _ in range(2):
                topic, moment, payload = await viewer.receive()
                levels[topic] = (moment, protobuf(payload)[6][0])
        assert levels["/raw"][1] == 51
        assert levels["/frames"][1] == 128
        assert levels["/raw"][0] == levels["/frames"][0]

    asyncio.run(run())
    assert Foxglove.wants(FoxgloveOptions(raw=True), frozenset()) == {"raw"}
    assert Foxglove.wants(FoxgloveOptions(), frozenset()) == frozenset()


def test_a_reading_can_be_plotted_field_by_field(open_node):
    async def run():
        node = open_node()
        node.process(region(), "readings")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/readings/pump")
            node.process(region(), "readings")
            _, moment, payload = await viewer.receive()
            return viewer.channels["/readings/pump"], moment, json.loads(payload)

    channel, moment, reading = asyncio.run(run())
    assert (channel["encoding"], channel["schemaEncoding"]) == ("json", "jsonschema")
    offered = json.loads(channel["schema"])["properties"]
    assert offered["spectrum"]["properties"].keys() == reading["spectrum"].keys()
    assert offered["x"]["properties"]["peaks"]["items"]["properties"].keys() >= reading["x"]["peaks"][0].keys()
    assert reading["timestamp"]["sec"] * 10**9 + reading["timestamp"]["nsec"] == moment
    assert reading["x"]["peaks"][0]["hz"] == 310.0
    assert reading["spectrum"] == {"hz": [0.0, 310.0], "x_px": [0.0, 0.3], "y_px": [0.0, 0.01]}
    assert reading["waveform"]["x_px"] == [0.1, -0.25, 0.5]
    assert reading["waveform"]["y_px"] == [0.0, 1e-4, -1e-3]
    assert reading["waveform"]["seconds"] == pytest.approx([-0.002, -0.001, 0.0])
    assert "orbit" not in reading


def test_maps_come_as_pictures_of_numbers(open_node):
    hz, px = np.array([[0.0, 310.5], [50.0, 0.0]], np.float32), np.array([[0.0, 0.25], [1.5, 0.0]], np.float32)
    arrays = {"hz": hz, "px": px, "floor_px": np.full((2, 2), 0.01, np.float32)}
    reading = Reading(**around(4000), name="map", topic="map", values={"block_px": 16}, arrays=arrays)

    async def run():
        node = open_node()
        node.process(reading, "readings")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/map/hz", "/map/px")
            node.process(reading, "readings")
            return {topic: protobuf(payload) for topic, _, payload in [await viewer.receive() for _ in range(2)]}

    got = asyncio.run(run())
    assert got["/map/hz"][4] == b"32FC1"
    np.testing.assert_array_equal(np.frombuffer(got["/map/hz"][6], "<f4").reshape(2, 2), hz)
    np.testing.assert_array_equal(np.frombuffer(got["/map/px"][6], "<f4").reshape(2, 2), px)


@pytest.mark.parametrize(
    ("state", "severity", "level"),
    [("raised", "warning", WARNING), ("raised", "alarm", ERROR), ("cleared", "alarm", INFO), ("raised", "mark", INFO)],
)
def test_an_event_is_a_line_of_the_log_at_its_severity(open_node, state, severity, level):
    details = {"state": state, "severity": severity, "text": "pump: 0.4 px at 310 Hz is above 0.3 px"}
    event = Event(**around(4000), name="pump shakes", details=details)

    async def run():
        node = open_node()
        node.process(event, "events")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/events")
            node.process(event, "events")
            return protobuf((await viewer.receive())[2])

    line = asyncio.run(run())
    assert line[2] == level
    assert (line[3].decode(), line[4]) == (details["text"], b"pump shakes")


def test_what_comes_faster_than_asked_for_is_skipped_and_counted(open_node):
    async def run():
        node = open_node()
        node.options.max_fps = 0.1
        node.process(frames(0), "frames")
        async with viewing(node) as viewer:
            await viewer.watch(node, "/frames")
            for step in (20, 40, 60):
                node.process(frames(step), "frames")
        return node.context.counters["frames_skipped"]

    assert asyncio.run(run()) == 2


def test_the_number_of_topics_is_bounded_and_what_has_none_counted(open_node):
    node = open_node()
    for number in range(70):
        node.process(region(f"region {number}"), "readings")
    assert len(node.status()["topics"]) == 64
    assert node.context.counters["messages_without_topic"] == 6


def test_listens_on_loopback_only_and_says_how_to_come_in_from_elsewhere():
    with pytest.raises(PipelineError, match=r"listen: '0\.0\.0\.0' is reachable .*: listen on 127\.0\.0\.1, .* ssh -L"):
        Foxglove.check(FoxgloveOptions(listen="0.0.0.0", port=0))


def test_a_port_that_is_taken_is_told_before_anything_starts(open_node):
    taken = int(open_node().status()["url"].rpartition(":")[2])
    with pytest.raises(PipelineError, match=f"port {taken} on 127.0.0.1 cannot be had"):
        Foxglove.check(FoxgloveOptions(port=taken))


def test_sensor_time_keeps_the_epoch_of_one_source_while_another_one_is_sought_often():
    clock = SensorTime()
    first = clock.nanoseconds(frames(0))
    for epoch in range(1, 20):
        clock.nanoseconds(frames(0, epoch=epoch))
        assert clock.nanoseconds(frames(20 * epoch)) == first + epoch * 10**6
    clock.nanoseconds(frames(0, epoch=2))  # one long forgotten is begun anew


def test_sensor_time_follows_the_steps_and_never_runs_back_at_a_new_epoch():
    clock = SensorTime()
    assert clock.nanoseconds(frames(4000)) == int(START_S * 10**9)
    assert clock.nanoseconds(frames(24000)) == int(START_S * 10**9) + 10**9
    sought = clock.nanoseconds(frames(100, epoch=1))
    assert sought == int(START_S * 10**9) + 10**9
    assert clock.nanoseconds(frames(24020)) == sought + 10**6
    assert clock.nanoseconds(frames(120, epoch=1)) == sought + 10**6


def test_what_tells_no_rate_stands_at_the_latest_time_there_was():
    clock, bare = SensorTime(), Event(step=7, source_time=START_S + 60, name="silence")
    assert clock.nanoseconds(bare) == int((START_S + 60) * 10**9)
    latest = clock.nanoseconds(frames(24000))
    assert clock.nanoseconds(bare) == latest == int(START_S * 10**9)
    assert clock.nanoseconds(frames(24020)) == latest + 10**6


def test_a_reading_without_a_rate_is_told_without_a_waveform():
    reading = region()
    reading.rate_hz = 0.0
    told = reading_fields(reading, 10**9)
    assert "waveform" not in told
    assert told["spectrum"]["hz"] == [0.0, 310.0]
