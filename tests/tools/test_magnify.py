import json
import os
import signal
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pytest

from spikemm.metrics import displacement, fit_sine


def frames_and_steps(path):
    with np.load(path) as arrays:
        assert sorted(arrays) == ["frames", "steps"]
        return arrays["frames"], arrays["steps"]


def test_npz_holds_light_and_the_centres_of_the_windows(spikemm, fork, tmp_path):
    ended = spikemm("magnify", fork, "out.npz", "--fps", 500)
    assert ended.returncode == 0, ended.stderr
    frames, steps = frames_and_steps(tmp_path / "out.npz")
    assert (frames.dtype, steps.dtype) == (np.float32, np.int64)
    # The first window of 32 steps that fits has its centre at step 16, and centres are multiples of the hop of 20.
    assert steps[0] == 20
    assert (np.diff(steps) == 20).all()
    assert len(steps) == len(frames) == 149
    assert frames.shape[1:] == (96, 128)
    assert 0.02 < frames.mean() < 0.8


def test_the_last_line_says_what_was_done(spikemm, fork):
    said = spikemm("magnify", fork, "out.npz", "--fps", 1000, "--band", 250, 370, "--window", 16).stdout.splitlines()[
        -1
    ]
    for part in ("out.npz", "299 frames", "1000 fps", "interval:16 keeps", "Hz", "delay", "ms a frame"):
        assert part in said


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_video_plays_at_its_rate_and_shows_the_picture(spikemm, fork, tmp_path, ending):
    ended = spikemm("magnify", fork, f"out{ending}", "--fps", 250, "--play-fps", 20, "--scale", 2)
    assert ended.returncode == 0, ended.stderr
    with av.open(str(tmp_path / f"out{ending}")) as video:
        stream = video.streams.video[0]
        pictures = [frame.to_ndarray(format="gray") for frame in video.decode(stream)]
        assert stream.average_rate == 20
    assert len(pictures) == 74
    assert pictures[0].shape == (192, 256)
    assert pictures[0].std() > 10


def test_slice_shows_the_motion_over_time(spikemm, fork, tmp_path):
    spikemm("magnify", fork, "out.png", "--band", 250, 370, "--fps", 2000, "--window", 10)
    picture = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_GRAYSCALE).astype(float)
    # A tine moves from left to right, so the line is a row: 128 points down, a column for each of the frames.
    assert picture.shape == (128, 599)
    settled = picture[:, 300:]
    moving = settled[settled.std(axis=1).argmax()]
    cycles = np.abs(np.fft.rfft(moving - moving.mean()))
    strongest_hz = cycles.argmax() * 2000 / len(moving)
    assert strongest_hz % 310 == pytest.approx(0, abs=7) or strongest_hz % 310 == pytest.approx(310, abs=7)


def test_a_slice_of_few_frames_is_stretched(spikemm, fork, tmp_path):
    spikemm("magnify", fork, "out.png", "--fps", 100)
    picture = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_GRAYSCALE)
    # 29 frames of 14 columns each: the least that makes 400.
    assert picture.shape[1] == 29 * 14
    assert (picture.reshape(len(picture), 29, 14) == picture[:, ::14, None]).all()


def test_a_recording_shorter_than_the_filter_settles_is_warned_of(spikemm, fork):
    # The fork lasts 300 ms; a band 4 Hz wide needs 375 ms.
    said = spikemm("magnify", fork, "out.npz", "--band", 308, 312, "--fps", 1000, "--window", 16).stderr
    assert "lasts 300 ms" in said
    assert "375 ms to settle" in said
    assert spikemm("magnify", fork, "out.npz", "--band", 250, 370, "--window", 16).stderr == ""


def test_a_fork_moves_ten_times_as_far_and_its_background_stands_still(spikemm, tmp_path):
    spikemm("simulate", "tuning-fork", "fork.dat", "--seconds", 0.1, "--frequency", 310, "--amplitude", 0.3)
    spikemm("magnify", "fork.dat", "out.npz", "--alpha", 10, "--band", 230, 390, "--fps", 2500)
    frames, steps = frames_and_steps(tmp_path / "out.npz")
    frames, steps = frames[-100:], steps[-100:]
    truth = json.loads((tmp_path / "fork.truth.json").read_text())
    for motion in truth["motions"]:
        moved = displacement(frames, tuple(motion["region"]))[:, 0]
        assert fit_sine(moved, steps, 20_000, 310).amplitude == pytest.approx(3.0, rel=0.1)
    for corner in ((8, 8, 60, 60), (330, 8, 60, 60)):
        still = displacement(frames, corner)
        assert np.abs(still - still.mean(axis=0)).max() < 0.1


def test_alpha_0_freezes_what_alpha_10_moves(spikemm, fork, tmp_path):
    variation = []
    for alpha in (0, 10):
        spikemm("magnify", fork, f"{alpha}.npz", "--alpha", alpha, "--band", 250, 370, "--fps", 2000, "--window", 10)
        frames, _ = frames_and_steps(tmp_path / f"{alpha}.npz")
        variation.append(frames[-100:].std(axis=0).max())
    assert variation[0] < 0.3 * variation[1]


def test_no_flip_turns_the_picture_over(spikemm, fork, tmp_path):
    for name, option in (("upright", "--flip"), ("over", "--no-flip")):
        spikemm("magnify", fork, f"{name}.npz", option, "--alpha", 1, "--fps", 50)
    upright, over = (frames_and_steps(tmp_path / f"{name}.npz")[0] for name in ("upright", "over"))
    assert np.abs(upright[0] - over[0][::-1]).max() < 1e-4
    assert np.abs(upright[0] - over[0]).max() > 0.1


def test_a_truncated_recording_is_magnified_and_said_to_be(spikemm, fork, tmp_path):
    (tmp_path / "cut.dat").write_bytes(fork.read_bytes()[:-700])
    (tmp_path / "cut.yaml").write_text(fork.with_suffix(".yaml").read_text())
    ended = spikemm("magnify", "cut.dat", "out.npz", "--fps", 500)
    assert ended.returncode == 0
    assert "836 bytes" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("nowhere.dat", "out.mp4"), "nowhere.dat"),
        (("FORK", "out.gif"), ".mp4"),
        (("FORK", "missing/out.mp4"), "missing"),
        (("FORK", "out.mp4", "--window", 3001), "3000 steps"),
        (("FORK", "out.mp4", "--band", 900, 1200), "1200"),
        (("FORK", "out.mp4", "--band", 400, 300), "400"),
        (("FORK", "out.mp4", "--band", "nan", 300), "nan is not a finite number"),
        (("FORK", "out.mp4", "--alpha", "inf"), "inf is not a finite number"),
        (("FORK", "out.mp4", "--height", 20_000), "16384"),
        (("FORK", "/proc/out.mp4"), "/proc/out.mp4: cannot be written"),
        (("FORK", "out.mp4", "--fps", 0), "more than 0"),
        (("FORK", "out.mp4", "--fps", 3333), "3333"),
        (("FORK", "out.mp4", "--method", "wrap"), "wrap"),
        (("FORK", "out.mp4", "--front", "intervall"), "'interval'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(refused, fork, tmp_path, arguments, named):
    arguments = [fork if argument == "FORK" else argument for argument in arguments]
    assert named in refused("magnify", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_without_a_frame_an_older_file_stays_and_is_said_to_be_older(refused, fork, tmp_path):
    (tmp_path / "out.npz").write_bytes(b"of yesterday")
    assert "out.npz is not of this run" in refused("magnify", fork, "out.npz", "--window", 3001)
    assert (tmp_path / "out.npz").read_bytes() == b"of yesterday"


def test_a_recording_of_another_size_than_stated_is_refused(refused, tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((4, 4), np.uint8))
    assert "flat.npy" in refused("magnify", "flat.npy", "out.mp4")


def test_interrupted_it_leaves_no_file_that_looks_whole(fork, tmp_path):
    command = [sys.executable, "-m", "tools.cli", "magnify", str(fork), "out.mp4", "--fps", "5000", "--scale", "4"]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob(".spikemm-*/out.mp4")) and running.poll() is None and time.monotonic() < deadline:
        os.sched_yield()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == "spikemm: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_the_real_car_comes_out_upright(spikemm, recordings, tmp_path):
    ended = spikemm("magnify", recordings / "car_250x400.dat", "out.npz")
    assert ended.returncode == 0, ended.stderr
    frames, steps = frames_and_steps(tmp_path / "out.npz")
    assert frames.shape == (9, 250, 400)
    assert np.isfinite(frames).all()
    assert steps.tolist() == list(range(20, 200, 20))
    # Dark trees above, and a road below with patches that fire at every step.
    assert (frames[0, -60:] > 0.95).sum() > 1000
    assert (frames[0, :60] > 0.95).sum() == 0
