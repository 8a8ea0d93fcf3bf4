"""Training of the networks, on streams alone."""

from spikemm.training.adaptation import Adapted, adapt
from spikemm.training.bsn import BSNTraining
from spikemm.training.loop import Progress, Training, train
from spikemm.training.options import BSNOptions
from spikemm.training.streams import Source

__all__ = ["Adapted", "BSNOptions", "BSNTraining", "Progress", "Source", "Training", "adapt", "train"]
