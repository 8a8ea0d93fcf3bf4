import subprocess
import sys

NODES = "encode frames magnify null reconstruct replay synthetic_camera upsample video warm_up"


def test_importing_the_nodes_loads_neither_torch_nor_numba():
    imports = ", ".join(f"nodes.{name}" for name in NODES.split())
    look = f"import sys, {imports}; print(sorted({{'torch', 'numba', 'scipy', 'cv2'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
