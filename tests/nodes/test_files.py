import os
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from engine.testing import drive, make_node
from nodes.files.npz_writer import NpzWriter
from nodes.files.video_writer import VideoWriter
from nodes.frames import FramesFile
from nodes.grey_scale import GreyScale
from nodes.messages import Frames
from nodes.video import Video
from spikemm.exceptions import OptionError, RecordingError, ShapeError


def frames_of(pixels, step=0, hop=20, **envelope):
    return Frames(step=step, hop=hop, count=len(pixels), pixels=np.asarray(pixels, np.float32), **envelope)


def decoded(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def brightness_steps(height=33, width=47):
    """Five flat frames, from black to beyond white at 0.8."""
    return np.full((5, height, width), 1.0, np.float32) * np.float32([0.0, 0.2, 0.4, 0.8, 1.2])[:, None, None]


def test_grey_is_linear_between_black_and_white():
    assert GreyScale(0.5)(np.float32([-1, 0, 0.25, 0.5, 9])).tolist() == [0, 0, 128, 255, 255]


def test_white_is_found_on_the_first_frames_and_held():
    grey = GreyScale()
    first = grey(np.full((2, 4, 4), 0.5, np.float32))
    assert first[0, 0, 0] == round(255 / 1.1)
    assert grey(np.full((1, 4, 4), 0.05, np.float32))[0, 0, 0] == round(25.5 / 1.1)


def test_a_dark_start_does_not_set_the_scale():
    grey = GreyScale()
    assert not grey(np.zeros((1, 4, 4), np.float32)).any()
    assert grey(np.full((1, 4, 4), 0.2, np.float32)).min() > 200


@pytest.mark.parametrize("ending", ["mp4", "avi"])
def test_a_video_holds_every_frame_at_an_even_size_and_the_right_brightness(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    with VideoWriter(path, 25, 0.8) as writer:
        writer.write(brightness_steps())
    pictures = decoded(path)
    assert pictures.shape == (5, 34, 48)
    assert pictures.mean((1, 2)) == pytest.approx([0, 64, 128, 255, 255], abs=2)


def test_a_video_plays_at_the_rate_asked_for(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 12.5) as writer:
        writer.write(brightness_steps())
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx([0.08 * k for k in range(5)])


@pytest.mark.parametrize("ending", ["mp4", "avi"])
def test_a_video_whose_writer_was_killed_can_be_played_up_to_its_last_second(tmp_path, ending):
    path, killed = tmp_path / f"out.{ending}", tmp_path / f"killed.{ending}"
    writer = VideoWriter(path, 25, 1.0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        writer.write(rng.random((10, 64, 64), np.float32))
    killed.write_bytes(path.read_bytes())
    writer.close()
    assert 75 <= len(decoded(killed)) <= 100
    assert len(decoded(path)) == 100


def test_a_video_of_another_ending_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"\.mp4 or \.avi"):
        VideoWriter(tmp_path / "out.mkv", 25)


def test_frames_and_steps_come_back_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.random((25, 6, 5), np.float32)
    node = make_node(FramesFile, path=str(tmp_path / "out.npz"))
    drive(node, [frames_of(pixels[:10], step=40), frames_of(pixels[10:], step=1000, hop=40)])
    node.close()
    with np.load(tmp_path / "out.npz") as stored:
        assert np.array_equal(stored["frames"], pixels)
        assert stored["frames"].dtype == np.float32
        assert stored["steps"].tolist() == [*range(40, 240, 20), *range(1000, 1600, 40)]
        assert stored["steps"].dtype == np.int64
    assert [path.name for path in tmp_path.iterdir()] == ["out.npz"]


def test_what_a_crash_leaves_can_be_read(tmp_path):
    writer = NpzWriter(tmp_path / "out.npz")
    pixels = np.random.default_rng(0).random((12, 6, 5), np.float32)
    for k in range(12):
        writer.write(pixels[k : k + 1], np.array([20 * k]))
        assert np.array_equal(np.load(tmp_path / "out.npz.frames.npy"), pixels[: k + 1])
        assert np.load(tmp_path / "out.npz.steps.npy").tolist() == [20 * j for j in range(k + 1)]
    writer.close()


def test_one_npz_holds_frames_of_one_size(tmp_path):
    with NpzWriter(tmp_path / "out.npz") as writer:
        writer.write(np.zeros((1, 4, 4)), np.array([0]))
        with pytest.raises(ShapeError, match="this file holds"):
            writer.write(np.zeros((1, 5, 4)), np.array([1]))


@pytest.mark.parametrize(("node_type", "ending"), [(Video, "mp4"), (FramesFile, "npz")])
def test_a_new_picture_size_opens_a_new_file(tmp_path, node_type, ending):
    node = make_node(node_type, path=str(tmp_path / f"out.{ending}"))
    drive(node, [frames_of(np.ones((2, size, size))) for size in (16, 16, 32)])
    node.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"out-2.{ending}", f"out.{ending}"]


@pytest.mark.parametrize(("node_type", "ending"), [(Video, "mp4"), (FramesFile, "npz")])
def test_a_restarted_sink_leaves_what_was_written_before(tmp_path, node_type, ending):
    left = {tmp_path / f"out.{ending}": b"first", tmp_path / f"out-2.{ending}.frames.npy": b"second, killed"}
    for path, content in left.items():
        path.write_bytes(content)
    node = make_node(node_type, path=str(tmp_path / f"out.{ending}"), context={"incarnation": 2})
    drive(node, [frames_of(np.ones((2, 16, 16)))])
    node.close()
    assert {path: path.read_bytes() for path in left} == left
    assert (tmp_path / f"out-3.{ending}").stat().st_size > 100


def test_a_fresh_run_replaces_the_file(tmp_path):
    (tmp_path / "out.npz").write_bytes(b"of yesterday")
    node = make_node(FramesFile, path=str(tmp_path / "out.npz"))
    drive(node, [frames_of(np.ones((2, 16, 16)))])
    node.close()
    assert np.load(tmp_path / "out.npz")["frames"].shape == (2, 16, 16)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [("out.mkv", "must end in .mp4 or .avi"), ("missing/out.mp4", "no folder"), ("folder.mp4", "is a folder")],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(tmp_path, path, complaint):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OptionError, match=complaint):
        Video.check(Video.Options(path=str(tmp_path / path)))


@pytest.mark.parametrize(("node_type", "ending"), [(Video, "mp4"), (FramesFile, "npz")])
def test_an_end_without_a_frame_is_an_error_and_makes_no_file(tmp_path, node_type, ending):
    node = make_node(node_type, path=str(tmp_path / f"out.{ending}"))
    with pytest.raises(RecordingError, match="nothing is written, no frame came") as told:
        drive(node, [])
    node.close()
    assert "older" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_frame_an_older_file_is_kept_and_said_to_be_older(tmp_path):
    path = tmp_path / "out.npz"
    path.write_bytes(b"of yesterday")
    os.utime(path, (day := datetime(2024, 2, 29, 3, 14).timestamp(), day))
    node = make_node(FramesFile, path=str(path))
    with pytest.raises(RecordingError, match=r"out\.npz is not of this run, it is an older one of 2024-02-29 03:14"):
        drive(node, [])
    node.close()
    assert path.read_bytes() == b"of yesterday"


def test_a_restarted_sink_to_which_nothing_more_comes_ends_well(tmp_path):
    node = make_node(FramesFile, path=str(tmp_path / "out.npz"), context={"incarnation": 1})
    drive(node, [])
    node.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
@pytest.mark.parametrize(
    ("node_type", "name", "part"),
    [(Video, "out.mp4", "out.mp4"), (Video, "out.avi", "out.avi"), (FramesFile, "out.npz", "out.npz.frames.npy")],
)
def test_a_full_disk_is_told_by_the_name_that_was_given(tmp_path, node_type, name, part):
    (tmp_path / part).symlink_to("/dev/full")
    node = make_node(node_type, path=str(tmp_path / name))
    with pytest.raises(RecordingError, match=rf"{name}: cannot be written: no space left on device"):
        drive(node, [frames_of(np.ones((2, 16, 16)))])
        node.close()
