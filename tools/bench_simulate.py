"""Speed of the simulated camera."""

from time import perf_counter
from typing import Any

from spikemm.simulator import Simulator, make_scene

__all__ = ["bench_simulate"]

_RATE_HZ = 20_000


def bench_simulate(seconds: float, repeats: int) -> dict[str, Any]:
    """Time the simulation of `seconds` of the tuning fork; one untimed pass before.

    Returns
    -------
    dict
        ``realtime_factor`` of the best repeat, and all of them.
    """
    scene = make_scene("tuning-fork")
    simulator = Simulator(scene, rate_hz=_RATE_HZ)
    steps = round(seconds * _RATE_HZ)
    factors = []
    for _ in range(repeats + 1):
        start = perf_counter()
        simulator.steps(steps)
        factors.append(steps / _RATE_HZ / (perf_counter() - start))
    return {
        "height": scene.height,
        "width": scene.width,
        "seconds": steps / _RATE_HZ,
        "realtime_factor": max(factors[1:]),
        "realtime_factors": factors[1:],
    }
