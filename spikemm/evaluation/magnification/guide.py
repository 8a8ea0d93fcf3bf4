"""Which method to take when, from what was measured and from nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikemm.evaluation.magnification.figures import Figures
from spikemm.evaluation.magnification.still import StillFigures

__all__ = ["CLOSE", "RIGHT", "GuideRow", "Summary", "guide", "summaries"]

RIGHT, CLOSE = 0.03, 0.10
"""Gain errors up to which a cell counts as right, and a method as close enough for its cost to count."""

_TOLD_ALPHA = 10.0

Pick = tuple[str, float]


@dataclass(frozen=True, slots=True)
class GuideRow:
    """The winners under one condition; None where no method was measured.

    Attributes
    ----------
    condition : str
    cells : int
        How many combinations of shot and factor it covers.
    size : tuple or None
        Method of the least mean gain error, and that error.
    picture : tuple or None
        Method of the highest PSNR above leaving the frames alone, and that in dB.
    cheapest : tuple or None
        Cheapest method whose mean gain error is at most 10 %, and its ms a frame.
    """

    condition: str
    cells: int
    size: Pick | None
    picture: Pick | None
    cheapest: Pick | None


@dataclass(frozen=True, slots=True)
class Summary:
    """One method over all cells in quiet light, and over the scenes at rest.

    Attributes
    ----------
    method : str
    cells, right : int
        How many cells were measured, and in how many the gain is within 3 %.
    mean_error, worst_error : float or None
        Of the gain.
    over_raw_db : float or None
        Mean PSNR above leaving the frames alone.
    worst_background_px : float or None
        At alpha 10: largest displacement of what should stand still beside what moves.
    still_px, noisy_px, flicker_px : float or None
        At alpha 10: largest false motion of a quiet and of a noisy scene at rest, amplitude of that by flicker.
    milliseconds : float or None
        A frame of 250×400.
    note : str
        Why it was not measured.
    """

    method: str
    cells: int
    right: int
    mean_error: float | None
    worst_error: float | None
    over_raw_db: float | None
    worst_background_px: float | None
    still_px: float | None
    noisy_px: float | None
    flicker_px: float | None
    milliseconds: float | None
    note: str


_CONDITIONS: tuple[tuple[str, Callable[[Figures], bool]], ...] = (
    ("quiet light, all inputs and factors", lambda row: _quiet(row)),
    ("input up to 0.05 px", lambda row: _quiet(row) and row.shot.px <= 0.05),
    ("input over 0.05, up to 0.5 px", lambda row: _quiet(row) and 0.05 < row.shot.px <= 0.5),
    ("input over 0.5 px", lambda row: _quiet(row) and row.shot.px > 0.5),
    ("output up to 1 px", lambda row: _quiet(row) and row.output_px <= 1.0),
    ("output over 1, up to 5 px", lambda row: _quiet(row) and 1.0 < row.output_px <= 5.0),
    ("output over 5, up to 10 px", lambda row: _quiet(row) and row.output_px > 5.0),
    ("noise", lambda row: bool(row.shot.noise) and not row.shot.flicker),
    ("flicker", lambda row: bool(row.shot.flicker) and not row.shot.noise),
    ("noise and flicker", lambda row: bool(row.shot.noise) and bool(row.shot.flicker)),
)


def guide(grid: Sequence[Figures], scenes: Sequence[Figures], costs: Mapping[str, float | None]) -> list[GuideRow]:
    """Return the winners under every condition that was measured.

    Parameters
    ----------
    grid : sequence of Figures
        Amplitudes × factors, quiet and disturbed.
    scenes : sequence of Figures
        Of whole scenes; each is a condition of its own.
    costs : mapping
        Milliseconds a frame of every method.
    """
    rows = [_row(name, [row for row in grid if applies(row)], costs) for name, applies in _CONDITIONS]
    for scene in dict.fromkeys(row.shot.scene for row in scenes):
        found = [row for row in scenes if row.shot.scene == scene]
        rows.append(_row(f"{scene}, {found[0].shot.hz:g} Hz", found, costs))
    return [row for row in rows if row.cells]


def summaries(
    grid: Sequence[Figures], still: Sequence[StillFigures], costs: Mapping[str, float | None]
) -> list[Summary]:
    """Return a row a method, that with the least mean gain error first, what was not measured last."""
    rows = [_summary(method, grid, still, cost) for method, cost in costs.items()]
    return sorted(rows, key=lambda row: (row.mean_error is None, row.mean_error))


def _quiet(row: Figures) -> bool:
    return not row.shot.noise and not row.shot.flicker


def _row(condition: str, rows: Sequence[Figures], costs: Mapping[str, float | None]) -> GuideRow:
    errors = {method: _mean([row.gain_error for row in rows if row.method == method]) for method in costs}
    pictures = {method: _mean([row.over_raw_db for row in rows if row.method == method]) for method in costs}
    close = {method: costs[method] for method, error in errors.items() if error is not None and error <= CLOSE}
    cells = len({(row.shot, row.alpha) for row in rows if row.gain is not None})
    return GuideRow(condition, cells, _least(errors), _most(pictures), _least(close))


def _summary(method: str, grid: Sequence[Figures], still: Sequence[StillFigures], cost: float | None) -> Summary:
    rows = [row for row in grid if row.method == method and _quiet(row)]
    errors = [row.gain_error for row in rows if row.gain_error is not None]
    backgrounds = [row.background_px for row in rows if row.background_px is not None and row.alpha == _TOLD_ALPHA]
    rests = [row for row in still if row.method == method and row.alpha == _TOLD_ALPHA]
    quiet = [row.false_px for row in rests if not row.shot.noise and not row.shot.flicker]
    noisy = [row.false_px for row in rests if row.shot.noise and not row.shot.flicker]
    flicker = [row.flicker_px for row in rests if row.shot.flicker and not row.shot.noise]
    return Summary(
        method,
        len(errors),
        sum(error <= RIGHT for error in errors),
        _mean(errors),
        max(errors, default=None),
        _mean([row.over_raw_db for row in rows]),
        max(backgrounds, default=None),
        _mean(quiet),
        _mean(noisy),
        _mean(flicker),
        cost,
        next((row.note for row in rows if row.note), ""),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _least(by_method: Mapping[str, float | None]) -> Pick | None:
    known = {method: value for method, value in by_method.items() if value is not None}
    return min(known.items(), key=lambda pair: pair[1]) if known else None


def _most(by_method: Mapping[str, float | None]) -> Pick | None:
    known = {method: value for method, value in by_method.items() if value is not None}
    return max(known.items(), key=lambda pair: pair[1]) if known else None
