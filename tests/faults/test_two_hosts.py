"""One pipeline over two hosts: here two supervisors that share nothing but a TCP port and a key."""

import socket

import pytest

from engine.security import make_keys


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def nodes(tmp_path, port):
    return {
        "source": {"type": "zoo:Counter", "count": 300, "host": "camera", "endpoint": f"tcp://127.0.0.1:{port}"},
        "gain": {"type": "zoo:Gain", "inputs": "source", "factor": 2, "host": "desk"},
        "sink": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out"), "host": "desk"},
    }


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_stream_crosses_hosts_to_its_end_and_nothing_is_lost(apart, nodes, tmp_path, written):
    make_keys(tmp_path / "keys")
    security = {"keys": str(tmp_path / "keys")}
    camera = apart(nodes, "camera", security=security)
    desk = apart(nodes, "desk", security=security)
    camera_summary, desk_summary = camera.summary(), desk.summary()
    assert [line[0] for line in written()] == [2 * number for number in range(300)]
    assert (camera_summary["exit_status"], desk_summary["exit_status"]) == (0, 0)
    assert list(camera_summary["nodes"]) == ["source"]
    assert (camera_summary["pipeline"], desk_summary["pipeline"]) == ("zoo@camera", "zoo@desk")
    assert list(desk_summary["nodes"]) == ["gain", "sink"]
    (sent,) = camera_summary["links"]
    assert (sent["delivered"], sent["lost"], sent["policy"]) == (300, 0, "block: 2 s")
    received = next(row for row in desk_summary["links"] if row["source"] == "source")
    assert (received["received"], received["gap_steps"], received["policy"]) == (300, 0, "block: 2 s")
    assert "sent" not in received


def test_without_the_key_nobody_gets_anything(apart, until, nodes, port, tmp_path):
    for owner in ("camera", "stranger"):
        make_keys(tmp_path / owner)
    camera = apart(nodes, "camera", security={"keys": str(tmp_path / "camera")})
    stranger = apart(nodes, "desk", security={"keys": str(tmp_path / "stranger")})
    until(lambda: (tmp_path / "out").exists() and listens(port))
    for run in (stranger, camera):
        run.process.terminate()
    assert sum(row["received"] for row in stranger.summary()["links"]) == 0
    until(lambda: camera.process.send_signal(15) or camera.process.poll() is not None)
    assert sum(row["delivered"] for row in camera.summary()["links"]) == 0


def test_a_host_ends_at_once_also_where_a_node_reads_from_here_and_from_the_other(apart, until, nodes, tmp_path):
    nodes["source"] |= {"count": 10**6, "every_s": 0.005}
    nodes["mixer"] = {"type": "zoo:Mixer", "inputs": {"a": "source", "b": "gain"}, "policy": "block", "host": "desk"}
    nodes["sink"]["inputs"] = "mixer"
    apart(nodes, "camera")
    desk = apart(nodes, "desk")
    until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").stat().st_size)
    desk.process.terminate()
    assert desk.summary()["phase"] == "stopped"
