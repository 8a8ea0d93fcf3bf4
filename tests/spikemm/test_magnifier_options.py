"""Where and along which axis motion is magnified, and what a shaking camera does to it."""

import numpy as np
import pytest
import torch

from spikemm.batch import FrameBatch
from spikemm.exceptions import OptionError
from spikemm.magnification import make_magnifier
from spikemm.magnification.stabiliser import Stabiliser
from spikemm.maps import MapSpec
from spikemm.metrics import displacement, fit_sine

RATE_HZ, HOP, HZ = 20_000.0, 20, 310.0
HEIGHT, WIDTH = 80, 120
LEFT, RIGHT = (16, 20, 32, 40), (72, 20, 32, 40)


def texture(dx=0.0, dy=0.0):
    """A sum of plane waves, moved by (dx, dy)."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    k, angle, phase = random.uniform(0.15, 1.0, 40), random.uniform(0, np.pi, 40), random.uniform(0, 6.28, 40)
    waves = [
        np.cos(q * np.cos(a) * (x - dx) + q * np.sin(a) * (y - dy) + p) / q
        for q, a, p in zip(k, angle, phase, strict=True)
    ]
    return 0.35 + 0.12 * np.sum(waves, axis=0) / np.sqrt((0.5 / k**2).sum())


def half_moving(dx, shake=(0.0, 0.0)):
    """The right half vibrates by dx, the left one stands still; the camera shakes."""
    left, right = texture(*shake), texture(dx + shake[0], shake[1])
    share = 1 / (1 + np.exp(-(np.mgrid[:HEIGHT, :WIDTH][1] - WIDTH / 2 - shake[0])))
    return left + share * (right - left)


def magnify(frames, method="warp", **options):
    band = {"mode": "band", "band_hz": (250.0, 380.0)}
    fixed = {"rate_hz": RATE_HZ, "hop": HOP, "front": MapSpec("rate", 1), "height": HEIGHT, "width": WIDTH}
    pixels = torch.tensor(np.stack(frames), dtype=torch.float32)
    return make_magnifier(method, **{"alpha": 10.0, **band, **fixed, **options}).push(
        FrameBatch(pixels, np.arange(len(pixels)) * HOP)
    )


def moves(amplitude, count=64, hz=HZ):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(count) * HOP / RATE_HZ)


def amplitudes(batch, roi, hz=HZ, reference=None):
    """Amplitude of x and of y once the filter has settled."""
    found = displacement(batch.pixels[32:], roi, texture() if reference is None else reference)
    return [fit_sine(found[:, axis], batch.steps[32:], RATE_HZ, hz).amplitude for axis in (0, 1)]


@pytest.mark.parametrize("method", ["warp", "riesz", "phase"])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_along_one_axis_the_other_is_left_as_it_is(method, axis):
    out = magnify([texture(d, d) for d in moves(0.1)], method, axis=axis, alpha=5.0)
    shown = amplitudes(out, (24, 16, 72, 48))
    along, across = shown if axis == "x" else shown[::-1]
    assert along == pytest.approx(0.5, rel=0.25)
    assert across == pytest.approx(0.1, abs=0.08)  # of 0.5 px if it were magnified


def test_a_method_that_knows_no_direction_takes_no_axis():
    with pytest.raises(OptionError, match="axis x: this method does not know where motion goes; take warp"):
        magnify([texture()], "linear", axis="x")


@pytest.mark.parametrize("method", ["warp", "linear"])
def test_outside_the_regions_nothing_is_magnified(method):
    out = magnify([texture(d) for d in moves(0.05)], method, regions=(LEFT,), alpha=5.0)
    assert amplitudes(out, LEFT)[0] == pytest.approx(0.25, rel=0.15)
    assert amplitudes(out, RIGHT)[0] == pytest.approx(0.05, rel=0.1)
    beyond = np.s_[:, :, LEFT[0] + LEFT[2] + 8 :]
    assert torch.equal(out.pixels[beyond], out.raw[beyond])


def test_two_regions_are_both_magnified():
    out = magnify([texture(d) for d in moves(0.05)], regions=(LEFT, RIGHT))
    for roi in (LEFT, RIGHT):
        x, y, width, height = roi
        assert amplitudes(out, (x + 8, y + 8, width - 16, height - 16))[0] == pytest.approx(0.5, rel=0.1)


def test_a_camera_s_shake_is_neither_magnified_nor_shown():
    shake = 0.8 * np.sin(np.arange(64) * 2 * np.pi * 300.0 * HOP / RATE_HZ)
    frames = [half_moving(d, (s, -0.5 * s)) for d, s in zip(moves(0.1), shake, strict=True)]
    steadied = magnify(frames, steady=LEFT)
    rest = half_moving(0.0)
    assert max(amplitudes(steadied, LEFT, 300.0, rest)) < 0.02
    assert amplitudes(steadied, RIGHT, HZ, rest)[0] == pytest.approx(1.0, rel=0.1)
    assert amplitudes(magnify(frames), LEFT, 300.0, rest)[0] > 2.0


def test_the_shift_of_the_camera_is_measured_whatever_the_light_does():
    stabiliser = Stabiliser(LEFT, HEIGHT, WIDTH, "cpu")
    stabiliser.push(torch.tensor(texture(), dtype=torch.float32), 0.0)
    for dx, dy, light in ((0.3, -0.2, 1.0), (1.5, 0.4, 1.1), (2.6, 1.0, 0.8)):
        back = stabiliser.push(torch.tensor(light * texture(dx, dy), dtype=torch.float32), 0.001)
        assert stabiliser.shift.flatten().tolist() == pytest.approx([dx, dy], abs=0.02)
        assert np.abs(back.numpy() - light * texture())[8:-8, 8:-8].max() < 0.02


def test_a_region_without_any_structure_steadies_nothing():
    stabiliser = Stabiliser(LEFT, HEIGHT, WIDTH, "cpu")
    flat = torch.full((HEIGHT, WIDTH), 0.3)
    stabiliser.push(flat, 0.0)
    assert torch.equal(stabiliser.push(1.1 * flat, 0.001), 1.1 * flat)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"regions": ((100, 0, 40, 20),)},
            r"region \[100, 0, 40, 20\] \(x, y, width, height\) is not inside frames of 120×80",
        ),
        ({"steady": (0, 0, 8, 40)}, "steady region of 8×40 px is too small: 16×16 at least"),
        ({"axis": "z"}, "axis 'z' is unknown; take x, y or none"),
        ({"weights": "w.safetensors"}, "weights w.safetensors: this method has no networks"),
    ],
)
def test_what_does_not_fit_is_refused(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        magnify([texture()], **options)
