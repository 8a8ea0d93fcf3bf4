"""What an evaluation leaves behind: report.html, tables.json, and a summary on the console."""

import json
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import typer

from nodes.files.output_file import writing
from spikemm.whole_file import whole_file
from tools.evaluate_tables import as_json, brief_tables
from tools.evaluate_work import Evaluation
from tools.machine import machine
from tools.report.evaluation_report import evaluation_report
from tools.report.scene_sections import flow_sentences, winner_sentences
from tools.tables import console

__all__ = ["write"]

_PACKAGES = ("spikemm", "torch", "numpy", "opencv-python-headless")


def write(evaluation: Evaluation, out: Path, threads: int) -> None:
    """Write report and tables into the folder `out`, and the main ones to the console."""
    facts = _facts(evaluation, threads)
    _write_whole(out / "tables.json", json.dumps({**facts, **as_json(evaluation)}, indent=1))
    _write_whole(out / "report.html", evaluation_report(evaluation, facts))
    for table in brief_tables(evaluation):
        console().print(table)
    for sentence in [*winner_sentences(evaluation.scenes), *flow_sentences(evaluation.scenes)]:
        typer.echo(sentence)
    typer.echo(f"{out / 'report.html'}, {out / 'tables.json'}")


def _write_whole(path: Path, text: str) -> None:
    with writing(path), whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _facts(evaluation: Evaluation, threads: int) -> dict[str, str]:
    scenes = [scene.setting.scene for scene in evaluation.scenes]
    recordings = [str(found.path) for found in evaluation.recordings]
    return {
        "data": ", ".join([*(f"{scene} (simulated)" for scene in scenes), *recordings]),
        "command": "spikemm " + shlex.join(sys.argv[1:]),
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "machine": machine(),
        "threads": str(threads),
        "optical flow": evaluation.estimator,
    }
