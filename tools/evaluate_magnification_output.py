"""What an evaluation of magnifiers leaves behind: report.html, tables.json, videos, and a summary on the console."""

import json
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import typer

from tools.evaluate_magnification_tables import advice, as_json, brief_tables, left_out
from tools.evaluate_magnification_work import MagnificationEvaluation
from tools.machine import machine
from tools.report.magnification_report import magnification_report
from tools.tables import console

__all__ = ["write"]

_PACKAGES = ("spikemm", "torch", "numpy")


def write(found: MagnificationEvaluation, out: Path, threads: int) -> None:
    """Write report and tables into the folder `out`, and the main ones to the console."""
    facts = {
        "data": ", ".join(f"{scene} (simulated)" for scene in found.plan.scenes),
        "command": "spikemm " + shlex.join(sys.argv[1:]),
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "machine": machine(),
        "threads": str(threads),
        "took": f"{found.seconds / 60.0:.1f} minutes",
    }
    (out / "tables.json").write_text(json.dumps({**facts, **as_json(found)}, indent=1), encoding="utf-8")
    (out / "report.html").write_text(magnification_report(found, facts), encoding="utf-8")
    for table in brief_tables(found):
        console().print(table)
    for sentence in [*advice(found), *left_out(found)]:
        typer.echo(sentence)
    typer.echo(", ".join(str(path) for path in [out / "report.html", out / "tables.json", *_videos(found)]))


def _videos(found: MagnificationEvaluation) -> list[Path]:
    return [scene.video for scene in found.scenes]
