"""The report of an evaluation: which sections, in which order."""

from collections.abc import Mapping

from tools.evaluate_work import Evaluation
from tools.report.html import page
from tools.report.recording_sections import recording_section
from tools.report.scene_sections import flow_section, scene_section, winner_section
from tools.report.sweep_sections import amplitude_section, dim_section, frequency_section, window_section

__all__ = ["evaluation_report"]


def evaluation_report(evaluation: Evaluation, facts: Mapping[str, str]) -> str:
    """Return the HTML of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
    facts : mapping
        What it was made with, by name: command, versions, machine.
    """
    sections = []
    if evaluation.scenes:
        sections += [winner_section(evaluation.scenes), flow_section(evaluation.scenes, evaluation.estimator)]
        sections += [scene_section(scene) for scene in evaluation.scenes]
    if evaluation.windows:
        sections.append(window_section(evaluation.windows))
    if evaluation.frequencies:
        sections.append(frequency_section(evaluation.frequencies))
    if evaluation.amplitudes:
        sections.append(amplitude_section(evaluation.amplitudes))
    if evaluation.dim:
        sections.append(dim_section(evaluation.dim))
    sections += [recording_section(found) for found in evaluation.recordings]
    return page("Reconstruction, evaluated", facts, sections)
