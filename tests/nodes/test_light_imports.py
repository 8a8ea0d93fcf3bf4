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
