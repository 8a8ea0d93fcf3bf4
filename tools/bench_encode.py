"""Speed of the encoder, and of the same encodings in plain numpy."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikemm.encoding import Encoder
from spikemm.maps import MapSpec
from tools import numpy_baseline

__all__ = ["bench_encode"]

_HEIGHT, _WIDTH, _RATE_HZ = 250, 400, 20_000
_HOP, _CHUNK = 20, 80
_INTERVAL, _RATE = MapSpec("interval", 32), MapSpec("rate", 256)


def bench_encode(seconds: float, repeats: int) -> dict[str, Any]:
    """Time the encoder on a stream of `seconds`; see ``spikemm bench --help``.

    Returns
    -------
    dict
        ``realtime_factor`` and ``ours_ms_per_20_steps`` of the best repeat, those of all repeats, and the numpy
        versions' times.

    Raises
    ------
    ArithmeticError
        If ours and numpy's values differ.
    """
    steps = max(_CHUNK * round(seconds * _RATE_HZ / _CHUNK), 10 * _CHUNK)
    stream = _stream(steps)
    seconds = steps / _RATE_HZ
    ours = _time_ours(stream, repeats)
    _compare(stream)
    centre = steps // 2
    numpy_ms = {
        spec.name: _best_ms(partial(_in_numpy, spec, stream, centre), repeats)
        for spec in (_INTERVAL, _RATE, MapSpec("isi", 32))
    }
    ours_ms = 1000 * min(ours) / (steps / _HOP)
    return {
        "height": _HEIGHT,
        "width": _WIDTH,
        "seconds": seconds,
        "realtime_factor": seconds / min(ours),
        "realtime_factors": [seconds / taken for taken in ours],
        "ours_ms_per_20_steps": ours_ms,
        "numpy_interval_ms": numpy_ms["interval"],
        "numpy_rate_ms": numpy_ms["rate"],
        "numpy_isi_ms": numpy_ms["isi"],
        "ratio_to_numpy": (numpy_ms["interval"] + numpy_ms["rate"]) / ours_ms,
    }


def _stream(steps: int) -> NDArray[np.uint8]:
    """Packed steps of pixels of every brightness, each firing whenever its integral passes a whole number."""
    rng = np.random.default_rng(1)
    light = rng.uniform(0.02, 0.7, _HEIGHT * _WIDTH).astype(np.float32)
    integral = rng.random(_HEIGHT * _WIDTH, np.float32)
    packed = np.empty((steps, _HEIGHT * _WIDTH // 8), np.uint8)
    for step in range(steps):
        integral += light
        fired = integral >= 1
        integral -= fired
        packed[step] = np.packbits(fired, bitorder="little")
    return packed


def _time_ours(stream: NDArray[np.uint8], repeats: int) -> list[float]:
    """Seconds that each repeat takes; the first pass, untimed, compiles and fills the ring."""
    encoder = Encoder(_HEIGHT, _WIDTH, [_INTERVAL, _RATE], hop=_HOP)
    taken = []
    for repeat in range(repeats + 1):
        start = perf_counter()
        frames = 0
        for at in range(0, len(stream), _CHUNK):
            frames += len(encoder.push(stream[at : at + _CHUNK], repeat * len(stream) + at))
        taken.append(perf_counter() - start)
        if repeat and frames != len(stream) // _HOP:
            raise ArithmeticError(f"{frames} frames came from {len(stream)} steps at a hop of {_HOP}")
    return taken[1:]


def _compare(stream: NDArray[np.uint8]) -> None:
    """Hold every kind of frame against its numpy version."""
    specs = [_INTERVAL, _RATE, MapSpec("isi", 32)]
    windows = Encoder(_HEIGHT, _WIDTH, specs, hop=_HOP).push(stream, 0)[0]
    for spec in specs:
        expected = _in_numpy(spec, stream, windows.step)
        if not np.allclose(windows.maps[str(spec)], expected, rtol=1e-6, atol=1e-7):
            raise ArithmeticError(f"{spec} at step {windows.step} differs from its numpy version")


def _in_numpy(spec: MapSpec, stream: NDArray[np.uint8], t: int) -> NDArray[np.float32]:
    encode: Callable[..., NDArray[np.float32]] = getattr(numpy_baseline, spec.name)
    return encode(stream, t, spec.window, _HEIGHT, _WIDTH)


def _best_ms(work: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return 1000 * min(taken)
