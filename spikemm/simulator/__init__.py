"""A spike camera in front of scenes whose motion is known exactly.

``make_scene`` and ``random_scene`` paint the picture and move it, `Sensor` and `Disturbances` say what the camera and
the room add, and `Simulator` turns it all into packed spikes; ``write_recording`` keeps them on disk with the truth
beside them.
"""

from spikemm.simulator.camera import Simulator, warm_up
from spikemm.simulator.random_scene import random_scene
from spikemm.simulator.recorder import truth, write_recording
from spikemm.simulator.scene import SCENES, Motion, Scene, make_scene
from spikemm.simulator.sensor import Disturbances, Sensor

__all__ = [
    "SCENES",
    "Disturbances",
    "Motion",
    "Scene",
    "Sensor",
    "Simulator",
    "make_scene",
    "random_scene",
    "truth",
    "warm_up",
    "write_recording",
]
