"""Front ends judged side by side: against truth on simulated scenes, by what can be told on real recordings.

``evaluate_scene`` and ``evaluate_recording`` measure rows, each a front end; `ranking` says which row wins, and
`sweeps` what windows, frequency, amplitude and light do to it. Nothing here holds a whole video.
"""

from spikemm.evaluation.ranking import KEEPS, overall, ranked, verdict
from spikemm.evaluation.recording_row import Aim, TruthPicture
from spikemm.evaluation.recordings import RecordingResult, centred_hop, evaluate_recording
from spikemm.evaluation.rows import TRUTH, RowFigures, RowPictures, RowResult
from spikemm.evaluation.scenes import evaluate_scene
from spikemm.evaluation.setting import SceneResult, Setting
from spikemm.evaluation.steadiness import FlowFigures, FlowMeter
from spikemm.evaluation.survey import scaled_truth, survey

__all__ = [
    "KEEPS",
    "TRUTH",
    "Aim",
    "FlowFigures",
    "FlowMeter",
    "RecordingResult",
    "RowFigures",
    "RowPictures",
    "RowResult",
    "SceneResult",
    "Setting",
    "TruthPicture",
    "centred_hop",
    "evaluate_recording",
    "evaluate_scene",
    "overall",
    "ranked",
    "scaled_truth",
    "survey",
    "verdict",
]
