import subprocess
import sys

NODES = (
    "alarm deflection encode frames magnify measure mqtt null prometheus raw_stream "
    "reconstruct replay spikelink synthetic_camera upsample video warm_up webhook"
)


def test_importing_the_nodes_loads_neither_torch_nor_numba():
    imports = ", ".join(f"nodes.{name}" for name in NODES.split())
    look = f"import sys, {imports}; print(sorted({{'torch', 'numba', 'scipy', 'cv2'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


LATE = """
import sys

import numpy as np

from engine.testing import drive, make_node
from nodes.deflection import Deflection
from nodes.encode import Encode
from nodes.magnify import Magnify
from nodes.measure import Measure
from nodes.messages import Spikes
from nodes.reconstruct import Reconstruct
from nodes.upsample import Upsample

encode, reconstruct = make_node(Encode, hop=40, context={"wanted": frozenset({"interval:32"})}), make_node(Reconstruct)
last = [make_node(Magnify), make_node(Upsample), make_node(Deflection, frequency_hz=100.0, seconds=0.1)]
last += [make_node(Measure, regions={"all": {"roi": [4, 4, 24, 24]}}, seconds=0.2, every_s=0.1)]
before, made, random = set(sys.modules), np.zeros(4), np.random.default_rng(0)
for step in range(0, 8000, 400):
    packed = random.integers(0, 256, (400, 32 * 32 // 8), np.uint8)
    stream = [Spikes(step=step, count=400, rate_hz=20_000.0, packed=packed, height=32, width=32)]
    for node in (encode, reconstruct):
        stream = drive(node, stream, flush=False)
        for message in stream:
            message.rate_hz = 20_000.0
    made += [len(drive(node, stream, flush=False)) for node in last]
assert made.all(), made
print(sorted(name for name in sys.modules.keys() - before if name.count(".") < 2))
"""


def test_a_node_that_is_ready_has_loaded_what_its_messages_need():
    """A live stream does not wait: half a second for a library at some message is half a second of them dropped."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
