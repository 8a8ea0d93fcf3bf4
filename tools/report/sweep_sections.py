"""What the report says and shows of windows, frequencies, amplitudes and light."""

from collections.abc import Sequence

from spikemm.evaluation import RowFigures, SceneResult
from spikemm.evaluation.sweeps import WINDOWS, DimGain
from spikemm.response import KEPT
from tools.evaluate_tables import amount
from tools.report.charts import Series, line_chart
from tools.report.html import figure, figures, paragraph, section, table

__all__ = ["amplitude_section", "dim_section", "frequency_section", "window_section"]

_ERASED = ((KEPT, "below: erased"),)


def window_section(scenes: Sequence[SceneResult]) -> str:
    """Return the sweep of window lengths: PSNR against the motion that survives."""
    sentence = (
        "A longer window has less noise and more blur: its PSNR over the whole picture rises while the motion in it "
        "goes. These rows are shown, not ranked."
    )
    parts = []
    for scene in scenes:
        whole = [_by_window(scene, name, "psnr_db", name) for name in ("rate", "interval")]
        moving = [_by_window(scene, name, "psnr_moving_db", f"{name}, moving") for name in ("rate", "interval")]
        kept = [_by_window(scene, name, "kept", name) for name in ("rate", "interval")]
        title = f"{scene.setting.scene}, {scene.hz:g} Hz, {scene.setting.periods:g} periods"
        quality = line_chart([*whole, *moving], "window, steps", "PSNR, dB", doubling=True)
        amplitude = line_chart(
            kept, "window, steps", "amplitude / true amplitude", doubling=True, from_zero=True, marks=_ERASED
        )
        parts += [figure(quality, f"{title}: PSNR against truth."), figure(amplitude, f"{title}: what survives.")]
    return section("Window length against blur (figures 7 and 8)", figures("", sentence, parts, "charts"))


def frequency_section(scenes: Sequence[SceneResult]) -> str:
    """Return the sweep of frequencies."""
    sentence = (
        "The tuning fork at other frequencies, each front end at the longest window up to 32 steps that follows it; "
        "the correction divides by the window's response."
    )
    rows = [
        [f"{scene.hz:g}", row.figures.row, *_amplitudes(row.figures), amount(row.figures.psnr_db, ".2f")]
        for scene in scenes
        for row in scene.rows
    ]
    names = list(dict.fromkeys(row.figures.row.partition(":")[0] for scene in scenes for row in scene.rows))
    lines = []
    for name in names:
        found = [_named(scene, name) for scene in scenes]
        hz = [scene.hz for scene in scenes]
        lines.append(Series(f"{name}, corrected", hz, [one.kept_corrected for one in found]))
        lines.append(Series(f"{name}, as it is", hz, [one.kept for one in found]))
    chart = line_chart(lines, "frequency, Hz", "amplitude / true amplitude", from_zero=True, marks=_ERASED)
    heads = ["Hz", "front end", "amplitude %", "response %", "corrected %", "PSNR dB"]
    return section(
        "Frequency", figures("", sentence, [figure(chart, "Surviving amplitude.")], "charts"), table(heads, rows)
    )


def amplitude_section(scenes: Sequence[SceneResult]) -> str:
    """Return the sweep of amplitudes."""
    sentence = (
        "The tuning fork with smaller motions, down to a twentieth of a pixel: amplitude kept over the true one as it "
        "is, and after response correction."
    )
    names = [row.figures.row for row in scenes[0].rows]
    heads = ["row"] + [f"{scene.px:g} px {kind}" for scene in scenes for kind in ("%", "corrected %")]
    rows = []
    for name in names:
        found = [scene.row(name).figures for scene in scenes]
        rows.append([name, *(cell for one in found for cell in (_amplitudes(one)[0], _amplitudes(one)[2]))])
    return section("Small amplitudes", paragraph(sentence), table(heads, rows))


def dim_section(gains: Sequence[DimGain]) -> str:
    """Return the table of a tenth of the light."""
    first = gains[0]
    setting = first.result.setting
    sentence = (
        f"Light × {setting.light:g} with temporal noise {setting.noise:g}, {setting.periods:g} periods: PSNR of "
        f"{first.row.row}, of {first.short.row}, and of the best of all single windows, which may have erased the "
        "motion: its amplitude is beside it."
    )
    heads = ["scene", f"{first.row.row} dB", f"{first.short.row} dB", "gain dB", "best window", "dB", "gain dB"]
    heads += [f"{first.row.row} amplitude %", "corrected %", "best window's amplitude %"]
    rows = [
        [
            gain.result.setting.scene,
            amount(gain.row.psnr_db, ".2f"),
            amount(gain.short.psnr_db, ".2f"),
            f"{gain.over_short_db:+.2f}",
            gain.best.row,
            amount(gain.best.psnr_db, ".2f"),
            f"{gain.over_best_db:+.2f}",
            _amplitudes(gain.row)[0],
            _amplitudes(gain.row)[2],
            _amplitudes(gain.best)[0],
        ]
        for gain in gains
    ]
    count = len(gains)
    means = sum(gain.over_short_db for gain in gains) / count, sum(gain.over_best_db for gain in gains) / count
    rows.append(["average", "", "", f"{means[0]:+.2f}", "", "", f"{means[1]:+.2f}", "", "", ""])
    return section("A tenth of the light", paragraph(sentence), table(heads, rows))


def _amplitudes(figures_of: RowFigures) -> tuple[str, str, str]:
    erased = figures_of.kept is not None and figures_of.kept_corrected is None
    corrected = "erased" if erased else amount(figures_of.kept_corrected, ".1f", 100.0)
    return amount(figures_of.kept, ".1f", 100.0), amount(figures_of.response, ".1f", 100.0), corrected


def _by_window(scene: SceneResult, name: str, figure_name: str, title: str) -> Series:
    found = [scene.row(f"{name}:{window}").figures for window in WINDOWS]
    return Series(title, WINDOWS, [getattr(one, figure_name) for one in found])


def _named(scene: SceneResult, name: str) -> RowFigures:
    return next(row.figures for row in scene.rows if row.figures.row.startswith(f"{name}:"))
