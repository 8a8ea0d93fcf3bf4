"""What the report on magnifiers says: the guide, the grids, and the comparisons, as tables and charts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from spikemm.evaluation.magnification import SCALE, WINDOW, Figures, Shot
from tools.evaluate_magnification_tables import (
    GUIDE_HEADINGS,
    SUMMARY_HEADINGS,
    advice,
    all_figures,
    console_guide,
    left_out,
)
from tools.evaluate_magnification_work import MagnificationEvaluation
from tools.evaluate_tables import amount
from tools.report.charts import Series, line_chart
from tools.report.html import figure, figures, paragraph, section, table
from tools.report.pictures import embedded, grey

__all__ = [
    "ablation_section",
    "disturbed_section",
    "front_section",
    "grid_section",
    "guide_section",
    "method_section",
    "still_section",
]

Cell = Callable[[Figures], str]

_LARGEST_GAIN = 1.5
_ABLATION_HEADINGS = (
    "upsampling", "magnifier", "alpha", "motion, px", "of the true", "contrast", "slope", "PSNR dB",
    "above leaving alone",
)  # fmt: skip


def _gain(row: Figures) -> str:
    return amount(row.gain, ".1f", 100.0)


@dataclass(frozen=True, slots=True)
class _Table:
    """One figure of every combination: a column a method, and if it makes sense one for frames left alone."""

    title: str
    sentence: str
    cell: Cell
    alone: Cell | None = None


_MAIN_TABLES = (
    _Table("Size", "Amplitude of the output's motion over alpha times the true one, %: 100 is right.", _gain),
    _Table(
        "Picture",
        "PSNR of the magnified frames above that of the unmagnified ones, both against the truth rendered with the "
        "magnified motion, dB.",
        lambda row: amount(row.over_raw_db, "+.1f"),
    ),
)
_FURTHER_TABLES = (
    _Table(
        "PSNR",
        "Against the truth rendered with the magnified motion, dB.",
        lambda row: amount(row.psnr_db, ".1f"),
        lambda row: amount(row.psnr_raw_db, ".1f"),
    ),
    _Table("SSIM", "The same.", lambda row: amount(row.ssim, ".3f"), lambda row: amount(row.ssim_raw, ".3f")),
    _Table(
        "Residual", "Motion of the output that is not the sine, rms px.", lambda row: amount(row.residual_px, ".3f")
    ),
    _Table(
        "Lag",
        "How late the output is after the filter's known delay, degrees of the motion's period.",
        lambda row: amount(row.lag_degrees, ".1f"),
    ),
    _Table(
        "Background",
        "Largest displacement, in any frame, of what should stand still, px.",
        lambda row: amount(row.background_px, ".3f"),
        lambda row: amount(row.background_raw_px, ".3f"),
    ),
)


def guide_section(found: MagnificationEvaluation) -> str:
    """Return the guide: which method wins under which condition."""
    rule = (
        "The winners of each row, from the tables below: the mean over its combinations of amplitude and factor of the "
        "gain's error, of the PSNR above leaving the frames alone, and the time of a frame of 250×400 px of the "
        "methods whose mean gain error is at most 10 %."
    )
    return section(
        "Which method to take when",
        table(GUIDE_HEADINGS, console_guide(found)),
        paragraph(rule),
        *(paragraph(sentence) for sentence in advice(found)),
    )


def method_section(found: MagnificationEvaluation) -> str:
    """Return a row a method, and what was not measured."""
    legend = (
        "In quiet light. Background: the largest displacement at alpha 10, in any frame, of what should stand still "
        "beside what moves. False motion: the largest displacement at alpha 10 of a scene at rest, quiet and with "
        "noise, and the amplitude at the flicker's frequency under ±2 % of flicker in the band."
    )
    cells = all_figures(found)
    return section(
        "The methods",
        table(SUMMARY_HEADINGS, cells),
        paragraph(legend),
        *(paragraph(sentence) for sentence in left_out(found)),
    )


def grid_section(found: MagnificationEvaluation) -> str:
    """Return the figures of every amplitude and factor in quiet light."""
    rows = [row for row in found.grid if not row.shot.noise and not row.shot.flicker]
    shot = rows[0].shot
    facts = (
        f"{shot.scene}, {shot.hz:g} Hz; {shot.height}×{shot.width} px around what moves; frames by {shot.front}, one "
        f"every {shot.hop} steps; band {shot.band_hz[0]:.0f} to {shot.band_hz[1]:.0f} Hz; {shot.settling} frames to "
        f"settle, {shot.frames} judged."
    )
    return section("Amplitudes and factors", paragraph(facts), _charts(found, rows), _grids(found, rows))


def disturbed_section(found: MagnificationEvaluation) -> str:
    """Return the same under noise and flicker."""
    rows = [row for row in found.grid if row.shot.noise or row.shot.flicker]
    sentence = "The same, for some of the amplitudes, with the sensor's temporal noise and with the light flickering."
    return section("Noise and flicker", paragraph(sentence), _grids(found, rows))


def _light(shot: Shot) -> str:
    noise = f"noise {shot.noise:g}" if shot.noise else ""
    flicker = f"flicker ±{shot.flicker:.0%}" if shot.flicker else ""
    return " and ".join(word for word in (noise, flicker) if word) or "quiet"


def _charts(found: MagnificationEvaluation, rows: Sequence[Figures]) -> str:
    parts = []
    for px in found.plan.amplitudes_px:
        here = [row for row in rows if row.shot.px == px and row.gain is not None]
        if len({row.alpha for row in here}) > 1:
            measured = list(dict.fromkeys(row.method for row in here))
            gain = [_line(here, method, _bounded) for method in measured]
            gain_chart = line_chart(
                gain, "alpha", "gain, 1 is right", doubling=True, from_zero=True, marks=((1.0, ""),)
            )
            parts.append(figure(gain_chart, f"Gain, {px:g} px in (shown up to {_LARGEST_GAIN:g})."))
            above = [_line(here, method, lambda row: row.over_raw_db) for method in measured]
            above_chart = line_chart(above, "alpha", "dB above leaving alone", doubling=True, marks=((0.0, ""),))
            parts.append(figure(above_chart, f"Picture, {px:g} px in."))
    return figures("", "", parts, "charts")


def _bounded(row: Figures) -> float | None:
    return None if row.gain is None else min(row.gain, _LARGEST_GAIN)


def _line(rows: Sequence[Figures], method: str, value: Callable[[Figures], float | None]) -> Series:
    own = [row for row in rows if row.method == method]
    return Series(method, [row.alpha for row in own], [value(row) for row in own])


def _grids(found: MagnificationEvaluation, rows: Sequence[Figures]) -> str:
    """Return the tables of size and picture, and the others to be unfolded."""
    shown = "".join(_grid(found, rows, each) for each in _MAIN_TABLES)
    folded = "".join(_grid(found, rows, each) for each in _FURTHER_TABLES)
    words = escape(", ".join(each.title for each in _FURTHER_TABLES))
    return f"{shown}<details><summary>{words}</summary>{folded}</details>"


def _grid(found: MagnificationEvaluation, rows: Sequence[Figures], kind: _Table) -> str:
    places = list(dict.fromkeys((row.shot, row.alpha) for row in rows if not row.note))
    by_place = {(row.shot, row.alpha, row.method): row for row in rows}
    cells = []
    for shot, alpha in places:
        own = [by_place.get((shot, alpha, method)) for method in found.plan.methods]
        line = [_light(shot), f"{shot.px:g}", f"{alpha:g}", f"{shot.px * alpha:g}"]
        if kind.alone is not None:
            line.append(kind.alone(next(row for row in own if row is not None)))
        cells.append(line + ["–" if row is None else kind.cell(row) for row in own])
    heads = ["light", "in, px", "alpha", "out, px", *(["left alone"] if kind.alone else []), *found.plan.methods]
    return paragraph(kind.sentence, kind.title) + table(heads, cells)


def still_section(found: MagnificationEvaluation) -> str:
    """Return what moves though nothing should."""
    sentence = (
        "The first scene at rest: largest displacement of the regions that would move, in the frames as they come and "
        "in the magnified ones, and the amplitude at the flicker's frequency."
    )
    heads = ["light", "method", "alpha", "unmagnified, px", "magnified, px", "by flicker, px"]
    cells = [
        [
            _light(row.shot),
            row.method,
            f"{row.alpha:g}",
            amount(row.false_raw_px, ".3f"),
            amount(row.false_px, ".3f"),
            amount(row.flicker_px, ".3f"),
        ]
        for row in found.still
        if not row.note
    ]
    return section("Scenes at rest", paragraph(sentence), table(heads, cells))


def front_section(found: MagnificationEvaluation) -> str:
    """Return the comparison of front ends, each straight into each magnifier."""
    sentence = (
        "Each front end straight into each magnifier, judged against the truth rendered with the magnified motion. The "
        "paper's TFP is rate, its TFI isi. The known response of each front end is divided out; of bsn1 and bsn2 it is "
        "that of the label which they were trained on."
    )
    parts = [paragraph(sentence)]
    for scene in dict.fromkeys(row.shot.scene for row in found.fronts):
        rows = [row for row in found.fronts if row.shot.scene == scene]
        shot = rows[0].shot
        heads = ["front end"]
        heads += [f"{method} {what}" for method in found.plan.methods for what in ("size %", "PSNR", "above")]
        cells = []
        for front in dict.fromkeys(row.shot.front for row in rows):
            by_method = {row.method: row for row in rows if row.shot.front == front}
            cells.append([str(front), *(cell for name in found.plan.methods for cell in _front(by_method[name]))])
        title = f"{scene}, {shot.px:g} px at {shot.hz:g} Hz, alpha {rows[0].alpha:g}"
        parts += [paragraph("", title), table(heads, cells)]
    return section("Front ends", *parts)


def _front(row: Figures) -> tuple[str, str, str]:
    return _gain(row), amount(row.psnr_db, ".1f"), amount(row.over_raw_db, "+.1f")


def ablation_section(found: MagnificationEvaluation) -> str:
    """Return the ablation of upsamplers with each magnifier."""
    rows = found.ablation
    sentence = (
        f"Frames by mie, made {SCALE} times larger or left, then magnified; {WINDOW[0]}×{WINDOW[1]} px around a "
        "motion. Motion: amplitude in px of the sensor, and over alpha times the true one. Contrast: standard "
        "deviation over mean of the light, and slope: its mean gradient, both over the rendered truth's (1 is right; "
        f"more is ringing or noise). WIRE's first fit takes {found.plan.wire_iterations} steps, 3000 as published."
    )
    cells = [
        [
            row.upsampling,
            row.figures.method,
            f"{row.figures.alpha:g}",
            amount(row.amplitude_px, ".2f"),
            amount(row.figures.gain, ".1%"),
            amount(row.contrast, ".3f"),
            amount(row.steepness, ".3f"),
            amount(row.figures.psnr_db, ".1f"),
            amount(row.figures.over_raw_db, "+.1f"),
        ]
        for row in rows
        if not row.figures.note
    ]
    parts = [
        figure(
            embedded(_enlarged(row.frame), "frame"), f"{row.upsampling}, {row.figures.method}, α {row.figures.alpha:g}"
        )
        for row in rows
        if row.frame is not None and row.figures.alpha == max(one.figures.alpha for one in rows)
    ]
    return section(
        "Upsamplers before magnifiers (figures 11 and 12)",
        paragraph(sentence),
        table(_ABLATION_HEADINGS, cells),
        figures("", "The frame of the largest displacement.", parts),
    )


def _enlarged(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    return grey(frame, float(np.percentile(frame, 99.5)))
