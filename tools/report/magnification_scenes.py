"""What the report on magnifiers shows: pictures, slices and videos of each scene, and the ordinary camera beside it."""

import base64
from collections.abc import Sequence

from spikemm.evaluation.magnification import FPS, OrdinaryFigures
from tools.evaluate_magnification_work import ShownScene
from tools.evaluate_tables import amount
from tools.report.html import figure, figures, paragraph, section, table
from tools.report.pictures import embedded, grey, over_time

__all__ = ["ordinary_section", "scene_section"]

_HEADINGS = (
    "method", "size %", "residual px", "lag °", "background px", "PSNR dB", "left alone dB", "above", "SSIM",
    "left alone",
)  # fmt: skip


def scene_section(scene: ShownScene) -> str:
    """Return a scene's table, pictures, slices and video."""
    shot = scene.shot
    facts = (
        f"{shot.px:g} px at {shot.hz:g} Hz, alpha {scene.alpha:g}: {scene.alpha * shot.px:g} px in the output. "
        f"{shot.height}×{shot.width} px around what moves, {shot.frames} frames judged, one every {shot.hop} steps."
    )
    cells = [
        [
            row.method,
            amount(row.gain, ".1f", 100.0),
            amount(row.residual_px, ".3f"),
            amount(row.lag_degrees, ".1f"),
            amount(row.background_px, ".3f"),
            amount(row.psnr_db, ".1f"),
            amount(row.psnr_raw_db, ".1f"),
            amount(row.over_raw_db, "+.1f"),
            amount(row.ssim, ".3f"),
            amount(row.ssim_raw, ".3f"),
        ]
        for row in scene.figures
    ]
    return section(shot.scene, paragraph(facts), table(_HEADINGS, cells), _pictures(scene), _video(scene))


def _pictures(scene: ShownScene) -> str:
    shown = [figure(embedded(grey(one, scene.white), name), name) for name, one in scene.pictures.items()]
    slices = [
        figure(embedded(over_time(one, scene.white), f"{name} over time"), name) for name, one in scene.slices.items()
    ]
    ms = 1000.0 * scene.shot.frames * scene.shot.hop / scene.shot.rate_hz
    return figures("Frames", "The instant at which the motion is furthest from rest.", shown) + figures(
        "Temporal evolution", f"A few pixels across a moving edge, time to the right over {ms:.1f} ms.", slices
    )


def _video(scene: ShownScene) -> str:
    data = base64.b64encode(scene.video.read_bytes()).decode("ascii")
    video = f'<video controls loop muted autoplay width="100%" src="data:video/mp4;base64,{data}"></video>'
    return figure(video, f"All rows side by side, {scene.video.name}.")


def ordinary_section(rows: Sequence[OrdinaryFigures], scenes: Sequence[ShownScene]) -> str:
    """Return the comparison with an ordinary camera."""
    sentence = (
        f"The same scenes at {FPS:g} frames a second, each the mean of the true light over its whole frame time: what "
        "vibrates faster is blurred, and shows at another frequency. Magnified in static mode, since in these frames "
        "there is no true frequency to give a band for; beside it the spike camera's frames, by the same method in "
        "band mode."
    )
    heads = ["scene", "true Hz", "seen Hz", "true px", "seen px", "kept", "alpha", "should be px", "magnified px"]
    heads += ["from spikes px", "method"]
    cells = [
        [
            row.shot.scene,
            f"{row.shot.hz:g}",
            f"{row.seen_hz:g}",
            f"{row.shot.px:g}",
            f"{row.seen_px:.3f}",
            f"{row.kept:.1%}",
            f"{row.alpha:g}",
            f"{row.alpha * row.shot.px:g}",
            f"{row.magnified_px:.3f}",
            amount(row.spikes_px, ".3f"),
            row.method,
        ]
        for row in rows
    ]
    whites = {scene.shot.scene: scene.white for scene in scenes}
    parts = []
    for row in rows:
        shown = [
            figure(embedded(over_time(one, whites[row.shot.scene]), f"{name} over time"), name)
            for name, one in row.slices.items()
        ]
        parts.append(figures(row.shot.scene, "The same line over the same time.", shown))
    return section(f"A camera of {FPS:g} frames a second", paragraph(sentence), table(heads, cells), *parts)
