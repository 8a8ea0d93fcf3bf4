"""What a slow consumer does to the others: nothing, on a live stream; everything, in a replay that may lose nothing."""


def link(summary, target):
    return next((row for row in summary["links"] if row["target"] == target), {"delivered": 0})


def test_in_a_replay_a_slow_sink_slows_the_source_and_nothing_is_lost(zoo, tmp_path, written):
    summary = zoo(
        {
            "source": {"type": "zoo:Counter", "count": 150},
            "gain": {"type": "zoo:Gain", "inputs": "source", "factor": 2},
            "slow": {"type": "zoo:Writer", "inputs": "gain", "path": str(tmp_path / "out"), "delay_s": 0.01},
        }
    ).go()
    assert [line[:2] for line in written()] == [[2 * number, 0] for number in range(150)]
    assert summary["exit_status"] == 0
    for row in summary["links"]:
        assert (row["sent"], row["delivered"], row["lost"], row["dropped"], row["in_flight"]) == (150, 150, 0, 0, 0)
    assert link(summary, "gain")["blocked_s"] > 1.0
    assert link(summary, "slow")["blocked_s"] > 1.0


def test_a_display_of_200_ms_shows_fresh_pictures_and_harms_nobody(zoo, until, tmp_path, written):
    run = zoo(
        {
            "camera": {"type": "zoo:LiveCounter", "count": 100_000, "every_s": 0.005},
            "display": {"type": "zoo:Display", "inputs": "camera", "path": str(tmp_path / "shown"), "delay_s": 0.2},
            "recorder": {"type": "zoo:Writer", "inputs": "camera", "path": str(tmp_path / "out"), "policy": "block"},
        }
    ).start()
    running = until(lambda: (now := link(run.status(), "display"))["delivered"] >= 15 and now)
    # 200 ms of the display's own work and no queue behind it; one late picture on a busy machine proves nothing.
    assert running["age_ms"]["p50"] < 250
    assert running["age_ms"]["max"] < 400
    summary = run.stop()
    display, recorder, sent = link(summary, "display"), link(summary, "recorder"), summary["nodes"]["camera"]["emitted"]
    assert sent > 500
    assert display["dropped"] > 0.9 * sent
    assert display["dropped"] + display["delivered"] == recorder["delivered"] == sent
    assert (display["lost"], recorder["lost"]) == (0, 0)
    assert [line[0] for line in written()] == list(range(sent))
    assert recorder["age_ms"]["p50"] < 50
    assert summary["exit_status"] == 0


def test_on_a_live_stream_a_slow_block_sink_fills_its_buffer_and_loses_on_its_own_link_alone(zoo, tmp_path, written):
    summary = zoo(
        {
            "camera": {"type": "zoo:LiveCounter", "count": 400, "every_s": 0.005},
            "slow": {
                "type": "zoo:Writer",
                "inputs": "camera",
                "path": str(tmp_path / "slow"),
                "delay_s": 0.02,
                "policy": {"block": 0.5},
            },
            "quick": {"type": "zoo:Writer", "inputs": "camera", "path": str(tmp_path / "out"), "policy": "block"},
        }
    ).go()
    slow, quick = link(summary, "slow"), link(summary, "quick")
    assert slow["lost"] > 100
    assert slow["lost"] + slow["delivered"] == 400
    assert slow["delivered"] > 160  # 2 s of work at 50 a second, and the stated buffer of 100 messages
    assert slow["gap_steps"] > 100
    assert slow["age_ms"]["max"] > 400
    assert (quick["lost"], quick["dropped"], quick["delivered"]) == (0, 0, 400)
    assert [line[0] for line in written()] == list(range(400))
    assert summary["exit_status"] == 1
    assert any("messages to slow are lost" in problem for problem in summary["problems"])


def test_a_chain_in_one_process_gives_the_same_as_processes_of_their_own(zoo, tmp_path, written):
    results = []
    for number, chain in enumerate([[], ["source", "double", "triple"], ["double", "triple", "out"]]):
        nodes = {
            "source": {"type": "zoo:Counter", "count": 50},
            "double": {"type": "zoo:Pairs", "inputs": "source"},
            "triple": {"type": "zoo:Gain", "inputs": "double", "factor": 3},
            "out": {"type": "zoo:Writer", "inputs": "triple", "path": str(tmp_path / str(number))},
        }
        summary = zoo(nodes, chain=chain).go()
        assert summary["exit_status"] == 0
        assert summary["nodes"]["out"]["processed"] == 17
        assert len({row["process"] for row in summary["nodes"].values()}) == (2 if chain else 4)
        results.append(written(str(number)))
    assert results[0] == results[1] == results[2]
    assert [line[0] for line in results[0]] == [3 * number for number in range(0, 49, 3)]


def test_a_port_is_the_same_in_a_chain_and_in_a_process_of_its_own(zoo, tmp_path, written):
    for chain in ([], ["source", "mixer"]):
        nodes = {
            "source": {"type": "zoo:Counter", "count": 5},
            "mixer": {"type": "zoo:Mixer", "inputs": {"b": "source"}, "policy": "block"},
            "out": {"type": "zoo:Writer", "inputs": "mixer", "path": str(tmp_path / str(len(chain)))},
        }
        summary = zoo(nodes, chain=chain).go()
        assert [line[0] for line in written(str(len(chain)))] == [0, -1, -2, -3, -4]
        assert (summary["nodes"]["mixer"]["counters"], summary["exit_status"]) == ({"half": 2}, 0)
