"""Memory that is freed is used again. Truth: the page faults that the system counts."""

import platform
import subprocess
import sys

import pytest

_FRAMES = """
import resource, torch
from spikemm.allocator import keep_freed_memory
torch.set_num_threads(1)
if {keep}:
    keep_freed_memory()
for frame in range(20):
    if frame == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(150_000) for _ in range(8)]
    del parts
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep):
    done = subprocess.run([sys.executable, "-c", _FRAMES.format(keep=keep)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator adapts to what is freed")
def test_frames_reuse_the_memory_of_the_frames_before():
    # Without it there are some 8,000, or none, as what was freed before has it.
    assert faults(keep=True) < 100
