"""The tables of an evaluation of magnifiers: the same cells on the console and in the report, numbers as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spikemm.evaluation.magnification import (
    LARGEST_OUTPUT_PX,
    AblationRow,
    Figures,
    GuideRow,
    OrdinaryFigures,
    StillFigures,
    Summary,
    guide,
    reachable,
    summaries,
)
from tools.evaluate_tables import amount

if TYPE_CHECKING:
    from rich.table import Table

    from tools.evaluate_magnification_work import MagnificationEvaluation

__all__ = [
    "GUIDE_HEADINGS",
    "SUMMARY_HEADINGS",
    "advice",
    "all_figures",
    "as_json",
    "brief_tables",
    "console_guide",
    "guide_cells",
    "left_out",
    "summary_cells",
]

GUIDE_HEADINGS = ("when", "combinations", "size nearest to the truth", "best picture", "cheapest within 10 %")
SUMMARY_HEADINGS = (
    "method",
    "within 3 %",
    "gain error, mean",
    "gain error, worst",
    "dB above leaving alone",
    "background px",
    "false px, scene at rest",
    "… with noise",
    "… by flicker",
    "ms a frame",
)

_ALONE = "leave it alone"


def guide_cells(row: GuideRow) -> list[str]:
    """Write a row of the guide; a method that makes the picture worse than it was does not win it."""
    size = f"{row.size[0]} (off by {row.size[1]:.1%})" if row.size else "–"
    picture = "–"
    if row.picture:
        name, decibels = row.picture
        picture = f"{name} ({decibels:+.1f} dB)" if decibels > 0.0 else f"{_ALONE} (best: {name}, {decibels:+.1f} dB)"
    cheapest = f"{row.cheapest[0]} ({row.cheapest[1]:.1f} ms)" if row.cheapest else "none"
    return [row.condition, str(row.cells), size, picture, cheapest]


def summary_cells(row: Summary) -> list[str]:
    """Write a method's row."""
    return [
        row.method,
        f"{row.right} of {row.cells}",
        amount(row.mean_error, ".1f", 100.0) + (" %" if row.mean_error is not None else ""),
        amount(row.worst_error, ".1f", 100.0) + (" %" if row.worst_error is not None else ""),
        amount(row.over_raw_db, "+.1f"),
        amount(row.worst_background_px, ".3f"),
        amount(row.still_px, ".3f"),
        amount(row.noisy_px, ".3f"),
        amount(row.flicker_px, ".3f"),
        amount(row.milliseconds, ".1f"),
    ]


def advice(found: "MagnificationEvaluation") -> list[str]:
    """Say in how many conditions each method wins, most wins first."""
    rows = _guide(found)
    said = []
    for title, picks in (
        ("Size nearest to the truth", [row.size for row in rows]),
        ("Best picture", [row.picture if row.picture and row.picture[1] > 0.0 else None for row in rows]),
        ("Cheapest within 10 % of the true size", [row.cheapest for row in rows]),
    ):
        wins = [pick[0] for pick in picks if pick]
        counts = sorted(((wins.count(name), name) for name in set(wins)), key=lambda pair: (-pair[0], pair[1]))
        told = ", ".join(f"{name} in {count}" for count, name in counts) or "none in any"
        said.append(f"{title}: {told} of {len(rows)} conditions.")
    return said


def left_out(found: "MagnificationEvaluation") -> list[str]:
    """Name every combination that was not measured, and why."""
    said = []
    plan = found.plan
    far = [
        f"{px:g} px × {alpha:g}"
        for px in plan.amplitudes_px
        for alpha in plan.alphas
        if alpha not in reachable(px, plan.alphas)
    ]
    if far:
        said.append(f"Over {LARGEST_OUTPUT_PX:g} px of output, asked of no method: {', '.join(far)}.")
    moving = [*found.grid, *(row for scene in found.scenes for row in scene.figures)]
    methods = _notes([*((row.method, row.note) for row in moving), *((row.method, row.note) for row in found.still)])
    fronts = _notes((f"front end {row.shot.front}", row.note) for row in found.fronts)
    upsamplers = _notes((f"upsampling {row.upsampling}", row.figures.note) for row in found.ablation)
    notes = {**upsamplers, **fronts, **methods}
    return said + [f"{', '.join(who)}: {note}" for note, who in notes.items()]


def _notes(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return who has each note."""
    notes: dict[str, list[str]] = {}
    for who, note in dict.fromkeys(rows):
        if note:
            notes.setdefault(note, []).append(who)
    return notes


def _guide(found: "MagnificationEvaluation") -> list[GuideRow]:
    return guide(found.grid, [row for scene in found.scenes for row in scene.figures], found.costs)


def console_guide(found: "MagnificationEvaluation") -> list[list[str]]:
    """Return the guide's cells."""
    return [guide_cells(row) for row in _guide(found)]


def all_figures(found: "MagnificationEvaluation") -> list[list[str]]:
    """Return the methods' rows."""
    return [summary_cells(row) for row in summaries(found.grid, found.still, found.costs)]


def brief_tables(found: "MagnificationEvaluation") -> "list[Table]":
    """Return what fits a console: the guide and the methods."""
    return [
        _rich("Which method to take when", GUIDE_HEADINGS, console_guide(found)),
        _rich("The methods, in quiet light; false motion at alpha 10", SUMMARY_HEADINGS, all_figures(found)),
    ]


def _rich(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def as_json(found: "MagnificationEvaluation") -> dict[str, Any]:
    """Return every figure of the evaluation as plain numbers."""
    scenes = [row for scene in found.scenes for row in scene.figures]
    return {
        "methods": list(found.plan.methods),
        "guide": [asdict(row) for row in _guide(found)],
        "summary": [asdict(row) for row in summaries(found.grid, found.still, found.costs)],
        "milliseconds": {"size": list(found.plan.timed), **found.costs},
        "grid": [_figures(row) for row in found.grid],
        "still": [_still(row) for row in found.still],
        "scenes": [_figures(row) for row in scenes],
        "fronts": [_figures(row) for row in found.fronts],
        "ablation": [_ablation(row) for row in found.ablation],
        "ordinary": [_ordinary(row) for row in found.ordinary],
        "seconds": found.seconds,
    }


def _figures(row: Figures) -> dict[str, Any]:
    shot = {**asdict(row.shot), "front": str(row.shot.front), "hz": row.shot.hz, "hop": row.shot.hop}
    numbers: dict[str, Any] = {**asdict(row), "shot": shot, "over_raw_db": row.over_raw_db}
    return numbers


def _still(row: StillFigures) -> dict[str, Any]:
    numbers: dict[str, Any] = {**asdict(row), "shot": {**asdict(row.shot), "front": str(row.shot.front)}}
    return numbers


def _ablation(row: AblationRow) -> dict[str, Any]:
    return {
        "upsampling": row.upsampling,
        "amplitude_px": row.amplitude_px,
        "contrast": row.contrast,
        "steepness": row.steepness,
        **_figures(row.figures),
    }


def _ordinary(row: OrdinaryFigures) -> dict[str, Any]:
    names = ("alpha", "method", "seen_hz", "seen_px", "kept", "magnified_px", "spikes_px")
    return {
        "scene": row.shot.scene,
        "hz": row.shot.hz,
        "px": row.shot.px,
        **{name: getattr(row, name) for name in names},
    }
