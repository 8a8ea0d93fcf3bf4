"""Which row wins: the best picture among those that keep the motion."""

from collections.abc import Sequence

from spikemm.evaluation.rows import TRUTH, RowFigures
from spikemm.evaluation.setting import SceneResult

__all__ = ["KEEPS", "overall", "ranked", "verdict"]

KEEPS = 0.8
"""The least part of the true amplitude, after response correction, that a row must keep to be ranked."""

_EXAGGERATES = 1.25


def verdict(figures: RowFigures) -> str:
    """Tell why a row is ranked or not.

    Returns
    -------
    str
        ``ranked``; ``reference`` for the truth; ``not measured``; ``erased`` where the window's response is below 0.3,
        so that what it wins in PSNR it wins by that; ``loses the motion`` below 80 % of the true amplitude, and
        ``exaggerates it`` above 125 %.
    """
    if figures.row == TRUTH:
        return "reference"
    if figures.psnr_db is None or figures.kept is None:
        return "not measured"
    if figures.kept_corrected is None:
        return "erased"
    if figures.kept_corrected > _EXAGGERATES:
        return "exaggerates it"
    return "ranked" if figures.kept_corrected >= KEEPS else "loses the motion"


def ranked(result: SceneResult) -> list[tuple[str, float]]:
    """Return the rows of a scene that keep at least `KEEPS` of the motion with their PSNR in dB, the highest first."""
    fit = [row.figures for row in result.rows if verdict(row.figures) == "ranked"]
    return sorted(((one.row, one.psnr_db or 0.0) for one in fit), key=lambda item: -item[1])


def overall(results: Sequence[SceneResult]) -> list[tuple[str, float]]:
    """Return the rows that are ranked in every scene with their mean PSNR in dB, the highest first."""
    tables = [dict(ranked(result)) for result in results]
    everywhere = set.intersection(*(set(table) for table in tables)) if tables else set()
    means = {row: sum(table[row] for table in tables) / len(tables) for row in everywhere}
    return sorted(means.items(), key=lambda item: -item[1])
