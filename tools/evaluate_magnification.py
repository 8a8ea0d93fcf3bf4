"""`spikemm evaluate magnification`: what the magnifiers are worth, as tables, pictures, videos and one report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spikemm.evaluation.magnification import Contender
    from tools.evaluate_magnification_work import Plan

__all__ = ["magnification"]

_SCENES = "tuning-fork,short-ruler,long-ruler,balloon"
_FRONTS = ("rate:32", "isi:32", "bsn1:32", "bsn2:32", "mie:32", "interval:32")
_QUICK_FRONTS = ("rate:32", "isi:32", "mie:32", "interval:32")


def magnification(
    methods: Annotated[
        str | None, typer.Option(help="Methods to compare, with commas between.", show_default="all there are")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD=FILE",
            help="Networks of a learned method; may be given for several.",
            show_default="those of the package",
        ),
    ] = None,
    alphas: Annotated[
        str | None, typer.Option(help="Factors, with commas between.", show_default="2,5,10,20,50")
    ] = None,
    amplitudes_px: Annotated[
        str | None,
        typer.Option(
            help="Amplitudes of the true motion, px, with commas between.", show_default="0.02,0.05,0.1,0.3,1"
        ),
    ] = None,
    scenes: Annotated[
        str | None,
        typer.Option(
            help="Simulated scenes, with commas between; amplitudes, factors, noise and flicker are gone through on "
            "the first.",
            show_default=_SCENES,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for report.html, one file with everything in it, tables.json and the videos.")
    ] = Path("magnification"),
    quick: Annotated[bool, typer.Option("--quick", help="A try-out on fewer amplitudes and one scene.")] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Whole pictures of 250×400, and WIRE as published: for a GPU."),
    ] = False,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads of PyTorch and OpenCV.")] = 1,
) -> None:
    """Compare the magnifiers with truth that is rendered with the magnified motion, and write a report.

    Every method at every factor on every amplitude, as far as the output's motion stays within 10 px: how large the
    motion comes out, how late, what else moves, and the PSNR and SSIM of the frames, beside those of leaving them
    alone. The same under noise and under ±2 % of flicker; on scenes at rest; from every front end; behind every
    upsampler; and beside a camera of 150 frames a second. The report begins with which method to take when.

    What cannot be measured, for instance a method whose weights are not there, is listed with its reason.

    For example:

    `spikemm evaluate magnification --quick --out report`

    `spikemm evaluate magnification --methods warp,phase --alphas 10,50 --scenes long-ruler`
    """
    if quick and full:
        raise typer.BadParameter("--quick and --full contradict each other: give one")

    # Only now what takes seconds to load: a slip of the pen is answered at once.
    import cv2
    import torch

    from spikemm.device import pick_device
    from spikemm.reconstruction import make_front_end
    from tools.evaluate_magnification_output import write
    from tools.evaluate_magnification_work import evaluate_magnification
    from tools.output_folder import ready_folder

    device = pick_device("auto")
    contenders = _contenders(methods, weights or [], device)
    plan = _plan(contenders, alphas, amplitudes_px, scenes, quick=quick, full=full)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    ready_folder(out)
    found = evaluate_magnification(plan, lambda spec: make_front_end(spec, device=device), out)
    write(found, out, threads)


def _contenders(methods: str | None, weights: list[str], device: str) -> "list[Contender]":
    from spikemm.evaluation.magnification import Contender
    from spikemm.magnification import MAGNIFIERS

    names = _words(methods) if methods else list(MAGNIFIERS)
    for name in names:
        if name not in MAGNIFIERS:
            raise typer.BadParameter(f"--methods {name}: unknown; take some of {', '.join(MAGNIFIERS)}")
    files: dict[str, Path] = {}
    for text in weights:
        name, _, file = text.partition("=")
        if name not in names or not file:
            raise typer.BadParameter(f"--weights {text}: write METHOD=FILE, the method one of {', '.join(names)}")
        files[name] = Path(file)
    return [Contender(name, files.get(name), device) for name in names]


def _plan(
    contenders: "list[Contender]",
    alphas: str | None,
    amplitudes_px: str | None,
    scenes: str | None,
    *,
    quick: bool,
    full: bool,
) -> "Plan":
    from spikemm.evaluation.magnification import LARGEST_OUTPUT_PX, Shot, reachable
    from spikemm.front import FrontSpec
    from tools.evaluate_magnification_work import Plan

    factors = _numbers("--alphas", alphas or ("2,10,50" if quick else "2,5,10,20,50"))
    amplitudes = _numbers("--amplitudes-px", amplitudes_px or ("0.05,0.3" if quick else "0.02,0.05,0.1,0.3,1"))
    for px in amplitudes:
        if not reachable(px, factors):
            raise typer.BadParameter(
                f"--amplitudes-px {px:g} with --alphas {factors[0]:g} or more would be over {LARGEST_OUTPUT_PX:g} px: "
                "take smaller ones"
            )
    shown = _words(scenes) if scenes else _words("tuning-fork" if quick else _SCENES)
    fronts = [FrontSpec.parse(text) for text in (_QUICK_FRONTS if quick else _FRONTS)]
    plan = Plan(contenders, factors, amplitudes, shown, disturbed_px=amplitudes, fronts=fronts)
    if quick:
        return _changed(plan, front_scenes=shown[:1], disturbed_px=amplitudes[-1:], wire_iterations=100)
    if full:
        return _changed(plan, shot=Shot(height=250, width=400, frames=32), wire_iterations=3000)
    return plan


def _changed(plan: "Plan", **what: object) -> "Plan":
    from dataclasses import replace

    changed: Plan = replace(plan, **what)  # type: ignore[arg-type]
    return changed


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",")))


def _numbers(option: str, text: str) -> list[float]:
    """Return the numbers of an option, all above 0, smallest first."""
    try:
        numbers = sorted({float(word) for word in text.split(",")})
    except ValueError:
        raise typer.BadParameter(f"{option} {text}: write numbers with commas between") from None
    if not 0.0 < numbers[0] <= numbers[-1] < float("inf"):
        raise typer.BadParameter(f"{option} {text}: take finite numbers above 0")
    return numbers
