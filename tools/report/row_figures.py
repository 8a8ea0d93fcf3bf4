"""Figures that a scene and a recording have in common: what the rows show over time, and their flow."""

from collections.abc import Sequence

from spikemm.evaluation import RowResult
from tools.report.html import figure, figures
from tools.report.pictures import embedded, flow_colours, flow_legend, over_time

__all__ = ["flows", "slices"]


def slices(rows: Sequence[RowResult], white: float, sentence: str) -> str:
    """Return the x–t slices of the rows, `white` spikes per step being white, with a sentence on what they show."""
    parts = [
        figure(
            embedded(over_time(row.pictures.over_time, white), f"{row.figures.row} over time"),
            f"{row.figures.row}, {len(row.pictures.lines)} frames",
        )
        for row in rows
        if row.pictures.lines
    ]
    return figures("Temporal evolution", sentence, parts)


def flows(rows: Sequence[RowResult], full_px: float) -> str:
    """Return the flow of the rows, motion of `full_px` a frame in full colour."""
    shown = [(row.figures.row, row.pictures.flow) for row in rows if row.pictures.flow is not None]
    parts = [figure(embedded(flow_colours(flow, full_px), f"flow of {name}"), name) for name, flow in shown]
    wheel = figure(embedded(flow_legend(), "legend of the flow's colours", "wheel"), f"rim: {full_px:.3g} px per frame")
    sentence = "Flow to a frame from the one before: hue is its direction, saturation its length, white is rest."
    return figures("Optical flow", sentence, [*parts, wheel])
