"""The evaluation as a user meets it: a folder with one report and its tables."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from spikemm.evaluation import Setting, sweeps
from spikemm.flow import DisFlow
from spikemm.front import FrontSpec
from spikemm.reconstruction import make_front_end
from tools.evaluate_tables import as_json
from tools.evaluate_work import Means, evaluate
from tools.report.evaluation_report import evaluation_report

SMALL = ("--height", 96, "--width", 144, "--rows", "rate:32,isi:32,interval:16", "--periods", 2)


@pytest.fixture
def close_up(part, monkeypatch):
    """Show only what is around the fork's tines: sharper than the whole in so few pixels, and much sooner painted."""

    def closely(name, *, height, width, **options):
        return part(name, (200 - width // 2, 70 - height // 2, width, height), **options)

    monkeypatch.setattr("spikemm.evaluation.setting.make_scene", closely)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture
def evaluated(close_up, spikemm, folder):
    """The tuning fork on a small sensor, evaluated once for this module: what the console showed, and the folder."""
    if not (folder / "console.txt").exists():
        ended = spikemm("evaluate", "reconstruction", *SMALL, "--scenes", "tuning-fork", "--no-sweeps", "--out", folder)
        assert ended.returncode == 0, ended.stderr
        (folder / "console.txt").write_text(ended.stdout)
    return (folder / "console.txt").read_text(), folder


def tables(folder):
    return json.loads((folder / "tables.json").read_text())


def test_tables_hold_every_row_its_verdict_and_what_it_was_made_with(evaluated):
    found = tables(evaluated[1])
    (scene,) = found["scenes"]
    assert [row["row"] for row in scene["rows"]] == ["truth", "rate:32", "isi:32", "interval:16"]
    assert (scene["hz"], scene["px"]) == (310, 0.3)
    for row in scene["rows"][1:]:
        assert 10 < row["psnr_db"] < 80
        assert row["kept_corrected"] == pytest.approx(1.0, abs=0.15)
        assert row["flow"]["estimator"] == found["flow_estimator"] == "OpenCV DIS (medium)"
        assert row["verdict"] == "ranked"
        assert row["milliseconds"] > 0
    assert found["threads"] == "1"
    assert "torch" in found["versions"]
    assert "--no-sweeps" in found["command"]


def test_the_winner_is_named_on_the_console_and_in_the_report(evaluated):
    shown, folder = evaluated
    best = max(tables(folder)["scenes"][0]["rows"][1:], key=lambda row: row["psnr_db"])["row"]
    assert f"tuning-fork: {best} wins" in shown
    assert f"Overall {best} wins" in shown
    assert f"tuning-fork: {best} wins" in (folder / "report.html").read_text()


def test_the_report_is_one_file_with_its_pictures_inside(evaluated):
    report = (evaluated[1] / "report.html").read_text()
    pictures = re.findall(r'<img class="[^"]*" alt="([^"]*)" src="data:image/png;base64,([^"]*)">', report)
    # Frames, slices and flow of the truth and three rows, and the legend of the flow.
    assert len(pictures) == report.count("<img") == 3 * 4 + 1
    for name, data in pictures:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.std() > 1, name
    assert "http" not in report
    assert "<script" not in report


def test_a_browser_shows_the_report_without_cutting_it_off(evaluated, browser, tmp_path):
    page = browser.open((evaluated[1] / "report.html").as_uri())
    assert page.wait_for("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_sweeps_bring_their_charts(close_up, monkeypatch):
    monkeypatch.setattr(sweeps, "FREQUENCIES_HZ", (100.0, 500.0))
    monkeypatch.setattr(sweeps, "AMPLITUDES_PX", (0.1,))
    setting = Setting("tuning-fork", height=96, width=144, periods=1.0)
    means = Means(make_front_end, DisFlow())
    found = evaluate([FrontSpec.parse("interval:16")], [setting], [], means, sweeps=True)
    report, figures = evaluation_report(found, {}), as_json(found)
    assert [len(scene["rows"]) for scene in figures["windows"]] == [12]
    assert [scene["hz"] for scene in figures["frequencies"]] == [100, 500]
    assert [scene["px"] for scene in figures["amplitudes"]] == [0.1]
    assert figures["dim"][0]["setting"]["light"] == 0.1
    assert report.count("<svg") == 3
    for title in ("Window length", "Frequency", "Small amplitudes", "A tenth of the light"):
        assert title in report


def test_a_recording_is_evaluated_with_and_without_its_truth(spikemm, tmp_path, fork):
    brief = tmp_path / "brief.dat"
    brief.write_bytes(fork.read_bytes()[: 800 * 96 * 128 // 8])
    brief.with_suffix(".yaml").write_text(fork.with_suffix(".yaml").read_text())
    cv2.imwrite(str(tmp_path / "truth.png"), np.full((96, 128), 128, np.uint8))
    truth = ("--truth", "truth.png", "--truth-step", 450, "--truth-gain", 0.5)
    only = ("--scenes", "none", "--rows", "rate:32,interval:4096", "--static", 2, 2, 16, 16)
    ended = spikemm("evaluate", "reconstruction", brief, *only, *truth, "--out", "out")
    assert ended.returncode == 0, ended.stderr
    (recording,) = tables(tmp_path / "out")["recordings"]
    assert (recording["truth_step"], recording["static"]) == (450, [2, 2, 16, 16])
    assert recording["truth_gain"] == 0.5
    assert recording["rows"][0]["psnr_db"] > 0
    assert recording["rows"][0]["noise"] > 0
    assert "needs 4096 steps" in recording["rows"][1]["note"]
    assert "needs 4096 steps" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--rows", "intervall:32"), "did you mean 'interval'"),
        (("--scenes", "tuning-frok"), "tuning-frok"),
        (("--scenes", "still", "--rows", "rate:32"), "does not move"),
        (("--static", 0, 0, 9, 9), "one recording"),
        (("missing.dat",), "missing.dat"),
        (("--raft-weights", "raft.pth", "--rows", "rate:32"), "raft"),
        (("--rows", "paper:41", "--scenes", "tuning-fork", "--height", 16, "--width", 24), "train"),
        (("--periods", "nan"), "--periods"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(refused, arguments, named):
    assert named in refused("evaluate", "reconstruction", *arguments)


def test_a_truth_needs_its_step_and_a_picture_that_can_be_read(refused, tmp_path, fork):
    (tmp_path / "truth.png").write_bytes(b"no picture")
    only = ("--scenes", "none", "--rows", "rate:32")
    assert "--truth-step" in refused("evaluate", "reconstruction", fork, *only, "--truth", "truth.png")
    told = refused("evaluate", "reconstruction", fork, *only, "--truth", "truth.png", "--truth-step", 750)
    assert "no picture can be read" in told
