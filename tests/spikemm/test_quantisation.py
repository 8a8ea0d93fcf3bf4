import numpy as np
import pytest
import torch

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec
from spikemm.packing import pack
from spikemm.quantisation import QuantisationVariance
from spikemm.ring import SpikeRing


def trains(light, steps, rng):
    """Pixels of equal light and every phase, as an ideal sensor sees them: (steps, 1, pixels)."""
    integral = light * np.arange(steps + 1)[:, None] + rng.random(2000)
    return np.diff(np.floor(integral), axis=0).astype(np.uint8)[:, None]


@pytest.mark.parametrize("text", ["interval:32", "interval:32+128", "interval:256/8+256", "rate:32"])
def test_it_is_what_pixels_of_random_phase_show(text):
    spec, rng = MapSpec.parse(text), np.random.default_rng(0)
    short = spec.window // spec.parts
    for light in (0.0137, 0.043, 0.11, 0.31, 0.67):
        # A few per cent of light, over which the table is smooth.
        lights = light * np.linspace(0.98, 1.02, 9)
        found = []
        for value in lights:
            ring = SpikeRing(1, 2000, 1200)
            ring.push(pack(trains(value, 1200, rng)))
            one = ring.rate(600, short) if spec.name == "rate" else ring.interval(600, short, spec.reach)
            found.append(float(one.var()))
        told = float(QuantisationVariance(spec)(torch.tensor(light)))
        assert told == pytest.approx(np.mean(found), rel=0.3, abs=(0.5 / 65535) ** 2)


def test_that_of_a_rate_is_the_count_s_fraction():
    light = torch.tensor([0.0231, 0.172, 0.39])
    part = (32 * light) % 1.0
    told = QuantisationVariance(MapSpec("rate", 32))(light)
    assert told.numpy() == pytest.approx((part * (1 - part) / 32**2).numpy(), rel=0.3)


def test_every_light_has_one():
    told = QuantisationVariance(MapSpec("interval", 32))(torch.tensor([[0.0, -1.0], [1.0, 2.0]]))
    assert told.shape == (2, 2) and bool((told > 0).all()) and bool(torch.isfinite(told).all())


def test_other_maps_are_refused():
    with pytest.raises(OptionError, match="isi:32 is not known: take a rate or an interval"):
        QuantisationVariance(MapSpec("isi", 32))
