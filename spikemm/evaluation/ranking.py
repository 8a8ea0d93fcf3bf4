"""Which row wins: the best picture among those that keep the motion."""

from collections.abc import Sequence

from spikemm.evaluation.rows import TRUTH, RowFigures
from spikemm.evaluation.setting import SceneResult

__all__ = ["KEEPS", "overall", "ranked", "verdict"]

KEEPS = 0.8
"""The least part of the true amplitude, after response correction, that a row must keep to be ranked."""


def verdict(figures: RowFigures) -> str:
    """Tell why a row is ranked or not: ``reference``, ``erased``, ``loses the motion``, ``ranked`` or ``not measured``.

    A window whose response is below 0.3 has erased the motion. What it wins in PSNR it wins by that.
    """
    if figures.row == TRUTH:
        return "reference"
    if figures.psnr_db is None or figures.kept is None:
        return "not measured"
    if figures.kept_corrected is None:
        return "erased"
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
