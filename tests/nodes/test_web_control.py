"""The live page's way to the rest of its pipeline."""

import asyncio
import json
import threading

import aiohttp
import msgspec
import numpy as np

from engine.exceptions import ControlError
from nodes.messages import Frames
from nodes.page.status import page_status, without_folders

DEADLINE_S = 20.0


def frames(number):
    return Frames(step=20 * number, hop=20, rate_hz=20000.0, pixels=np.full((1, 40, 64), 0.5, np.float32))


class StandInControl:
    """Answers like the supervisor, and keeps what it was asked."""

    def __init__(self):
        self.asked = []
        self.answer = threading.Event()
        self.answer.set()

    def request(self, request, **arguments):
        self.asked.append((request, arguments))
        if request == "status":
            magnify = {"options": {"alpha": 10, "path": "secret"}, "live_options": ["alpha"], "status": {}}
            web = {"options": {"token": "secret"}, "status": {"url": "http://127.0.0.1/?token=secret"}}
            return {"pipeline": "demo", "nodes": {"magnify": magnify, "web": web}, "links": []}
        assert self.answer.wait(DEADLINE_S)
        if arguments.get("value") == -1:
            raise ControlError("alpha: -1 is below 0")
        return {"paused": True}

    def close(self):
        pass


def test_controls_reach_the_supervisor_and_refusals_come_back(open_page, visit):
    control = StandInControl()
    node = open_page(control)

    async def look():
        async with visit(node) as visitor:
            await visitor.say(type="set", id=1, node="magnify", option="alpha", value=20)
            await visitor.say(type="command", id=2, node="replay", name="seek", arguments={"step": 7})
            await visitor.say(type="set", id=3, node="magnify", option="alpha", value=-1)
            return [await visitor.text("reply") for _ in range(3)]

    answers = {answer["id"]: (answer["error"], answer["value"]) for answer in asyncio.run(look())}
    assert answers == {1: (None, {"paused": True}), 2: (None, {"paused": True}), 3: ("alpha: -1 is below 0", None)}
    assert ("set", {"node": "magnify", "option": "alpha", "value": 20}) in control.asked
    assert ("command", {"node": "replay", "name": "seek", "arguments": {"step": 7}}) in control.asked


def test_a_supervisor_that_is_slow_to_answer_does_not_hold_the_pictures_up(open_page, visit):
    control = StandInControl()
    node = open_page(control)

    async def look():
        async with visit(node) as visitor:
            control.answer.clear()
            for number in range(6):
                await visitor.say(type="set", id=number, node="magnify", option="alpha", value=20)
            refused = [await visitor.text("reply") for _ in range(2)]
            for number in range(5):
                node.process(frames(number), "frames")
                await visitor.drawn((await visitor.picture())[0])
            control.answer.set()
            return refused, [(await visitor.text("reply"))["error"] for _ in range(4)]

    refused, errors = asyncio.run(look())
    assert all("too many commands" in answer["error"] for answer in refused)
    assert errors == [None] * 4


def test_who_leaves_before_the_pipeline_answers_keeps_no_place(open_page, address):
    class Silent(StandInControl):
        def request(self, request, **arguments):
            assert self.answer.wait(DEADLINE_S)
            return super().request(request, **arguments)

    control = Silent()
    control.answer.clear()
    node = open_page(control)

    async def look():
        async with aiohttp.ClientSession() as session, session.ws_connect(address(node) + "ws"):
            await until(lambda: node.status()["viewers"])
        await until(lambda: not node.status()["viewers"])

    try:
        asyncio.run(look())
    finally:
        control.answer.set()


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


def test_what_cannot_be_passed_on_is_refused_or_no_message_and_the_page_goes_on(open_page, visit):
    class Wire(StandInControl):
        def request(self, request, **arguments):
            msgspec.msgpack.encode(arguments)
            return super().request(request, **arguments)

    async def look():
        async with visit(open_page(Wire())) as visitor:
            value = {"type": "set", "node": "magnify", "option": "alpha"}
            await visitor.say(**value, id=1, value=10**30)
            refused = (await visitor.text("reply"))["error"]
            await visitor.connection.send_str(
                json.dumps({**value, "id": 2, "value": "deep"}).replace('"deep"', "[" * 900 + "]" * 900)
            )
            await visitor.say(**value, id=3, value=20)
            return refused, (await visitor.text("reply"))["id"]

    refused, answered = asyncio.run(look())
    assert "set cannot be sent" in refused
    assert answered == 3


def test_status_tells_the_page_live_options_but_no_secrets(open_page, get, address):
    page = address(open_page(StandInControl()))
    _, _, body = asyncio.run(get(page + "status.json"))
    status = json.loads(body)
    assert status["pipeline"]["nodes"]["magnify"]["live"] == {"alpha": 10}
    assert b"secret" not in body


def test_the_page_sees_no_address_and_of_an_absolute_path_only_the_name():
    record = {"session": "/home/op/press/run-7", "latest": "out/run-6", "failure": "disk full: '/home/op/a.dat'"}
    stream = {"url": "http://host:8080/stream.mjpg?token=secret", "pictures_encoded": 3}
    nodes = {"record": {"status": record, "failure": "/home/op/x is gone"}, "mjpeg": {"status": stream}}
    page = page_status({"nodes": nodes, "problems": ["record: /home/op/x is gone"]})
    shown = {"session": "run-7", "latest": "out/run-6", "failure": "disk full: 'a.dat'"}
    assert page["nodes"]["record"]["status"] == shown
    assert page["nodes"]["record"]["failure"] == "x is gone"
    assert page["nodes"]["mjpeg"]["status"] == {"pictures_encoded": 3}
    assert page["problems"] == ["record: x is gone"]


def test_what_is_no_absolute_path_is_shown_as_it_is():
    for value in ("out/b/c.dat", "../b/c.dat", "http://host:80/a/b", "5 mm/s/div", "interval:32", 7, None, [1.5, True]):
        assert without_folders(value) == value


def test_the_answer_to_a_command_names_the_file_without_its_folders(open_page, visit):
    class Saving(StandInControl):
        def request(self, request, **arguments):
            return super().request(request) if request == "status" else {"file": "/home/op/press/moment.dat"}

    async def look():
        async with visit(open_page(Saving())) as visitor:
            await visitor.say(type="command", id=1, node="record", name="save", arguments={})
            return (await visitor.text("reply"))["value"]

    assert asyncio.run(look()) == {"file": "moment.dat"}


def test_without_a_pipeline_the_status_says_so(open_page, get, address):
    _, _, body = asyncio.run(get(address(open_page()) + "status.json"))
    assert json.loads(body)["pipeline"] == {"error": "there is no pipeline to ask"}
