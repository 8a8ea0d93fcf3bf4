import numpy as np
import pytest

from spikemm.exceptions import OptionError, ShapeError
from spikemm.vibration.spectrum import analyse

FPS, N = 2000.0, 1000
T = np.arange(N) / FPS


def noise(sigma, seed=0, n=N):
    return sigma * np.random.default_rng(seed).standard_normal((n, 2))


def sine(hz, px, phase_deg=0.0):
    return px * np.sin(2 * np.pi * hz * T + np.radians(phase_deg))


@pytest.mark.parametrize("hz", [20.0, 47.3, 310.0, 871.25])
def test_tones_are_within_three_sigma_of_the_cramer_rao_bound(hz):
    sigma, px = 0.02, 0.1
    bound_px = sigma * np.sqrt(2.0 / N)
    bound_hz = np.sqrt(6.0) * sigma / (np.pi * px * (N / FPS) * np.sqrt(N))
    for seed in range(5):
        data = noise(sigma, seed)
        data[:, 0] += sine(hz, px, 40.0)
        (peak,) = analyse(data, FPS).x.peaks
        # A taper of a quarter costs a tenth of the information.
        assert abs(peak.hz - hz) < 1.15 * 3.5 * bound_hz
        assert abs(peak.px - px) < 1.15 * 3.5 * bound_px
        assert peak.snr_db == pytest.approx(20 * np.log10(px / bound_px), abs=3.0)


def test_phase_is_that_at_time_zero():
    data = noise(1e-4)
    data[:, 1] += sine(100.0, 0.1, 30.0)
    assert analyse(data, FPS).y.peaks[0].phase_deg == pytest.approx(30.0, abs=0.5)
    later = analyse(data, FPS, start_s=0.0025).y.peaks[0].phase_deg  # a quarter of a period
    assert later == pytest.approx(-60.0, abs=0.5)


def test_two_tones_three_cycles_apart_are_two():
    data = noise(1e-3)
    data[:, 0] += sine(300.0, 0.1, 10.0) + sine(306.0, 0.05, 170.0)
    found = [(peak.hz, peak.px) for peak in analyse(data, FPS).x.peaks]
    np.testing.assert_allclose(found, [(300.0, 0.1), (306.0, 0.05)], rtol=0.01)
    np.testing.assert_allclose([hz for hz, _ in found], [300.0, 306.0], rtol=5e-4)


def test_a_faint_tone_far_below_a_strong_one_is_found_and_nothing_else():
    data = noise(1e-4)
    data[:, 0] += sine(123.4, 1.0) + sine(411.1, 0.001)
    assert [round(peak.hz) for peak in analyse(data, FPS).x.peaks] == [123, 411]


def test_noise_alone_shows_no_peak():
    assert not any(axis.peaks for seed in range(40) for axis in both(analyse(noise(0.1, seed), FPS)))


def both(found):
    return found.x, found.y


@pytest.mark.parametrize("shape", ["drift", "wander"])
def test_slow_movement_is_no_vibration(shape):
    for seed in range(10):
        data = noise(1e-3, seed)
        walk = np.cumsum(np.random.default_rng(seed).standard_normal((N, 2)), axis=0)
        data += np.outer(T**2 - 3 * T**3, [1, 1]) if shape == "drift" else 1e-3 * walk
        assert not any(axis.peaks for axis in both(analyse(data, FPS, band_hz=(12.0, 900.0))))


def test_the_noise_density_is_that_of_the_samples():
    found = analyse(noise(0.05), FPS).x
    assert found.noise_density_px_per_sqrt_hz == pytest.approx(0.05 * np.sqrt(2 / FPS), rel=0.1)


def test_a_tone_at_twice_the_noise_floor_is_found_and_none_below_it_is_listed():
    floor = analyse(noise(0.05), FPS).x.noise_floor_px
    for seed in range(10):
        data = noise(0.05, seed)
        data[:, 0] += sine(333.3, 2.0 * floor)
        found = analyse(data, FPS).x
        assert found.peaks[0].hz == pytest.approx(333.3, abs=0.5)
        assert all(peak.px > found.noise_floor_px for peak in found.peaks)


def test_what_the_window_hides_is_given_back():
    data = noise(1e-3)
    data[:, 0] += 0.5 * sine(300.0, 0.2)
    found = analyse(data, FPS, kept=lambda hz: 0.5)
    plain = analyse(data, FPS)
    assert found.x.peaks[0].px == pytest.approx(0.2, rel=0.01)
    assert found.x.noise_floor_px == pytest.approx(2 * plain.x.noise_floor_px)


def test_where_the_window_keeps_too_little_nothing_is_searched():
    data = noise(1e-3)
    data[:, 0] += sine(600.0, 0.2)
    found = analyse(data, FPS, kept=lambda hz: 1.0 - hz / 700.0)
    assert not found.x.peaks
    assert found.band_hz[1] == pytest.approx(490.0, abs=3.0)


def test_a_band_leaves_out_what_is_beyond_it():
    data = noise(1e-3)
    data[:, 0] += sine(300.0, 0.2) + sine(500.0, 0.1)
    assert [round(peak.hz) for peak in analyse(data, FPS, band_hz=(400.0, 600.0)).x.peaks] == [500]


def test_a_hundredth_of_a_motion_across_it_is_no_motion_of_its_own():
    data = noise(1e-4)
    data += np.outer(sine(200.0, 0.5), [1.0, 0.01]) + np.outer(sine(310.0, 0.1), [1.0, 0.5])
    found = analyse(data, FPS)
    assert [round(peak.hz) for peak in found.x.peaks] == [200, 310]
    assert [round(peak.hz) for peak in found.y.peaks] == [310]


def test_an_axis_that_shows_nothing_has_no_floor():
    data = noise(1e-3)
    data[:, 1] = 0.0
    found = analyse(data, FPS).y
    assert (found.noise_floor_px, found.peaks) == (np.inf, ())


def test_rms_and_peak_to_peak_are_those_of_the_displacement():
    data = np.outer(sine(100.0, 0.3), [1.0, 0.0]) + noise(1e-4)
    found = analyse(data, FPS).x
    assert found.rms_px == pytest.approx(0.3 / np.sqrt(2), rel=0.01)
    assert found.peak_to_peak_px == pytest.approx(0.6, rel=0.02)


def test_the_spectrum_shows_the_amplitude():
    found = analyse(np.outer(sine(100.0, 0.3), [1.0, 1.0]), FPS).x
    assert found.frequencies_hz[found.spectrum.argmax()] == 100.0
    assert found.spectrum.max() == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("band", [(10.0, 5.0), (-1.0, 50.0), (1200.0, 1500.0), (0.5, 2.0)])
def test_a_band_that_this_record_cannot_show_is_refused(band):
    with pytest.raises(OptionError, match="band"):
        analyse(noise(0.1), FPS, band_hz=band)


def test_samples_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="displacement of shape"):
        analyse(np.zeros((1000, 3)), FPS)


def test_the_waveform_is_what_the_scene_did_and_not_what_the_window_left():
    motion = sine(100.0, 0.3)
    found = analyse(np.outer(0.5 * motion, [1.0, 0.0]) + noise(1e-4), FPS, kept=lambda hz: 0.5).x
    assert found.waveform == pytest.approx(motion, abs=0.003)
    assert found.rms_px == pytest.approx(0.3 / np.sqrt(2), rel=0.01)
