"""The evaluation of magnifiers as a user meets it: a folder with one report, its tables and a video."""

import base64
import json
import re

import av
import cv2
import numpy as np
import pytest

from spikemm.evaluation.magnification import Contender, Shot, ablation
from spikemm.exceptions import WeightsError
from spikemm.front import FrontSpec
from spikemm.magnification import MAGNIFIERS
from tools import evaluate_magnification
from tools.evaluate_magnification_videos import side_by_side
from tools.evaluate_magnification_work import Plan


class Unlearned(MAGNIFIERS["linear"]):
    """A method whose weights are not there."""

    def __init__(self, options):
        raise WeightsError("no weights of unlearned are here; train some")


TINY = Plan(
    contenders=(Contender("linear"), Contender("warp"), Contender("unlearned")),
    alphas=(2.0, 10.0),
    amplitudes_px=(0.1, 2.0),
    scenes=("tuning-fork",),
    shot=Shot(px=0.2, height=64, width=112, settling=20, frames=8),
    disturbed_px=(0.1,),
    disturbances=((0.2, 0.02),),
    fronts=[FrontSpec.parse("rate:32"), FrontSpec.parse("interval:256")],
    front_scenes=("tuning-fork",),
    shown_frames=12,
    wire_iterations=1,
    timed=(64, 96),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("magnified")


@pytest.fixture
def evaluated(spikemm, folder, monkeypatch):
    """A tiny plan, evaluated once for this module: what the console showed, and the folder."""
    if not (folder / "console.txt").exists():
        monkeypatch.setitem(MAGNIFIERS, "unlearned", Unlearned)
        monkeypatch.setattr(ablation, "UPSAMPLINGS", ("none", "histospline"))
        monkeypatch.setattr(evaluate_magnification, "_plan", lambda *arguments, **options: TINY)
        ended = spikemm("evaluate", "magnification", "--out", folder)
        assert ended.returncode == 0, ended.stderr
        (folder / "console.txt").write_text(ended.stdout)
    return (folder / "console.txt").read_text(), folder


def test_tables_hold_every_combination(evaluated):
    found = json.loads((evaluated[1] / "tables.json").read_text())
    grid = {
        (row["method"], row["shot"]["px"], row["alpha"], row["shot"]["noise"]) for row in found["grid"] if row["gain"]
    }
    combinations = [(0.1, 2, 0), (0.1, 10, 0), (2, 2, 0), (0.1, 2, 0.2), (0.1, 10, 0.2)]
    assert grid == {(method, *one) for method in ("linear", "warp") for one in combinations}
    for row in found["grid"]:
        if row["gain"]:
            assert row["over_raw_db"] == pytest.approx(row["psnr_db"] - row["psnr_raw_db"])
    assert {(row["method"], row["alpha"]) for row in found["still"] if not row["note"]} == {
        (method, alpha) for method in ("linear", "warp") for alpha in (10, 50)
    }
    assert {row["upsampling"] for row in found["ablation"]} == {"none", "histospline"}
    assert found["ordinary"][0]["seen_hz"] == pytest.approx(10)
    assert found["milliseconds"]["warp"] > found["milliseconds"]["linear"] > 0
    assert "torch" in found["versions"]


def test_the_guide_comes_first_on_the_console_and_in_the_report(evaluated):
    shown, folder = evaluated
    report = (folder / "report.html").read_text()
    assert shown.index("Which method to take when") < shown.index("The methods")
    assert report.index("Which method to take when") == report.index("<h2>") + len("<h2>")
    first = json.loads((folder / "tables.json").read_text())["guide"][0]
    assert first["condition"] == "quiet light, all inputs and factors"
    assert f"{first['size'][0]} (off by {first['size'][1]:.1%})" in report


def test_what_was_not_measured_is_told_with_its_reason(evaluated):
    shown, folder = evaluated
    for text in (shown, (folder / "report.html").read_text()):
        assert "not measured: no weights of unlearned are here; train some" in text
        assert "asked of no method: 2 px × 10." in text
        assert "front end interval:256: not measured: " in text


def test_the_report_is_one_file_with_its_pictures_charts_and_videos_inside(evaluated):
    report = (evaluated[1] / "report.html").read_text()
    pictures = re.findall(r'<img class="[^"]*" alt="([^"]*)" src="data:image/png;base64,([^"]*)">', report)
    # Frames and slices of two methods, before and truth; five slices beside the ordinary camera; four of the ablation.
    assert len(pictures) == report.count("<img") == 4 + 4 + 5 + 4
    for name, data in pictures:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.std() > 1, name
    assert report.count("<svg") == 2
    assert report.count('src="data:video/mp4;base64,') == 1
    assert "http" not in report
    assert "<script" not in report


def test_the_video_shows_all_rows_side_by_side(evaluated):
    with av.open(evaluated[1] / "tuning-fork.mp4") as file:
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    assert len(frames) == 12
    # Before, two methods, truth: three to a line, each 112 px wide, enlarged three times.
    assert frames[0].shape == (2 * (3 * 64 + 20), 3 * 3 * 112)


def test_side_by_side_keeps_every_picture_whole():
    rows = {name: np.full((2, 30, 150), level, np.float32) for name, level in (("a", 0.25), ("b", 0.5))}
    both = side_by_side(rows)
    assert both.shape == (2, 20 + 2 * 30, 2 * 300)
    assert (both[:, 20:, :300] == 0.25).all()
    assert (both[:, 20:, 300:] == 0.5).all()
    assert both[:, :20, :300].max() > 0.9


def test_a_browser_shows_the_report_without_cutting_it_off(evaluated, browser):
    page = browser.open((evaluated[1] / "report.html").as_uri())
    assert page.wait_for("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--methods", "warp,wrap"), "--methods wrap"),
        (("--methods", "warp", "--weights", "linear=mine"), "--weights linear=mine"),
        (("--alphas", "ten"), "--alphas ten"),
        (("--alphas", "0,2"), "--alphas 0,2"),
        (("--amplitudes-px", "nan"), "--amplitudes-px nan"),
        (("--amplitudes-px", "6", "--alphas", "2"), "over 10 px"),
        (("--scenes", "tuning-frok"), "tuning-frok"),
        (("--scenes", "still"), "does not move"),
        (("--quick", "--full"), "--full"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(refused, arguments, named):
    assert named in refused("evaluate", "magnification", *arguments)
