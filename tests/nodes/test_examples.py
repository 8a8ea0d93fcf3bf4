"""The examples are what they claim to be: files of a user's, outside the project, that run as they are."""

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "nodes" / "examples"
PIPELINE = """
nodes:
  camera:      {type: synthetic_camera, scene: still, height: 48, width: 64, chunk_steps: 100}
  encode:      {inputs: camera, hop: 1000}
  reconstruct: {inputs: encode}
  loudness:    {type: "loudness:Loudness", inputs: reconstruct, policy: block}
"""


def test_the_sink_of_one_s_own_prints_a_line_for_each_frame(tmp_path):
    shutil.copy(EXAMPLES / "loudness.py", tmp_path)
    (tmp_path / "mine.yaml").write_text(PIPELINE)
    command = [sys.executable, "-m", "tools.cli", "run", str(tmp_path / "mine.yaml"), "--quiet", "--seconds", "1"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr
    frames = [line.split() for line in ended.stdout.splitlines()]
    steps = [int(step) for step, _ in frames]
    assert len(steps) > 5
    assert steps == sorted(set(steps))
    assert all(step % 1000 == 0 for step in steps)
    assert all(0.05 < float(mean) < 0.5 for _, mean in frames)
