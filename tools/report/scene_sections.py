"""What the report says and shows of the simulated scenes."""

from collections.abc import Sequence

import numpy as np

from spikemm.evaluation import KEEPS, TRUTH, RowResult, SceneResult, overall, ranked
from tools.evaluate_tables import FLOW_FIGURES, PAPER, SCENE_COLUMNS, amount, averages
from tools.report.html import figure, figures, paragraph, section, table
from tools.report.pictures import embedded, grey
from tools.report.row_figures import flows, slices

__all__ = ["flow_section", "flow_sentences", "scene_section", "winner_section", "winner_sentences"]

_MARGIN_PX = 24
_FULL_SATURATION = 1.5


def winner_sentences(scenes: Sequence[SceneResult]) -> list[str]:
    """Say plainly which row wins each scene, and which overall."""
    said = []
    for scene in scenes:
        order = ranked(scene)
        if not order:
            said.append(f"{scene.setting.scene}: no row keeps {KEEPS:.0%} of the motion.")
            continue
        winner, psnr_db = order[0]
        second = f", {psnr_db - order[1][1]:.2f} dB before {order[1][0]}" if order[1:] else ""
        said.append(f"{scene.setting.scene}: {winner} wins with {psnr_db:.2f} dB{second}.")
    everywhere = overall(scenes)
    if everywhere:
        said.append(f"Overall {everywhere[0][0]} wins, {everywhere[0][1]:.2f} dB on average over the scenes.")
    elif scenes:
        said.append("Overall no row keeps the motion in every scene.")
    return said


def winner_section(scenes: Sequence[SceneResult]) -> str:
    """Return the section that names the winners."""
    rule = (
        f"Ranked by PSNR against truth are the rows that keep at least {KEEPS:.0%} of the true amplitude after the "
        "correction for their window's response. A row whose response is below 30% has erased the motion; it is "
        "shown and not ranked."
    )
    return section("Which row wins", paragraph(rule), *(paragraph(sentence) for sentence in winner_sentences(scenes)))


def flow_sentences(scenes: Sequence[SceneResult]) -> list[str]:
    """Compare ``mie`` with ``isi`` (TFI) and ``bsn1`` as the paper does, where they are among the rows."""
    said = []
    for figure_of in FLOW_FIGURES:
        means = {row.partition(":")[0]: (row, mean) for row, mean in averages(scenes, figure_of.name).items()}
        others = [means[name] for name in ("isi", "bsn1") if name in means]
        if "mie" in means and others:
            row, mean = means["mie"]
            ratios = " and ".join(f"{mean / other:.3f} × that of {name}" for name, other in others)
            said.append(f"{figure_of.title}: {row} has {mean:.4f} on average, {ratios}.")
    return said


def flow_section(scenes: Sequence[SceneResult], estimator: str) -> str:
    """Return the paper's tables I and II, by pixel and by picture, with the paper's averages beneath."""
    intro = (
        f"Flow from frame to frame by {estimator}; lower is steadier, and a video at rest has 0: read them beside the "
        "amplitude that survives, and beside the truth's own row. The paper's norm of a flow field can be read in two "
        "ways: at every pixel, averaged over the picture in the end, or as the picture's mean length, over which noise "
        "averages out. Both are here. The paper's figures are of its own recordings, frame rate and estimator (RAFT)."
    )
    parts = [paragraph(intro), *(paragraph(sentence) for sentence in flow_sentences(scenes))]
    for figure_of in FLOW_FIGURES:
        means = averages(scenes, figure_of.name)
        rows = [
            [scene.setting.scene, *(amount(getattr(scene.row(row).figures.flow, figure_of.name)) for row in means)]
            for scene in scenes
        ]
        rows.append(["average", *(amount(mean) for mean in means.values())])
        paper = ", ".join(f"{name} {value:.4f}" for name, value in zip(PAPER, figure_of.paper, strict=True))
        parts += [paragraph(f"The paper's averages: {paper}.", figure_of.title), table(["scene", *means], rows)]
    return section("Flow consistency and motion smoothness (tables I and II)", *parts)


def scene_section(scene: SceneResult) -> str:
    """Return a scene's table, frames, slices and flow."""
    setting = scene.setting
    facts = (
        f"{scene.px:g} px at {scene.hz:g} Hz, {setting.periods:g} periods, a frame every {scene.hop} steps of "
        f"{1e6 / setting.rate_hz:g} µs; {setting.height}×{setting.width} px; light × {setting.light:g}, temporal noise "
        f"{setting.noise:g}, fixed pattern {setting.fixed_pattern:.1%}"
        f"{', corrected by a simulated dark and flat' if setting.fixed_pattern else ''}; {scene.seconds:.0f} s."
    )
    legend = (
        "PSNR and SSIM against truth (8 px of border off; “moving”: the regions that move), amplitude: what survives "
        "of the motion, response: what the window lets through, corrected: the one over the other; flow per pixel and "
        "of the picture's mean; flicker: what is added to the mean brightness; ms: encoding and making one frame."
    )
    order = ranked(scene)
    names = [row.figures.row for row in scene.rows]
    best = names.index(order[0][0]) if order else None
    cells = [[column.cell(row.figures) for column in SCENE_COLUMNS] for row in scene.rows]
    headings = [column.heading for column in SCENE_COLUMNS]
    return section(
        setting.scene,
        paragraph(facts),
        table(headings, cells, best=best, words=len(headings) - 1),
        paragraph(legend),
        _frames(scene),
        _slices(scene),
        _flows(scene),
    )


def _white(scene: SceneResult) -> float:
    return float(_frame(scene.row(TRUTH)).max())


def _frame(row: RowResult) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if row.pictures.frame is None:
        return np.zeros((1, 1), np.float32)
    return row.pictures.frame


def _frames(scene: SceneResult) -> str:
    x, y, width, height = scene.region
    near = np.s_[max(0, y - _MARGIN_PX) : y + height + _MARGIN_PX, max(0, x - _MARGIN_PX) : x + width + _MARGIN_PX]
    parts = [
        figure(embedded(grey(_frame(row)[near], _white(scene)), row.figures.row), row.figures.row) for row in scene.rows
    ]
    return figures(
        "Frames", "The surroundings of what moves at the instant of its fastest motion, as each row has it.", parts
    )


def _slices(scene: SceneResult) -> str:
    ms = 1000.0 * len(scene.row(TRUTH).pictures.lines) * scene.hop / scene.setting.rate_hz
    sentence = (
        f"A few pixels across a moving edge, time to the right over {ms:.1f} ms: where the edge is straight the motion "
        "was erased, what is rough is noise."
    )
    return slices(scene.rows, _white(scene), sentence)


def _flows(scene: SceneResult) -> str:
    truth = scene.row(TRUTH).pictures.flow
    if truth is None:
        return ""
    return flows(scene.rows, _FULL_SATURATION * float(np.hypot(truth[..., 0], truth[..., 1]).max()))
