"""Front ends against truth on small simulated scenes; every figure is computed a second time in plain numpy."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spikemm.blind_spot import CompactBSN
from spikemm.encoding import SpikeRing
from spikemm.evaluation import RowFigures, Setting, evaluate_scene, overall, ranked, sweeps, verdict
from spikemm.evaluation.scenes import even_hop
from spikemm.evaluation.setting import scene_truth
from spikemm.evaluation.spread import Spread
from spikemm.evaluation.steadiness import FlowMeter
from spikemm.evaluation.sweeps import dim_gain, following, sweep_amplitude, sweep_frequency
from spikemm.exceptions import OptionError, ShapeError
from spikemm.flow import DisFlow
from spikemm.front import FrontSpec
from spikemm.reconstruction import make_front_end
from spikemm.simulator import Simulator
from spikemm.weights import ModelCard, save_network

SMALL = Setting("tuning-fork", height=96, width=144, periods=6.0)


@pytest.fixture
def close_up(part, monkeypatch):
    """Show only what is around the fork's tines: sharper than the whole in so few pixels, and much sooner painted."""

    def closely(name, *, height, width, **options):
        return part(name, (200 - width // 2, 70 - height // 2, width, height), **options)

    monkeypatch.setattr("spikemm.evaluation.setting.make_scene", closely)


def rows(*names):
    return [FrontSpec.parse(name) for name in names]


class Script:
    """An estimator that gives the flow it was told."""

    name = "script"

    def __init__(self, fields):
        self._fields = iter(fields)

    def between(self, first, second):
        return next(self._fields)


@pytest.fixture(scope="module")
def fork():
    return evaluate_scene(SMALL, rows("rate:32", "interval:16", "interval:128"), make_front_end, DisFlow())


def test_flow_figures_are_those_of_the_papers_equations():
    fields = np.random.default_rng(1).normal(0.0, 1.0, (7, 5, 6, 2)).astype(np.float32)
    meter = FlowMeter(Script(fields), white=1.0)
    assert meter.push(np.zeros((5, 6))) is None
    for _ in fields:
        meter.push(np.zeros((5, 6)))
    found = meter.figures()
    speed, change = (np.hypot(f[..., 0], f[..., 1]) for f in (fields, np.diff(fields, axis=0)))
    by_frame = [array.mean(axis=(1, 2)) for array in (change, speed)]
    assert (found.estimator, found.fields) == ("script", 7)
    assert (found.mean_change, found.mean_speed) == pytest.approx([array.mean() for array in by_frame], rel=1e-5)
    assert (found.consistency, found.smoothness) == pytest.approx([array.std() for array in by_frame], rel=1e-5)
    by_pixel = [array.std(axis=0).mean() for array in (change, speed)]
    assert (found.pixel_consistency, found.pixel_smoothness) == pytest.approx(by_pixel, rel=1e-5)


def test_flow_of_frames_that_change_their_size_is_refused():
    meter = FlowMeter(DisFlow(), white=1.0)
    meter.push(np.zeros((32, 32)))
    with pytest.raises(ShapeError, match="same size"):
        meter.push(np.zeros((32, 40)))


def test_a_scale_of_flow_without_light_is_refused():
    with pytest.raises(OptionError, match="white"):
        FlowMeter(DisFlow(), white=0.0)


def test_spread_is_mean_and_deviation_over_time():
    series = np.random.default_rng(2).normal(3.0, 0.1, (50, 4))
    spread = Spread()
    for value in series:
        spread.push(value)
    np.testing.assert_allclose(spread.mean, series.mean(axis=0))
    np.testing.assert_allclose(spread.deviation, series.std(axis=0))


@pytest.mark.parametrize("hz", [40.0, 120.0, 200.0, 310.0])
def test_frames_meet_many_phases_of_the_motion(hz):
    hop = even_hop(hz, 20_000.0, 10.0)
    phases = np.unique(np.round(np.arange(1000) * hop * hz / 20_000.0 % 1.0, 6) % 1.0)
    assert len(phases) >= 40
    assert 20_000.0 / hz / hop == pytest.approx(10.0, abs=1.7)


def test_truth_is_what_the_simulator_paints():
    setting = replace(SMALL, light=0.5)
    truth, camera = scene_truth(setting), Simulator(scene_truth(setting).scene, setting.sensor)
    painted = {step: camera.light(step) for step in (0, 7, 16, 48)}  # at rest, between, and at both ends
    for step, picture in painted.items():
        np.testing.assert_allclose(truth.at(step), picture, atol=1e-4)
    assert truth.peak == pytest.approx(max(picture.max() for picture in painted.values()), rel=1e-3)


def test_the_response_of_a_fixed_window_is_its_sinc():
    truth = scene_truth(SMALL)
    response = truth.response(FrontSpec("rate", 32).timing, truth.scene.motions[0])
    assert response == pytest.approx(np.sinc(310.0 * 32 / 20_000.0), rel=1e-5)


def test_picture_figures_are_those_of_the_frames(fork):
    truth = scene_truth(SMALL)
    ring = SpikeRing(96, 144, fork.steps)
    ring.push(Simulator(truth.scene, SMALL.sensor).steps(fork.steps))
    figures = fork.row("interval:16").figures
    first, errors = 192, []  # the first frame has all that interval:128 reaches for: 64 + 128 steps
    steps = range(first, first + figures.frames * fork.hop, fork.hop)
    for step in steps:
        error = (ring.interval(step, 16) - truth.at(step))[8:-8, 8:-8]
        errors.append(10 * np.log10(truth.peak**2 / np.mean(error.astype(float) ** 2)))
    assert figures.psnr_db == pytest.approx(np.mean(errors), abs=1e-4)
    assert figures.ssim > fork.row("rate:32").figures.ssim


def test_the_truth_keeps_its_motion_and_a_front_end_what_its_window_lets_through(fork):
    truth, rate = fork.row("truth").figures, fork.row("rate:32").figures
    assert (truth.kept, truth.kept_corrected) == pytest.approx((1.0, 1.0), abs=0.01)
    assert truth.psnr_db is None
    assert rate.kept == pytest.approx(np.sinc(310.0 * 32 / 20_000.0), abs=0.03)
    assert rate.kept_corrected == pytest.approx(1.0, abs=0.04)


def test_a_window_that_erases_the_motion_is_not_corrected_and_not_ranked(fork):
    erased = fork.row("interval:128").figures
    assert erased.kept < 0.1
    assert erased.kept_corrected is None
    assert verdict(erased) == "erased"
    order = [name for name, _ in ranked(fork)]
    assert "interval:128" not in order
    assert order == sorted(order, key=lambda name: -fork.row(name).figures.psnr_db)


def test_every_row_has_its_pictures_flow_and_time(fork):
    for row in fork.rows:
        assert row.pictures.frame.shape == (96, 144)
        assert row.pictures.flow.shape == (96, 144, 2)
        assert row.pictures.over_time.shape[1] == min(64, row.figures.frames)
        assert row.figures.flow.fields == row.figures.frames - 1
        assert (row.figures.milliseconds is None) == (row.figures.row == "truth")


def test_noise_shows_in_the_flow(fork):
    assert fork.row("rate:32").figures.flow.pixel_smoothness > 2 * fork.row("truth").figures.flow.pixel_smoothness


def test_a_fixed_pattern_is_calibrated_away(close_up):
    clean, patterned = (
        evaluate_scene(replace(SMALL, periods=2.0, fixed_pattern=pattern), rows("interval:16"), make_front_end)
        for pattern in (0.0, 0.05)
    )
    lost = clean.rows[0].figures.psnr_db - patterned.rows[0].figures.psnr_db
    assert -1.0 < lost < 2.0  # uncorrected, 5 % of the light leave some 30 dB


def figures(row, psnr_db, corrected):
    return RowFigures(row=row, frames=10, psnr_db=psnr_db, kept=0.5, response=0.5, kept_corrected=corrected)


def scene_of(*found):
    return SimpleNamespace(rows=[SimpleNamespace(figures=one) for one in found])


def test_the_best_picture_wins_among_those_that_keep_the_motion():
    first = scene_of(figures("a", 40.0, 0.81), figures("b", 50.0, 0.79), figures("c", 60.0, None))
    second = scene_of(figures("a", 30.0, 1.0), figures("b", 20.0, 0.9))
    assert ranked(first) == [("a", 40.0)]
    assert ranked(second) == [("a", 30.0), ("b", 20.0)]
    assert overall([first, second]) == [("a", 35.0)]
    assert overall([]) == []
    assert [verdict(row.figures) for row in first.rows] == ["ranked", "loses the motion", "erased"]
    assert verdict(RowFigures(row="a")) == "not measured"


@pytest.mark.parametrize(
    ("setting", "names"),
    [(replace(SMALL, scene="still"), ["rate:32"]), (SMALL, []), (SMALL, ["rate:32", "rate:32"])],
)
def test_what_cannot_be_compared_is_refused(setting, names):
    with pytest.raises(OptionError):
        evaluate_scene(setting, rows(*names), make_front_end)


def test_a_faster_motion_gets_a_window_that_follows_it():
    slow, fast = (scene_truth(replace(SMALL, frequency_hz=hz)) for hz in (100.0, 700.0))
    assert following("interval", slow) == FrontSpec("interval", 32)
    chosen = following("interval", fast)
    assert chosen.window < 32
    assert min(fast.response(chosen.timing, motion) for motion in fast.scene.motions) > 0.3


def test_sweeps_measure_each_frequency_and_each_amplitude(close_up, monkeypatch):
    monkeypatch.setattr(sweeps, "FREQUENCIES_HZ", (100.0, 500.0))
    monkeypatch.setattr(sweeps, "AMPLITUDES_PX", (0.1,))
    short = replace(SMALL, periods=2.0)
    frequencies = sweep_frequency(short, ["interval"], make_front_end)
    assert [found.hz for found in frequencies] == [100.0, 500.0]
    assert all(found.rows[0].figures.kept_corrected == pytest.approx(1.0, abs=0.05) for found in frequencies)
    amplitudes = sweep_amplitude(short, rows("interval:16"), make_front_end)
    assert [found.px for found in amplitudes] == [0.1]
    assert all(found.rows[0].figures.kept_corrected == pytest.approx(1.0, abs=0.1) for found in amplitudes)


def test_front_ends_with_networks_are_rows_like_any_other(close_up, tmp_path):
    card = ModelCard(
        summary="Untrained.", data="None.", command="none", seed=0, figures={}, limits="All.", date="2025-01-31"
    )
    save_network(tmp_path / "pair.safetensors", CompactBSN(), architecture="compact", options={}, card=card)

    def make(spec):
        return make_front_end(spec, weights=tmp_path / "pair.safetensors" if spec.learned else None)

    found = evaluate_scene(replace(SMALL, periods=1.0), rows("interval:32", "bsn1:32", "bsn2:32", "mie:32"), make)
    assert [row.figures.frames for row in found.rows] == [found.rows[0].figures.frames] * 4
    assert found.row("mie:32").figures.response == pytest.approx(found.row("bsn1:32").figures.response)
    assert verdict(found.row("bsn2:32").figures) == "erased"


def test_gains_in_dim_light_are_over_the_short_and_over_the_best_window(close_up):
    gain = dim_gain(replace(SMALL, periods=1.0, light=0.1, noise=0.2), FrontSpec("rate", 32), make_front_end)
    psnr = {row.figures.row: row.figures.psnr_db for row in gain.result.rows}
    assert gain.over_short_db == pytest.approx(psnr["rate:32"] - psnr["interval:32"])
    assert gain.over_best_db == pytest.approx(psnr["rate:32"] - max(psnr.values()))
