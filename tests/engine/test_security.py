"""Who holds the key pair may join; nobody else gets as much as a byte."""

import stat

import pytest
import zmq
import zmq.auth

from engine.exceptions import LinkError
from engine.hub import Hub
from engine.inlet import Inbox, Inlet
from engine.outlet import Outlet
from engine.security import Keys, make_keys


@pytest.fixture
def server(ends, tmp_path):
    """Give a producer that listens over TCP with a key of its own."""
    make_keys(tmp_path / "keys")
    hub = Hub(Keys(tmp_path / "keys"))
    ends.outlet = Outlet("source", [ends.edge()], live=False, lock=hub.lock, wake=hub.wake)
    hub.outlets.append(ends.outlet)
    hub.open({"source": "tcp://127.0.0.1:*"}, {})
    ends.endpoint = ends.outlet.socket.last_endpoint.decode()
    hub.start()
    ends.put(7)
    yield ends
    hub.close()


def joined(ends, keys):
    inbox = Inbox(ends.lock)
    inlet = Inlet(ends.edge(), inbox, lock=ends.lock, wake=lambda: None)
    inlet.connect(ends.context, ends.endpoint, keys)
    inlet.open()
    inlet.grant()
    return inlet, inbox


def test_who_holds_the_key_gets_the_stream(server, tmp_path):
    inlet, inbox = joined(server, Keys(tmp_path / "keys"))
    assert inlet.socket.poll(5000)
    inlet.read()
    assert inbox.get(0.0).message.step == 7
    inlet.close()


@pytest.mark.parametrize("stranger", ["no key", "another key", "the public half alone"])
def test_a_stranger_gets_nothing(server, tmp_path, stranger):
    if stranger == "no key":
        keys = None
    else:
        make_keys(tmp_path / "other")
        keys = Keys(tmp_path / "other")
    if stranger == "the public half alone":
        keys.join = _with_server_key(keys, zmq.auth.load_certificate(tmp_path / "keys" / "spikemm.key")[0])
    inlet, _ = joined(server, keys)
    assert not inlet.socket.poll(400)
    assert server.sender().sent == 0
    inlet.close()


def _with_server_key(keys, server_key):
    def join(socket):
        Keys.join(keys, socket)
        socket.curve_serverkey = server_key

    return join


def test_the_secret_is_for_its_owner_alone_and_is_not_made_twice(tmp_path):
    secret = make_keys(tmp_path / "keys")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with pytest.raises(LinkError, match="exists; remove it first"):
        make_keys(tmp_path / "keys")


def test_keys_that_cannot_be_used_are_said_to_be(tmp_path):
    with pytest.raises(LinkError, match=r"no usable key pair: .*; make one with: spikemm ctl keys"):
        Keys(tmp_path)
    make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "spikemm.key").rename(tmp_path / "keys" / "spikemm.key_secret")
    with pytest.raises(LinkError, match="the secret half is missing"):
        Keys(tmp_path / "keys")
