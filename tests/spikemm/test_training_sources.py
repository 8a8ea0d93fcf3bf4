"""What a training knows its recordings by."""

import numpy as np
import pytest

from spikemm.calibration import Calibration
from spikemm.exceptions import WeightsError
from spikemm.recording import Recording
from spikemm.training import BSNOptions, BSNTraining, Source

QUICK = BSNOptions(
    network={"channels": 4, "blocks": 1}, windows=(8,), label_reach=64, stream_px=16, stream_steps=256, crop=16
)


def calibration(gain):
    size = (16, 16)
    parts = np.full(size, gain, np.float32), np.zeros(size, np.float32), np.zeros(size, np.uint8)
    return Calibration(*parts, np.zeros(size, np.float32))


def test_a_training_goes_on_only_with_the_calibration_it_began_with(tmp_path):
    np.save(tmp_path / "rig.npy", np.ones((1000, 16, 16), np.uint8))
    recording = Recording(tmp_path / "rig.npy")

    def training(gain):
        return BSNTraining(QUICK, seed=0, sources=[Source.split(recording, gain and calibration(gain))])

    state = training(1.1).state()
    training(1.1).restore(state)
    for other in (None, 0.9):
        with pytest.raises(WeightsError, match="recordings"):
            training(other).restore(state)
