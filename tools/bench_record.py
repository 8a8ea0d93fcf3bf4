"""Recording beside the disk it goes to: what a live camera sends, and what plain writes reach, in the same run."""

import mmap
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine.exceptions import EngineError
from engine.pipeline import parse_pipeline
from engine.supervisor import Supervisor
from spikemm.session import SessionCheck, SessionSteps
from tools.bench_link import Blocks

__all__ = ["LiveBlocks", "bench_record"]

_STEPS = 80
_RATE_HZ = 20_000
_BYTES_PER_S = _RATE_HZ * 12_500
_PLAIN_LIMIT = 1 << 30
_PLAIN_BLOCK = 4 << 20
_ROOM_LEFT = 1e9


class LiveBlocks(Blocks):
    """Send noise as a camera does: 250 MB/s, waiting for nobody."""

    live = True

    def setup(self) -> None:
        """Make the steps: nothing that a disk could compress."""
        super().setup()
        self._packed = np.random.default_rng(0).integers(0, 256, self._packed.shape, np.uint8)


def bench_record(seconds: float, folder: Path) -> dict[str, Any]:
    """Record a live camera of 250 MB/s, check every block, and remove it.

    Parameters
    ----------
    seconds : float
        How long the camera sends.
    folder : Path
        Where to: its disk is what is measured.

    Returns
    -------
    dict
        ``steps_sent``, ``steps_recorded``, ``steps_lost`` (the difference), of these ``lost_on_the_link`` (no processor
        for the recorder) and ``not_taken_by_the_disk``, ``gaps``, ``bad_blocks``, ``mb_per_s`` recorded,
        ``disk_mb_per_s`` of plain writes past the system's cache and ``cached_mb_per_s`` of such through it, right
        before, and ``record_cpu``, cores that the recorder took.

    Raises
    ------
    EngineError
        If there is no room for it.
    """
    needed = seconds * _BYTES_PER_S + _PLAIN_LIMIT + _ROOM_LEFT
    free = _free_bytes(folder)
    if free < needed:
        raise EngineError(
            f"{folder}: {needed / 1e9:.3g} GB are needed for {seconds:g} s and {free / 1e9:.3g} GB are free; "
            "take fewer seconds, or another folder"
        )
    with tempfile.TemporaryDirectory(prefix="spikemm-bench-", dir=folder) as place:
        disk = _disk_mb_per_s(Path(place), seconds)
        summary = _run(Path(place), seconds)
        found = _check(Path(place), summary)
    return {"seconds": seconds, "folder": str(folder), **found, **disk}


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _run(place: Path, seconds: float) -> dict[str, Any]:
    camera = {"type": "tools.bench_record:LiveBlocks", "steps": _STEPS, "seconds": seconds, "paced": True}
    recorder = {"inputs": "camera", "path": str(place), "keep_free_gb": 0}
    document = {"nodes": {"camera": camera, "record": recorder}}
    return Supervisor(parse_pipeline(document, folder=Path.cwd(), name="bench")).run()


def _check(place: Path, summary: dict[str, Any]) -> dict[str, Any]:
    sent = summary["nodes"]["camera"]["emitted"] * _STEPS
    elapsed = summary["nodes"]["camera"]["status"]["elapsed_s"]
    checks = [SessionCheck(SessionSteps(session)) for session in sorted(place.iterdir())]
    for check in checks:
        for _ in check.blocks():
            continue
    recorded = sum(check.steps.count for check in checks)
    return {
        "steps_sent": sent,
        "steps_recorded": recorded,
        "steps_lost": sent - recorded,
        "lost_on_the_link": summary["links"][0]["lost"] * _STEPS,
        "not_taken_by_the_disk": summary["nodes"]["record"]["counters"].get("steps_not_recorded", 0),
        "gaps": sum(len(check.steps.timeline.gaps) for check in checks),
        "bad_blocks": sum(len(check.bad_blocks) for check in checks),
        "mb_per_s": recorded * 12_500 / 1e6 / max(elapsed, 1e-9),
        "record_cpu": summary["nodes"]["record"]["cpu"],
        "record_rss_mb": summary["nodes"]["record"]["rss_mb"],
        "exit_status": summary["exit_status"],
    }


def _disk_mb_per_s(place: Path, seconds: float) -> dict[str, float]:
    """Write as much noise as is recorded, at most 1 GiB, wait until it is on the disk, and remove it.

    Once past the system's cache and once through it, where it may be bound by the memory that has to be found for it.
    """
    blocks = max(1, round(min(seconds * _BYTES_PER_S, _PLAIN_LIMIT) / _PLAIN_BLOCK))
    rates = {"disk_mb_per_s": _write(place / "disk.bin", blocks, getattr(os, "O_DIRECT", 0))}
    return rates | {"cached_mb_per_s": _write(place / "cached.bin", blocks, 0)}


def _write(path: Path, blocks: int, flags: int) -> float:
    block = mmap.mmap(-1, _PLAIN_BLOCK)  # on a page of its own, as a write past the cache has to be
    block.write(np.random.default_rng(1).bytes(_PLAIN_BLOCK))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | flags, 0o600)
    except OSError:  # a file system without a way past its cache
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    start = time.perf_counter()
    for _ in range(blocks):
        os.write(descriptor, block)
    os.fdatasync(descriptor)
    elapsed = time.perf_counter() - start
    os.close(descriptor)
    path.unlink()
    return blocks * _PLAIN_BLOCK / 1e6 / elapsed
