"""The live page's pictures, as browsers meet them: over a real socket."""

import asyncio
import time

import aiohttp
import cv2
import numpy as np
import pytest

from nodes.messages import Event, Frames, Reading
from nodes.page.board import NoticeBoard
from nodes.web import Web, WebOptions

HEIGHT, WIDTH = 40, 64
DEADLINE_S = 20.0


def frames(level=0.5, *, number=0, raw_level=None, count=1):
    """Evenly grey frames: light from 0 to 1, which `white=1` shows as 0 to 255."""
    pixels = np.full((count, HEIGHT, WIDTH), level, np.float32)
    raw = None if raw_level is None else np.full_like(pixels, raw_level)
    return Frames(
        step=20 * number, count=count, hop=20, rate_hz=20000.0, source_time=time.time(), pixels=pixels, raw=raw
    )


async def until(condition):
    """Wait for a condition of the server's threads."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


def test_shows_both_pictures_of_one_instant_in_one_message_at_their_brightness(open_page, visit):
    node = open_page(white=1.0)

    async def look():
        async with visit(node) as visitor:
            node.process(frames(0.8, number=3, raw_level=0.2), "frames")
            return await visitor.picture()

    header, pictures = asyncio.run(look())
    assert (header["step"], header["seconds"]) == (60, 0.003)
    assert pictures["pixels"].shape == pictures["raw"].shape == (HEIGHT, WIDTH)
    assert np.abs(pictures["pixels"] - 0.8 * 255).max() <= 2
    assert np.abs(pictures["raw"] - 0.2 * 255).max() <= 2


def test_shows_one_picture_where_there_is_no_unmagnified_one(open_page, visit):
    node = open_page(white=1.0)

    async def look():
        async with visit(node) as visitor:
            node.process(frames(), "frames")
            return await visitor.picture()

    assert list(asyncio.run(look())[1]) == ["pixels"]


def test_shows_the_last_frame_of_a_message(open_page, visit):
    node = open_page(white=1.0)
    message = frames(0.1, count=3)
    message.pixels[-1] = 0.9

    async def look():
        async with visit(node) as visitor:
            node.process(message, "frames")
            return await visitor.picture()

    header, pictures = asyncio.run(look())
    assert header["step"] == 40
    assert np.abs(pictures["pixels"] - 0.9 * 255).max() <= 2


def test_brightness_is_held_from_the_first_picture_until_the_level_is_taken_anew(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as visitor:
            means = []
            for level in (0.4, 0.2):
                node.process(frames(level), "frames")
                header, pictures = await visitor.picture()
                means.append(pictures["pixels"].mean())
                await visitor.drawn(header)
            await visitor.say(type="level")  # the stream stands still: the same frame comes in a new light
            means.append((await visitor.picture())[1]["pixels"].mean())
            return means

    bright, dim, anew = asyncio.run(look())
    assert dim == pytest.approx(bright / 2, abs=2)
    assert anew == pytest.approx(bright, abs=2)


def test_sends_the_next_picture_only_when_the_last_is_drawn_and_then_the_newest(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as visitor:
            node.process(frames(number=0), "frames")
            first, _ = await visitor.picture()
            for number in range(1, 51):
                node.process(frames(number=number), "frames")
                await visitor.say(type="ping", sent=1.0)
                await visitor.text("pong", alone=True)
            await visitor.drawn(first)
            return (await visitor.picture())[0]

    second = asyncio.run(look())
    assert second["step"] == 50 * 20
    assert second["skipped"] == 49
    assert node.status()["pictures_encoded"] == 2


def test_a_slow_viewer_gets_fewer_pictures_and_a_quick_one_all_of_them(open_page, visit):
    node = open_page()
    rounds = 30

    async def look():
        async with visit(node) as slow, visit(node) as quick:
            for number in range(rounds):
                node.process(frames(number=number), "frames")
                header, _ = await quick.picture()
                assert header["step"] == 20 * number
                await quick.drawn(header)
            first, _ = await slow.picture()
            await slow.drawn(first)
            return first, (await slow.picture())[0]

    first, second = asyncio.run(look())
    assert first["step"] == 0
    assert (second["step"], second["skipped"]) == (20 * (rounds - 1), rounds - 2)
    assert node.status()["pictures_encoded"] == rounds  # once for both


def test_without_viewers_nothing_is_encoded(open_page, visit, get, address):
    node = open_page()

    async def leave_alone():
        for number in range(20):
            node.process(frames(number=number), "frames")
            await get(address(node) + "status.json")  # the server has had a turn

    async def look():
        async with visit(node) as visitor:
            return await visitor.picture()

    asyncio.run(leave_alone())

    assert node.status()["pictures_encoded"] == 0
    assert asyncio.run(look())[0]["step"] == 19 * 20
    assert node.status()["pictures_encoded"] == 1


def test_reports_the_ages_that_browsers_saw(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as visitor:
            for age in (10.0, 20.0, 30.0, None):
                node.process(frames(), "frames")
                await visitor.drawn((await visitor.picture())[0], age)
            await until(lambda: node.status()["viewers"][0]["pictures_drawn"] == 4)
            return node.status()

    status = asyncio.run(look())
    assert status["age_ms"] == status["viewers"][0]["age_ms"] == {"p50": 20.0, "p99": pytest.approx(29.8), "max": 30.0}
    assert status["viewers"][0]["pictures_sent"] == 4
    asyncio.run(until(lambda: not node.status()["viewers"]))
    assert node.status()["age_ms"]["max"] == 30.0  # still there when the viewer has left


def test_garbage_from_a_viewer_is_counted_and_the_pictures_go_on(open_page, visit):
    node = open_page()
    garbage = ["", "{", "[" * 5000, '{"type":"drawn"}', '{"type":"format disk"}', '{"type":"drawn","picture":"x"}']

    async def look():
        async with visit(node) as visitor:
            for text in garbage:
                await visitor.connection.send_str(text)
            await visitor.connection.send_bytes(b"\xff\x00")
            await visitor.say(type="drawn", picture=99, age_ms=1)  # a picture that was never sent
            node.process(frames(), "frames")
            await visitor.picture()
            return node.status()["viewers"][0]

    viewer = asyncio.run(look())
    assert viewer["messages_unreadable"] == len(garbage) + 1
    assert viewer["pictures_drawn"] == 0


def test_a_viewer_that_sends_too_much_is_sent_away_alone(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as rude, visit(node) as other:
            await rude.connection.send_str("x" * 100_000)
            async for _ in rude.connection:
                pass
            node.process(frames(), "frames")
            await other.picture()
            return rude.connection.close_code

    assert asyncio.run(look()) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


def test_snapshot_is_the_newest_pair_side_by_side(open_page, get, address):
    node = open_page(white=1.0)
    assert asyncio.run(get(address(node) + "snapshot.jpg"))[0] == 503
    node.process(frames(0.8, raw_level=0.2), "frames")
    status, headers, body = asyncio.run(get(address(node) + "snapshot.jpg"))
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert picture.shape == (HEIGHT, 2 * WIDTH)
    assert picture[:, : WIDTH - 8].mean() == pytest.approx(0.2 * 255, abs=2)
    assert picture[:, WIDTH + 8 :].mean() == pytest.approx(0.8 * 255, abs=2)


def test_tells_how_long_the_stream_has_been_silent_and_that_it_has_ended(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as visitor:
            node.process(frames(), "frames")
            before = (await visitor.picture())[0]["silent_s"]
            silent = (await visitor.text("status"))["stream"]["silent_s"]
            node.flush()
            while not (await visitor.text("status"))["stream"]["ended"]:
                pass
            return before, silent

    before, silent = asyncio.run(look())
    assert 0 <= before <= silent


def test_live_options_change_the_pictures_that_follow(open_page, visit):
    node = open_page(white=1.0)
    noise = frames()
    noise.pixels[:] = np.random.default_rng(1).random(noise.pixels.shape, np.float32)

    async def look():
        async with visit(node) as visitor:
            sizes = []
            for quality in (95, 5):
                node.options.quality = quality
                node.reconfigure(frozenset({"quality"}))
                node.process(noise, "frames")
                header, _ = await visitor.picture()
                sizes.append(header["parts"][0][1])
                await visitor.drawn(header)
            return sizes

    fine, coarse = asyncio.run(look())
    assert coarse < fine / 3


def test_asks_for_the_unmagnified_picture():
    assert Web.wants(WebOptions(), frozenset()) == {"raw"}


def reading(name="tine", step=0, topic="region"):
    arrays = {"waveform": np.full((2, 5), step, np.float32), "frequencies_hz": np.arange(3, dtype=np.float32)}
    if topic == "map":
        arrays = {"hz": np.full((2, 3), step, np.float32)}
    return Reading(step=step, rate_hz=20000.0, name=name, topic=topic, values={"roi": [1, 2, 8, 8]}, arrays=arrays)


def event(number, state="raised", name="shaking", region="tine"):
    details = {"state": state, "severity": "alarm", "region": region, "text": f"event {number}"}
    return Event(step=number, rate_hz=20000.0, name=name, details=details)


def test_readings_come_in_one_message_the_newest_of_each_name(open_page, visit):
    node = open_page()

    async def look():
        async with visit(node) as visitor:
            node.process(reading("tine", 20), "readings")
            first = await visitor.readings()
            for step in range(40, 2000, 20):  # while the browser is busy with the first
                node.process(reading("tine", step), "readings")
                node.process(reading("base", step), "readings")
                node.process(reading("map", step, "map"), "readings")
                await visitor.say(type="ping", sent=1.0)
                await visitor.text("pong", alone=True)
            await visitor.say(type="readings_shown")
            return first, await visitor.readings()

    first, second = asyncio.run(look())
    assert [(name, entry["step"]) for name, entry in first.items()] == [("tine", 20)]
    assert {name: (entry["topic"], entry["step"]) for name, entry in second.items()} == {
        "tine": ("region", 1980),
        "base": ("region", 1980),
        "map": ("map", 1980),
    }
    assert second["tine"]["values"] == {"roi": [1, 2, 8, 8]}
    assert second["tine"]["numbers"] == {"waveform": [1980.0] * 10, "frequencies_hz": [0.0, 1.0, 2.0]}


def test_a_browser_that_comes_later_is_told_the_last_200_events_and_what_was_acknowledged(open_page, visit):
    node = open_page(Acknowledging())

    async def look():
        for number in range(1, 211):
            node.process(event(number, region="tine" if number % 2 else "base"), "events")
        async with visit(node) as visitor:
            first = (await visitor.text("events"))["events"]
            command = {"node": "alarm", "name": "acknowledge", "arguments": {"rule": "shaking", "region": "tine"}}
            await visitor.say(type="command", id=1, **command)
            changed = (await visitor.text("events"))["events"]
        async with visit(node) as later:
            return first, changed, (await later.text("events"))["events"]

    first, changed, later = asyncio.run(look())
    assert [entry["number"] for entry in first] == [entry["number"] for entry in later] == list(range(11, 211))
    assert first[-1]["details"]["text"] == "event 210"
    assert not any(entry["acknowledged"] for entry in first)
    assert [entry["number"] for entry in changed] == list(range(11, 211, 2))
    assert [entry["number"] for entry in later if entry["acknowledged"]] == list(range(11, 211, 2))


def test_who_waits_for_what_never_comes_leaves_nothing_behind():
    board = NoticeBoard(8)

    async def leave():
        reading = asyncio.create_task(board.newer_than(0))
        await asyncio.sleep(0)
        assert board._waiting
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(leave())
    assert not board._waiting


class Acknowledging:
    """A pipeline that carries out everything."""

    def request(self, request, **arguments):
        return {"nodes": {}, "links": []} if request == "status" else {"acknowledged": 1}

    def close(self):
        pass
