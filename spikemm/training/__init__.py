"""Training of the networks, on streams alone or on rendered motion."""

from spikemm.training.adaptation import Adapted, adapt
from spikemm.training.bsn import BSNTraining
from spikemm.training.loop import Progress, Training, train
from spikemm.training.magnifier import MagnifierTraining
from spikemm.training.magnifier_options import MagnifierTrainingOptions
from spikemm.training.options import BSNOptions
from spikemm.training.streams import Source

__all__ = [
    "Adapted",
    "BSNOptions",
    "BSNTraining",
    "MagnifierTraining",
    "MagnifierTrainingOptions",
    "Progress",
    "Source",
    "Training",
    "adapt",
    "train",
]
