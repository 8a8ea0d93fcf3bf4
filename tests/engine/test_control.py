"""The control socket from both sides, without a pipeline."""

import threading

import msgspec
import pytest
import zmq

from engine.control import ControlClient, ControlServer
from engine.control_link import ControlLink
from engine.exceptions import ControlError, LinkError


@pytest.fixture
def server(tmp_path):
    server = ControlServer(f"ipc://{tmp_path}/control")
    yield server
    server.close()


@pytest.fixture
def client(server, tmp_path):
    with ControlClient(f"ipc://{tmp_path}/control", timeout_s=5.0) as client:
        yield client


def answering(server, answers):
    """Answer one request after another in a thread."""

    def work():
        for answer in answers:
            ((client, message),) = _first(server)
            answer(client, message)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def _first(server):
    while not (messages := server.receive(0.1)):
        continue
    return messages


def test_a_request_gets_its_result(server, client):
    thread = answering(
        server, [lambda who, asked: server.answer(who, asked["id"], result=[asked["request"], asked["n"]])]
    )
    assert client.request("double", n=4) == ["double", 4]
    thread.join()


def test_a_refusal_is_an_error(server, client):
    thread = answering(server, [lambda who, asked: server.answer(who, asked["id"], error="not today")])
    with pytest.raises(ControlError, match="not today"):
        client.request("dance")
    thread.join()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(server, client):
    late = []
    client._timeout_s = 0.05
    with pytest.raises(ControlError, match=r"no answer to 'first' within 0\.05 s; is the pipeline still running\?"):
        client.request("first")
    late.extend(_first(server))
    client._timeout_s = 5.0

    def both(who, asked):
        server.answer(late[0][0], late[0][1]["id"], result="late")
        server.answer(who, asked["id"], result="in time")

    thread = answering(server, [both])
    assert client.request("second") == "in time"
    thread.join()


@pytest.mark.parametrize("packed", [b"", b"\xc1", b"\x01", b"\x90", b"\x81\xa1\xff\x01", b"\x91" * 2000])
def test_what_is_no_message_is_passed_over(server, client, packed):
    client._socket.send(packed)
    client._socket.send(msgspec.msgpack.encode({"request": "status"}))
    assert [message for _, message in _first(server) + server.receive(0.0)] == [{"request": "status"}]


def test_answering_somebody_who_has_gone_is_no_error(server):
    server.answer(b"nobody", 1, result="anything")


def test_a_socket_that_cannot_be_had_is_said_to_be(tmp_path):
    with pytest.raises(LinkError, match=r"control socket ipc://.*: "):
        ControlServer(f"ipc://{tmp_path}/no/folder")
    with pytest.raises(LinkError, match="File name too long"):
        ControlServer(f"ipc://{tmp_path}/{'x' * 200}")


def test_one_client_is_used_up_and_the_next_is_served(server, tmp_path):
    for number in range(3):
        with ControlClient(f"ipc://{tmp_path}/control") as client:
            thread = answering(server, [lambda who, asked: server.answer(who, asked["id"], result=asked["n"])])
            assert client.request("echo", n=number) == number
            thread.join()


def test_a_supervisor_that_does_not_listen_holds_up_no_child(tmp_path):
    with zmq.Context() as context, context.socket(zmq.DEALER) as line, context.socket(zmq.ROUTER) as supervisor:
        line.linger = supervisor.linger = 0
        line.sndhwm = 2
        line.connect(f"ipc://{tmp_path}/late")
        link = ControlLink(line, lock=threading.Condition(), wake=lambda: None, process="sink", incarnation=0)
        for number in range(20):
            link.send("report", number=number)
        link.pump()  # in the thread that serves the links as well
        supervisor.bind(f"ipc://{tmp_path}/late")
        told = []
        while len(told) < 20:
            link.pump()
            while supervisor.poll(10):
                told.append(msgspec.msgpack.decode(supervisor.recv_multipart()[1])["number"])
        assert told == list(range(20))
