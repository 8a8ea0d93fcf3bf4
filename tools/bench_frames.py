"""Milliseconds a frame of the stages that work on frames."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
import torch

from spikemm.batch import FrameBatch
from spikemm.magnification import MAGNIFIERS, make_magnifier
from spikemm.maps import MapSpec
from spikemm.upsampling import UPSAMPLERS, make_upsampler

__all__ = ["bench_magnify", "bench_upsample"]

_OFFLINE = "wire"
"""An upsampler that takes hours a frame."""

_HEIGHT, _WIDTH, _RATE_HZ, _HOP = 250, 400, 20_000, 20


def bench_magnify(seconds: float, repeats: int) -> dict[str, Any]:
    """Time every magnifier in static and band mode on frames of a moving texture."""
    stages = {
        f"{method}_{mode}": make_magnifier(
            method,
            alpha=10.0,
            mode=mode,
            band_hz=(280.0, 340.0) if mode == "band" else None,
            rate_hz=_RATE_HZ,
            hop=_HOP,
            front=MapSpec("interval", 32),
            height=_HEIGHT,
            width=_WIDTH,
        ).push
        for method, kind in MAGNIFIERS.items()
        if not kind.learned
        for mode in ("static", "band")
    }
    return _time_all(stages, seconds, repeats)


def bench_upsample(seconds: float, repeats: int) -> dict[str, Any]:
    """Time every upsampler at ×2 but those that are for hours."""
    stages = {
        f"{method}_x2": make_upsampler(method, scale=2.0, height=_HEIGHT, width=_WIDTH).push
        for method in UPSAMPLERS
        if method != _OFFLINE
    }
    return _time_all(stages, seconds, repeats)


def _time_all(stages: Mapping[str, Callable[[FrameBatch], object]], seconds: float, repeats: int) -> dict[str, Any]:
    """Best and all times by stage; one untimed pass before."""
    torch.set_num_threads(1)
    count = max(round(seconds * _RATE_HZ / _HOP), 8)
    pixels = _moving_texture(count)
    result: dict[str, Any] = {"height": _HEIGHT, "width": _WIDTH, "seconds": count * _HOP / _RATE_HZ}
    for name, push in stages.items():
        taken = []
        for repeat in range(repeats + 1):
            steps = (repeat * count + np.arange(count, dtype=np.int64)) * _HOP
            start = perf_counter()
            # One by one, as a live stream brings them.
            for i in range(count):
                push(FrameBatch(pixels[i : i + 1], steps[i : i + 1]))
            taken.append(1000 * (perf_counter() - start) / count)
        result |= {f"{name}_ms": min(taken[1:]), f"{name}_ms_all": taken[1:]}
    return result


def _moving_texture(count: int) -> torch.Tensor:
    """(count, H, W) frames of a plaid that sways by 0.3 px at 310 Hz."""
    rows, columns = torch.meshgrid(torch.arange(_HEIGHT), torch.arange(_WIDTH), indexing="ij")
    shift = 0.3 * torch.sin(2 * torch.pi * 310 * _HOP / _RATE_HZ * torch.arange(count))
    return 0.3 + 0.1 * torch.sin(0.4 * (columns - shift[:, None, None])) * torch.cos(0.3 * rows)
