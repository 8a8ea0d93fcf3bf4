"""The tables of an evaluation: the same columns on the console, in the report and, as numbers, in tables.json."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from spikemm.evaluation import verdict

if TYPE_CHECKING:
    from rich.table import Table

    from spikemm.evaluation import RecordingResult, RowFigures, SceneResult
    from tools.evaluate_work import Evaluation

__all__ = [
    "FLOW_FIGURES",
    "PAPER",
    "RECORDING_COLUMNS",
    "SCENE_COLUMNS",
    "Column",
    "amount",
    "as_json",
    "averages",
    "brief_tables",
]

_NONE = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, what it says of a row, and whether the console has room for it."""

    heading: str
    cell: "Callable[[RowFigures], str]"
    brief: bool = True


@dataclass(frozen=True, slots=True)
class FlowFigure:
    """One of the paper's two figures on flow, in one of two readings.

    Attributes
    ----------
    title : str
    name : str
        Of the attribute of `FlowFigures`.
    paper : tuple of float
        The paper's averages for TFI, BSN1 and its own method.
    """

    title: str
    name: str
    paper: tuple[float, float, float]


PAPER = ("TFI", "BSN1", "proposed")
FLOW_FIGURES = (
    FlowFigure("Table I: flow consistency σ, px, pixel by pixel", "pixel_consistency", (0.3779, 0.0310, 0.0115)),
    FlowFigure("Table I again: of the picture's mean", "consistency", (0.3779, 0.0310, 0.0115)),
    FlowFigure("Table II: motion smoothness σ_S, px, pixel by pixel", "pixel_smoothness", (0.3186, 0.0339, 0.0152)),
    FlowFigure("Table II again: of the picture's mean", "smoothness", (0.3186, 0.0339, 0.0152)),
)


def amount(value: float | None, form: str = ".4f", factor: float = 1.0) -> str:
    """Write a number, or a dash where there is none."""
    return _NONE if value is None else format(factor * value, form)


def _flow(name: str) -> "Callable[[RowFigures], str]":
    return lambda figures: amount(getattr(figures.flow, name) if figures.flow else None)


def _number(name: str, form: str, factor: float = 1.0) -> "Callable[[RowFigures], str]":
    return lambda figures: amount(getattr(figures, name), form, factor)


def _corrected(figures: "RowFigures") -> str:
    erased = figures.kept_corrected is None and figures.kept is not None
    return "erased" if erased else amount(figures.kept_corrected, ".1f", 100.0)


_FLOW_COLUMNS = (
    Column("flow σ px", _flow("pixel_consistency")),
    Column("σ_S px", _flow("pixel_smoothness")),
    Column("mean's σ px", _flow("consistency"), brief=False),
    Column("mean's σ_S px", _flow("smoothness"), brief=False),
)

SCENE_COLUMNS = (
    Column("row", lambda figures: figures.row),
    Column("PSNR dB", _number("psnr_db", ".2f")),
    Column("moving dB", _number("psnr_moving_db", ".2f")),
    Column("SSIM", _number("ssim", ".4f")),
    Column("SSIM moving", _number("ssim_moving", ".4f"), brief=False),
    Column("amplitude %", _number("kept", ".1f", 100.0)),
    Column("response %", _number("response", ".1f", 100.0)),
    Column("corrected %", _corrected),
    *_FLOW_COLUMNS,
    Column("flicker %", _number("flicker", ".4f", 100.0)),
    Column("ms", _number("milliseconds", ".1f")),
    Column("", lambda figures: verdict(figures)),
)
"""Of a simulated scene; `amplitude` is what survives of the motion, `corrected` that over the window's response."""

RECORDING_COLUMNS = (
    Column("row", lambda figures: figures.row),
    Column("frames", lambda figures: str(figures.frames) if figures.frames else _NONE),
    Column("PSNR dB", _number("psnr_db", ".2f")),
    Column("SSIM", _number("ssim", ".4f")),
    Column("noise %", _number("noise", ".2f", 100.0)),
    *_FLOW_COLUMNS,
    Column("flicker %", _number("flicker", ".4f", 100.0)),
    Column("ms", _number("milliseconds", ".1f")),
    Column("", lambda figures: figures.note),
)
"""Of a recording."""


def averages(scenes: "Sequence[SceneResult]", name: str) -> dict[str, float]:
    """Return the mean over the scenes of one of the flow figures, for every row."""
    rows = [row.figures.row for row in scenes[0].rows] if scenes else []
    return {row: sum(getattr(scene.row(row).figures.flow, name) for scene in scenes) / len(scenes) for row in rows}


def brief_tables(evaluation: "Evaluation") -> "list[Table]":
    """Return what fits a console: a table a scene and a recording."""
    tables = [_rich(_title(scene), SCENE_COLUMNS, [row.figures for row in scene.rows]) for scene in evaluation.scenes]
    return tables + [
        _rich(f"{found.path.name}, {found.steps} steps", RECORDING_COLUMNS, [row.figures for row in found.rows])
        for found in evaluation.recordings
    ]


def _title(scene: "SceneResult") -> str:
    return f"{scene.setting.scene}, {scene.hz:g} Hz, {scene.px:g} px, a frame every {scene.hop} steps"


def _rich(title: str, columns: Sequence[Column], rows: "Sequence[RowFigures]") -> "Table":
    from rich.table import Table

    shown = [column for column in columns if column.brief and any(column.cell(row) != _NONE for row in rows)]
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for number, column in enumerate(shown):
        table.add_column(column.heading, justify="left" if number in (0, len(shown) - 1) else "right")
    for row in rows:
        table.add_row(*(column.cell(row) for column in shown))
    return table


def as_json(evaluation: "Evaluation") -> dict[str, Any]:
    """Return every figure of the evaluation as plain numbers."""
    from spikemm.evaluation import overall

    return {
        "rows": [str(row) for row in evaluation.rows],
        "flow_estimator": evaluation.estimator,
        "scenes": [_scene(scene) for scene in evaluation.scenes],
        "overall": [{"row": row, "psnr_db": psnr_db} for row, psnr_db in overall(evaluation.scenes)],
        "averages": {figure.name: averages(evaluation.scenes, figure.name) for figure in FLOW_FIGURES},
        "windows": [_scene(scene) for scene in evaluation.windows],
        "frequencies": [_scene(scene) for scene in evaluation.frequencies],
        "amplitudes": [_scene(scene) for scene in evaluation.amplitudes],
        "dim": [
            {
                "row": gain.row.row,
                "best_single_window": gain.best.row,
                "over_short_db": gain.over_short_db,
                "over_best_db": gain.over_best_db,
                **_scene(gain.result),
            }
            for gain in evaluation.dim
        ],
        "recordings": [_recording(found) for found in evaluation.recordings],
    }


def _scene(scene: "SceneResult") -> dict[str, Any]:
    facts = {"hz": scene.hz, "px": scene.px, "hop": scene.hop, "steps": scene.steps, "seconds": scene.seconds}
    rows = [{**asdict(row.figures), "verdict": verdict(row.figures)} for row in scene.rows]
    return {**facts, "setting": asdict(scene.setting), "rows": rows}


def _recording(found: "RecordingResult") -> dict[str, Any]:
    truth = found.aim.truth
    return {
        "path": str(found.path),
        "steps": found.steps,
        "hop": found.hop,
        "calibrated": found.calibrated,
        "static": list(found.aim.static),
        "truth_step": truth.step if truth else None,
        "truth_gain": truth.gain if truth else None,
        "rows": [asdict(row.figures) for row in found.rows],
    }
