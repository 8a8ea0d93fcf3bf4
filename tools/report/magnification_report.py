"""The report of an evaluation of magnifiers: which sections, in which order."""

from collections.abc import Mapping

from tools.evaluate_magnification_work import MagnificationEvaluation
from tools.report.html import page
from tools.report.magnification_scenes import ordinary_section, scene_section
from tools.report.magnification_sections import (
    ablation_section,
    disturbed_section,
    front_section,
    grid_section,
    guide_section,
    method_section,
    still_section,
)

__all__ = ["magnification_report"]


def magnification_report(found: MagnificationEvaluation, facts: Mapping[str, str]) -> str:
    """Return the HTML of an evaluation.

    Parameters
    ----------
    found : MagnificationEvaluation
    facts : mapping
        What it was made with, by name: command, versions, machine.
    """
    sections = [guide_section(found), method_section(found), grid_section(found)]
    if any(row.shot.noise or row.shot.flicker for row in found.grid):
        sections.append(disturbed_section(found))
    sections.append(still_section(found))
    sections += [scene_section(scene) for scene in found.scenes]
    if found.ordinary:
        sections.append(ordinary_section(found.ordinary, found.scenes))
    if found.fronts:
        sections.append(front_section(found))
    if found.ablation:
        sections.append(ablation_section(found))
    return page("Magnification, evaluated", facts, sections)
