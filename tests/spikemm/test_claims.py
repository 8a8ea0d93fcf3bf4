"""Every method does what it says of itself. Truth: pictures computed at their moved places."""

import numpy as np
import pytest
import torch
from scipy.special import erf

from spikemm.batch import FrameBatch
from spikemm.magnification import MAGNIFIERS, make_magnifier
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ, BAND = 20_000.0, 20, 50.0, (38.0, 66.0)
HEIGHT, WIDTH = 72, 104
ROI = (28, 20, 48, 32)
SETTLED, MEASURED = 60, 40


def texture(finest):
    """Plane waves of `finest` to 40 px a period; give the picture moved by dx to the right."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k = 2 * np.pi / np.exp(random.uniform(np.log(finest), np.log(40.0), 40))
    angle, phase = random.uniform(-1.2, 1.2, 40), random.uniform(0, 6.28, 40)
    across, along = k * np.cos(angle), k * np.sin(angle)
    weight = 0.1 / k / np.sqrt((0.5 / k**2).sum())

    def moved(dx):
        waves = np.cos(across * (x[..., None] - dx) + along * y[..., None] + phase)
        return 0.35 + waves @ weight

    return moved


def edge(dx):
    """A slanted edge, moved by dx to the right."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return 0.4 + 0.2 * erf((x - dx - WIDTH / 2 + 0.1 * (y - HEIGHT / 2)) / np.sqrt(2.0))


def cases():
    """The ends of the claims, and a place between: inputs by alpha."""
    for method, kind in MAGNIFIERS.items():
        claim = kind.claim
        low, high = claim.input_px
        for amplitude, alpha in ((low, 50.0), (float(np.sqrt(low * high)), 10.0), (high, 100.0), (high, 2.0)):
            alpha = min(alpha, claim.output_px / amplitude)
            if (alpha - 1.0) * amplitude >= claim.added_px:
                yield pytest.param(method, amplitude, alpha, id=f"{method}, {amplitude:.3f} px × {alpha:.1f}")


def shown_gain(magnifier, picture, amplitude):
    steps = np.arange(SETTLED + MEASURED) * HOP
    moves = amplitude * np.sin(2 * np.pi * HZ * steps / RATE_HZ)
    frames = torch.tensor(np.stack([picture(dx) for dx in moves]), dtype=torch.float32)
    out = magnifier.push(FrameBatch(frames, steps)).pixels[SETTLED:]
    found = displacement(out, ROI, reference=picture(0.0))[:, 0]
    across = displacement(picture(0.1)[None], ROI, reference=picture(0.0))[0, 0] / 0.1
    return fit_sine(found, steps[SETTLED:], RATE_HZ, HZ).amplitude / amplitude / across


@pytest.mark.parametrize("method", MAGNIFIERS)
def test_a_claim_is_at_most_a_quarter_wide_and_written_in_the_docstring(method):
    kind = MAGNIFIERS[method]
    assert kind.claim.gain <= 0.25
    assert f"{kind.claim.input_px[0]:g} to {kind.claim.input_px[1]:g} px" in " ".join(kind.__doc__.split())


@pytest.mark.parametrize("shape", ["texture", "edge"])
@pytest.mark.parametrize(("method", "amplitude", "alpha"), list(cases()))
def test_the_gain_is_what_the_method_claims(method, amplitude, alpha, shape):
    claim = MAGNIFIERS[method].claim
    magnifier = make_magnifier(
        method,
        alpha=alpha,
        mode="band",
        band_hz=BAND,
        rate_hz=RATE_HZ,
        hop=HOP,
        front=MapSpec("rate", 1),
        height=HEIGHT,
        width=WIDTH,
    )
    picture = edge if shape == "edge" else texture(claim.wavelength_px)
    assert shown_gain(magnifier, picture, amplitude) == pytest.approx(alpha, rel=claim.gain)
