import json
from types import SimpleNamespace

import pytest
from mcap.reader import make_reader

from nodes.recording.message_files import MessageFile


def test_frames_readings_and_events_are_there_for_open_viewers(rig):
    node = rig.recorder(white=1.0)
    rig.feed(node, 0, 160)
    node.process(rig.frames(100), "frames")
    node.process(rig.reading(140), "readings")
    node.process(rig.alarm(150), "events")
    rig.finish(node)
    found = {(topic, round(seconds, 6)): (schema, data) for topic, seconds, schema, data in rig.entries()}
    assert found["/frames", 0.1][0] == found["/frames", 0.12][0] == "foxglove.RawImage"
    assert bytes([128] * rig.HEIGHT * rig.WIDTH) in found["/frames", 0.1][1]
    shaft = json.loads(found["/readings/shaft", 0.14][1])
    assert (shaft["step"], shaft["x"]["peaks"][0]["hz"]) == (140, 310.0)
    assert shaft["waveform"]["y_px"] == pytest.approx([0.3, 0.4])
    assert found["/events", 0.15][0] == "foxglove.Log"
    assert b"the shaft shakes" in found["/events", 0.15][1]
    assert json.loads(found["/events/details", 0.15][1])["value"] == 0.4
    assert json.loads(found["/frames/details", 0.1][1])["front"] == "interval:32"


def test_messages_can_be_read_at_any_moment(tmp_path):
    file = MessageFile(tmp_path / "m.mcap")
    writer = foxglove_writer(file)
    for number in range(5):
        writer.channel.log(b'{"n": %d}' % number, log_time=number)
        writer.mcap.flush()
        file.commit()
        with (tmp_path / "m.mcap").open("rb") as copy:
            assert [message.log_time for _, _, message in make_reader(copy).iter_messages()] == list(range(number + 1))
    writer.mcap.close()
    file.commit()
    file.close()
    with (tmp_path / "m.mcap").open("rb") as copy:
        assert make_reader(copy).get_summary().statistics.message_count == 5


def foxglove_writer(file):
    import foxglove

    context = foxglove.Context()
    options = foxglove.mcap.MCAPWriteOptions(compression=None, disable_seeking=True)
    mcap = foxglove.open_mcap(file, context=context, writer_options=options)
    return SimpleNamespace(
        mcap=mcap, context=context, channel=foxglove.Channel("/n", message_encoding="json", context=context)
    )


def test_frames_of_the_last_steps_are_waited_for(rig):
    node = rig.recorder(keep={"before_s": 1.0, "after_s": 1.0})
    rig.feed(node, 0, 4000)
    node.process(rig.frames(2970), "frames")
    node.process(rig.alarm(3980), "events")
    rig.feed(node, 4000, 5200)
    for step in (3000, 4960, 4970):
        node.process(rig.frames(step), "frames")
    rig.feed(node, 5200, 7000)
    rig.finish(node)
    seconds = [round(1000 * at) for topic, at, _, _ in rig.entries() if topic == "/frames"]
    assert sorted(seconds) == [2980 + 10, 3000, 3020, 4960, 4970]


def test_files_for_viewers_take_turns_and_each_is_whole(rig):
    node = rig.recorder(file_s=0.25)
    for step in range(0, 1000, 50):
        node.process(rig.reading(step), "readings")
    rig.finish(node)
    session = rig.session()
    assert len(list(session.glob("messages-*.mcap"))) == 4
    assert [(topic, round(1000 * at)) for topic, at, _, _ in rig.entries(session)] == [
        ("/readings/shaft", step) for step in range(0, 1000, 50)
    ]
    assert (rig.told(session).height, rig.told(session).rate_hz) == (0, rig.RATE)
