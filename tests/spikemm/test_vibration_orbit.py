import numpy as np
import pytest

from spikemm.vibration.orbit import component, orbit_of, phase_between

FPS, HZ = 1000.0, 47.3
T = np.arange(700) / FPS


def ellipse(major, minor, angle_deg, *, clockwise):
    """Go round an ellipse; y is down, so right → down is clockwise as seen on the picture."""
    along, across = major * np.cos(2 * np.pi * HZ * T), minor * np.sin(2 * np.pi * HZ * T) * (1 if clockwise else -1)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.stack((c * along - s * across, s * along + c * across), axis=1)


@pytest.mark.parametrize("clockwise", [True, False])
@pytest.mark.parametrize("angle", [-60.0, 0.0, 25.0, 80.0])
def test_the_ellipse_of_an_orbit_is_found(angle, clockwise):
    orbit = orbit_of(*component(ellipse(0.4, 0.1, angle, clockwise=clockwise), FPS, HZ))
    assert orbit.major_px == pytest.approx(0.4, rel=1e-3)
    assert orbit.minor_px == pytest.approx(0.1, rel=5e-3)
    assert orbit.angle_deg == pytest.approx(angle, abs=0.2)
    assert orbit.clockwise == clockwise


def test_a_motion_along_a_line_has_no_minor_axis():
    orbit = orbit_of(*component(ellipse(0.4, 0.0, 30.0, clockwise=True), FPS, HZ))
    assert orbit.minor_px < 1e-3
    assert orbit.angle_deg == pytest.approx(30.0, abs=0.2)


def test_the_amplitude_at_a_frequency_is_blind_to_drift_and_other_tones():
    sine = 0.2 * np.cos(2 * np.pi * HZ * T + 0.7)
    found = complex(component(sine + 3.0 + 5.0 * T + 0.5 * np.sin(2 * np.pi * 120.0 * T), FPS, HZ))
    assert abs(found) == pytest.approx(0.2, rel=2e-3)
    assert np.angle(found) == pytest.approx(0.7, abs=2e-3)


@pytest.mark.parametrize("lead_deg", [-150.0, -30.0, 0.0, 90.0, 179.0])
def test_the_phase_between_two_regions_is_how_far_one_runs_ahead(lead_deg):
    other = np.stack((0.3 * np.cos(2 * np.pi * HZ * T), 0.1 * np.cos(2 * np.pi * HZ * T)), axis=1)
    turned = np.cos(2 * np.pi * HZ * T + np.radians(lead_deg))
    one = np.stack((0.6 * turned, 0.2 * turned), axis=1)
    found = phase_between(component(one, FPS, HZ), component(other, FPS, HZ))
    assert found == pytest.approx(lead_deg, abs=0.2)
