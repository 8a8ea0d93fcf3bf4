"""What the report says and shows of real recordings."""

from spikemm.evaluation import RecordingResult
from tools.evaluate_tables import RECORDING_COLUMNS
from tools.report.html import figure, figures, paragraph, section, table
from tools.report.pictures import embedded, grey
from tools.report.row_figures import flows, slices

__all__ = ["recording_section"]

_FULL_PX = 1.0


def recording_section(found: RecordingResult) -> str:
    """Return a recording's table, frames, slices and flow."""
    x, y, width, height = found.aim.static
    facts = (
        f"{found.path.name}: {found.steps} steps, a frame every {found.hop}. No truth is known of what moves, so "
        f"there is no amplitude. Noise: standard deviation over mean in time, median over the pixels of the static "
        f"region of {width}×{height} px at x {x}, y {y}. Neighbouring frames share most of a long window's steps, so "
        "in a recording hardly longer than the window its noise is understated."
    )
    if found.calibrated:
        facts += " The camera's fixed pattern is taken out by its calibration."
    truth = found.aim.truth
    if truth is not None:
        facts += (
            f" PSNR and SSIM: the frame centred on step {truth.step} against the true picture, grey times "
            f"{truth.gain:.4f} spikes per step at white (one gain for all rows), 8 px of border off."
        )
    headings = [column.heading for column in RECORDING_COLUMNS]
    cells = [[column.cell(row.figures) for column in RECORDING_COLUMNS] for row in found.rows]
    return section(
        found.path.name,
        paragraph(facts),
        table(headings, cells, words=len(headings) - 1),
        _frames(found),
        slices(found.rows, found.aim.white, _line(found)),
        flows(found.rows, _FULL_PX),
    )


def _frames(found: RecordingResult) -> str:
    shown = [(row.figures.row, row.pictures.frame) for row in found.rows if row.pictures.frame is not None]
    parts = [figure(embedded(grey(frame, found.aim.white), name), name) for name, frame in shown]
    if found.aim.truth is not None:
        parts.insert(0, figure(embedded(grey(found.aim.truth.light, found.aim.white), "truth"), "truth"))
    return figures("Frames", "One frame of each row, all at the same scale of light.", parts)


def _line(found: RecordingResult) -> str:
    row, column = found.aim.line
    where = f"row {row}" if isinstance(row, int) else f"column {column}"
    return (
        f"The line along which most happens, {where} of the picture, over time to the right. Rows whose windows fit in "
        "less often show less time."
    )
