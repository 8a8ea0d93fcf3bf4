"""What a figure was measured on."""

import os
import platform
from pathlib import Path

__all__ = ["machine"]


def machine() -> str:
    """Name processor, cores, system and Python, for whoever reads the figures elsewhere."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
