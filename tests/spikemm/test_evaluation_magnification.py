"""Magnifiers against rendered truth; what the measurement says is checked on frames whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from spikemm.evaluation.magnification import (
    Bench,
    Contender,
    Figures,
    Judge,
    MagnifiedTruth,
    Shot,
    ablate,
    ablation,
    film,
    guide,
    ordinary,
    reachable,
    show,
    summaries,
    sweep,
    sweep_still,
)
from spikemm.evaluation.magnification.close_up import around, close_up, enlarged
from spikemm.evaluation.magnification.still import still_figures
from spikemm.exceptions import OptionError, WeightsError
from spikemm.front import FrontSpec
from spikemm.magnification import MAGNIFIERS
from spikemm.metrics import displacement
from spikemm.reconstruction import make_front_end
from spikemm.simulator import Disturbances, make_scene

SMALL = Shot(px=0.2, height=64, width=112, settling=24, frames=12)
LINEAR = Contender("linear")
BENCH = Bench((LINEAR,), make_front_end)


@pytest.fixture(scope="module")
def clip():
    return film(SMALL, make_front_end)


@pytest.fixture(scope="module")
def judge(clip):
    return Judge(clip, 10.0)


class Unlearned(MAGNIFIERS["linear"]):
    """A method whose weights are not there."""

    def __init__(self, options):
        raise WeightsError("no weights of this method are here; train some")


def test_a_close_up_shows_the_same_pixels_as_the_whole():
    whole = make_scene("tuning-fork")
    part = around(whole, 96, 200)
    x, y, width, height = part
    view = close_up(whole, part)
    assert (view.height, view.width) == (height, width) == (96, 200)
    assert np.abs(view.frame(0.7) - whole.frame(0.7)[y : y + height, x : x + width]).max() < 1e-6
    assert [motion.region[2] for motion in view.motions] == [27, 27]
    assert view.motions[0].region[0] == whole.motions[0].region[0] - x


def test_a_small_close_up_is_around_the_first_motion_and_its_region_stays_off_the_border():
    whole = make_scene("tuning-fork")
    (motion,) = close_up(whole, around(whole, 32, 48)).motions
    x, y, width, height = motion.region
    assert (y, height) == (4, 24)
    assert x >= 4
    assert x + width <= 44


def test_an_enlarged_view_moves_as_many_times_further():
    view = SMALL.view
    large = enlarged(view, 2)
    motion = large.motions[0]
    moved = displacement(large.frame(1.0)[None], motion.region, large.frame(0.0))[0, 0]
    assert large.frame().shape == (128, 224)
    assert moved == pytest.approx(-2 * view.px, abs=0.01)


def test_the_truth_moves_alpha_times_as_far_and_flickers_with_the_light():
    view = SMALL.view
    truth = MagnifiedTruth(view, 20_000.0, Disturbances(flicker=0.1, flicker_hz=100.0))
    step = 50
    lamp = 1.0 + 0.1 * np.sin(2 * np.pi * 100.0 * step / 20_000)
    expected = view.frame(10.0 * view.factor(step, 20_000.0)) * lamp
    assert np.abs(truth.at(step, 10.0) - expected).max() < 1e-4


def test_what_should_stand_still_is_where_no_truth_changes():
    truth = MagnifiedTruth(SMALL.view, 20_000.0)
    blocks = truth.still_blocks(10.0)
    assert blocks
    for x, y, width, height in blocks:
        changes = [
            np.abs(truth.scene.frame(10.0 * f) - truth.rest)[y : y + height, x : x + width] for f in (-1, 0.6, 1)
        ]
        assert np.max(changes) < 1e-3 * truth.peak


def test_a_clip_holds_frames_of_the_shot_before_and_while_it_is_judged(clip):
    assert len(clip.settling.steps) == 24
    assert len(clip.judged.steps) == 12
    assert set(np.diff(clip.steps)) == {SMALL.hop}
    error = clip.judged.pixels[0].numpy() - clip.truth.at(int(clip.judged.steps[0]), 1.0)
    assert np.sqrt((error**2).mean()) < 0.02


def test_the_truth_itself_has_no_error(judge):
    found = judge.figures("truth", judge.truth, 0.0)
    assert found.gain == pytest.approx(1.0, abs=0.005)
    assert found.residual_px < 0.01
    assert abs(found.lag_degrees) < 0.5
    assert found.background_px == pytest.approx(found.background_raw_px, abs=0.02)
    assert found.ssim == pytest.approx(1.0)
    assert found.psnr_db == float("inf")


def test_frames_left_alone_have_a_tenth_of_the_motion_and_gain_nothing(clip, judge):
    unmagnified = np.stack([clip.truth.at(int(step), 1.0) for step in judge.steps])
    assert judge.figures("none", unmagnified, 0.0).gain == pytest.approx(0.1, abs=0.003)
    assert judge.figures("none", clip.judged.pixels.numpy(), 0.0).over_raw_db == 0.0


def test_late_frames_lag_and_the_known_delay_is_taken_off(clip, judge):
    late = np.stack([clip.truth.at(int(step) - 6, 10.0) for step in judge.steps])
    degrees = 360.0 * 310.0 * 6 / 20_000
    assert judge.figures("late", late, 0.0).lag_degrees == pytest.approx(degrees, abs=1.0)
    assert judge.figures("late", late, 30.0).lag_degrees == pytest.approx(degrees - 30.0, abs=1.0)


def test_a_background_that_moves_is_noticed(clip, judge):
    shaken = np.stack([clip.truth.scene.frame(0.0, shake_px=(0.3, 0.0)) for _ in judge.steps])
    assert judge.figures("shaken", shaken, 0.0).background_px == pytest.approx(0.3, abs=0.05)


def test_false_motion_of_a_scene_at_rest_is_told_from_that_of_flicker():
    clip = film(replace(SMALL, px=0.0, flicker=0.02), make_front_end)
    seconds = clip.judged.steps / SMALL.rate_hz
    swing = 0.2 * np.sin(2 * np.pi * clip.shot.flicker_hz * seconds)
    frames = np.stack([clip.truth.scene.frame(0.0, shake_px=(px, 0.0)) for px in swing])
    found = still_figures(clip, "shaken", 10.0, frames)
    assert found.flicker_px == pytest.approx(0.2, abs=0.01)
    assert found.false_px == pytest.approx(np.abs(swing).max(), abs=0.01)
    assert found.false_raw_px < 0.1


@pytest.mark.parametrize("method", ["linear", "warp"])
def test_a_method_settled_once_magnifies_as_if_it_had_begun_with_each_factor(clip, method):
    together = dict(Contender(method).magnified(clip, [2.0, 10.0]))
    alone = dict(Contender(method).magnified(clip, [10.0]))
    assert np.array_equal(together[10.0], alone[10.0])
    assert not np.array_equal(together[2.0], together[10.0])


def test_a_sweep_asks_for_no_more_than_ten_pixels():
    assert reachable(0.3, [2, 20, 50]) == [2, 20]
    rows = sweep(BENCH, [replace(SMALL, px=1.0)], [2.0, 20.0])
    assert [(row.method, row.alpha) for row in rows] == [("linear", 2.0)]
    assert rows[0].gain == pytest.approx(1.0, abs=0.3)
    assert rows[0].output_px == 2.0


def test_what_cannot_be_measured_is_listed_with_its_reason(monkeypatch):
    monkeypatch.setitem(MAGNIFIERS, "unlearned", Unlearned)
    bench = Bench((Contender("unlearned"), LINEAR), make_front_end)
    missing, found = sweep(bench, [SMALL], [5.0])
    assert missing.note == "not measured: no weights of this method are here; train some"
    assert missing.gain is None
    assert found.note == ""
    still = sweep_still(bench, [SMALL], [10.0])
    assert [(row.method, row.shot.px, bool(row.note)) for row in still] == [
        ("unlearned", 0.0, True),
        ("linear", 0.0, False),
    ]
    (slow,) = sweep(BENCH, [replace(SMALL, front=FrontSpec("interval", 256))], [5.0])
    assert "keeps" in slow.note


def test_a_scene_that_cannot_move_is_refused():
    with pytest.raises(OptionError, match="does not move"):
        _ = Shot(scene="still").view


def test_a_scene_is_shown_before_and_after_and_as_it_should_be():
    case = show(BENCH, SMALL, 5.0)
    assert list(case.frames) == ["before", "linear", "truth"]
    assert [row.method for row in case.figures] == ["linear"]
    slices = {name: case.over_time(name) for name in case.frames}
    assert slices["truth"].shape == slices["linear"].shape
    # The line crosses what moves: over time the truth changes there, and further than before magnification.
    assert slices["truth"].std(axis=1).max() > 2 * slices["before"].std(axis=1).max() > 0


def test_an_ordinary_camera_sees_a_blurred_alias():
    found = ordinary(show(BENCH, SMALL, 5.0), LINEAR)
    assert found.seen_hz == pytest.approx(10.0)
    assert found.kept == pytest.approx(abs(np.sinc(310.0 / 150.0)), rel=0.1)
    assert found.seen_px == pytest.approx(found.kept * 0.2)
    assert found.spikes_px > 10 * found.magnified_px
    assert found.slices["150 fps"].shape[0] == found.slices["truth"].shape[0]


def test_the_ablation_tells_motion_in_pixels_of_the_sensor(monkeypatch):
    monkeypatch.setattr(ablation, "UPSAMPLINGS", ("none", "histospline", "unknown"))
    alone, enlarged_twice, unknown = ablate(BENCH, replace(SMALL, px=0.1), [5.0], 1)
    assert (alone.upsampling, enlarged_twice.upsampling) == ("none", "histospline")
    for row in (alone, enlarged_twice):
        assert row.amplitude_px == pytest.approx(0.5, rel=0.25)
        assert row.contrast == pytest.approx(1.0, abs=0.1)
    assert enlarged_twice.frame.shape == (2 * alone.frame.shape[0], 2 * alone.frame.shape[1])
    assert "unknown" in unknown.figures.note


def made(method, px, alpha, gain, above_db, **shot):
    return Figures(
        Shot(px=px, **shot), method, alpha, gain=gain, psnr_db=30.0 + above_db, psnr_raw_db=30.0, background_px=0.1
    )


def test_the_guide_names_the_winners_of_every_condition():
    grid = [
        made("slow", 0.02, 10.0, 1.01, 8.0),
        made("fast", 0.02, 10.0, 1.08, 9.0),
        made("slow", 0.3, 10.0, 0.98, 8.0),
        made("fast", 0.3, 10.0, 0.60, 1.0),
        made("slow", 0.3, 10.0, 0.70, -1.0, noise=0.2),
        made("fast", 0.3, 10.0, 0.50, -2.0, noise=0.2),
    ]
    rows = {row.condition: row for row in guide(grid, grid[2:4], {"slow": 80.0, "fast": 1.0, "absent": None})}
    faint = rows["input up to 0.05 px"]
    assert (faint.cells, faint.size[0], faint.picture, faint.cheapest) == (1, "slow", ("fast", 9.0), ("fast", 1.0))
    assert faint.size[1] == pytest.approx(0.01)
    assert rows["input over 0.05, up to 0.5 px"].cheapest == ("slow", 80.0)
    assert rows["noise"].cheapest is None
    assert rows["tuning-fork, 310 Hz"].size[0] == "slow"
    assert "flicker" not in rows


def test_a_summary_orders_the_methods_and_keeps_the_absent_ones():
    grid = [made("fast", 0.3, 10.0, 0.6, 1.0), made("slow", 0.3, 10.0, 1.02, 8.0)]
    grid.append(Figures(Shot(), "absent", 10.0, note="not measured: no weights"))
    slow, fast, absent = summaries(grid, [], {"fast": 1.0, "slow": 80.0, "absent": None})
    assert (slow.method, slow.right, slow.cells, slow.milliseconds) == ("slow", 1, 1, 80.0)
    assert (fast.method, fast.right, fast.over_raw_db) == ("fast", 0, 1.0)
    assert (absent.mean_error, absent.note) == (None, "not measured: no weights")


@pytest.mark.parametrize(
    ("scene", "px", "alpha"), [("tuning-fork", 0.2, 50.0), ("tuning-fork", 1.0, 10.0), ("balloon", 0.3, 10.0)]
)
def test_warp_leaves_the_background_beside_what_moves_alone(scene, px, alpha):
    shot = film(Shot(scene=scene, px=px), make_front_end)
    [(_, frames)] = Contender("warp").magnified(shot, [alpha])
    figures = Judge(shot, alpha).figures("warp", frames, 0.0)
    assert figures.background_px < 0.05
    assert figures.gain == pytest.approx(1.0, abs=0.03)
