"""Throughput and latency of a link: a source and a sink in processes of their own, with everything that a run has."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from engine import Source, Wait
from engine.pipeline import parse_pipeline
from engine.supervisor import Supervisor
from nodes.messages import Spikes

__all__ = ["Blocks", "bench_link"]

_HEIGHT, _WIDTH, _RATE_HZ = 250, 400, 20_000
_SIZES = {"1_mb": 80, "5_mb": 400}
"""Steps of 12,500 bytes in a message."""


class BlocksOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `Blocks`."""

    steps: Annotated[int, Meta(ge=1, description="Steps in a message.")]
    seconds: Annotated[float, Meta(gt=0, description="How long it sends.")]
    paced: Annotated[bool, Meta(description="At the sensor's rate; otherwise as fast as the link takes them.")]


class Blocks(Source):
    """Send the same steps over and over."""

    Options = BlocksOptions
    emits = Spikes

    def setup(self) -> None:
        """Make the steps."""
        self._packed = np.ones((self.options.steps, _HEIGHT * _WIDTH // 8), np.uint8)
        self._sent = 0
        self._start = 0.0
        self._elapsed_s = 0.0

    def produce(self) -> Spikes | Wait | None:
        """Return the next message when it is due; the end after `seconds`."""
        now = self.context.clock.now()
        self._start = self._start or now
        due = self._start + self._sent * self.options.steps / _RATE_HZ
        if self.options.paced and now < due:
            return Wait(due)
        self._elapsed_s = now - self._start
        if self._elapsed_s >= self.options.seconds:
            return None
        step = self._sent * self.options.steps
        self._sent += 1
        return Spikes(
            step=step, count=self.options.steps, rate_hz=_RATE_HZ, packed=self._packed, height=_HEIGHT, width=_WIDTH
        )

    def status(self) -> dict[str, Any]:
        """How long it has been sending."""
        return {"elapsed_s": self._elapsed_s}


def bench_link(seconds: float, repeats: int) -> dict[str, Any]:
    """Time a `block` link at full speed, and the age of messages that come as a camera sends them (250 MB/s).

    Returns
    -------
    dict
        For messages of 1 MB and 5 MB: ``gb_per_s`` (best and all), ``age_ms_p50`` and ``age_ms_p99`` of the paced run
        of lowest p50.
    """
    result: dict[str, Any] = {"seconds": seconds}
    for size, steps in _SIZES.items():
        full = [_gb_per_s(_run(steps, seconds, paced=False)) for _ in range(repeats)]
        ages = [_run(steps, seconds, paced=True)["links"][0]["age_ms"] for _ in range(repeats)]
        best = min(ages, key=lambda age: float(age["p50"]))
        result |= {f"{size}_gb_per_s": max(full), f"{size}_gb_per_s_all": full}
        result |= {f"{size}_age_ms_p50": best["p50"], f"{size}_age_ms_p99": best["p99"]}
    return result


def _run(steps: int, seconds: float, *, paced: bool) -> dict[str, Any]:
    document = {
        "nodes": {
            "blocks": {"type": "tools.bench_link:Blocks", "steps": steps, "seconds": seconds, "paced": paced},
            "null": {"inputs": "blocks", "policy": "block"},
        }
    }
    return Supervisor(parse_pipeline(document, folder=Path.cwd(), name="bench")).run()


def _gb_per_s(summary: dict[str, Any]) -> float:
    return float(summary["links"][0]["bytes"] / 1e9 / summary["nodes"]["blocks"]["status"]["elapsed_s"])
