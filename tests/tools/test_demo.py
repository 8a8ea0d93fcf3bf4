"""The demo as a user meets it: the page in a real browser shows a moving, magnified picture."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
READ = """(() => {
    const read = (name) => {
        const canvas = document.getElementById(name);
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return Array.from(data.filter((_, index) => index % 4 == 0));
    };
    return {width: document.getElementById('pixels').width, pixels: read('pixels'), raw: read('raw')};
})()"""


@pytest.fixture
def demo(fork, tmp_path):
    """The demo's pipeline on a small recording; yields its process and the address of its page."""
    settings = [f"replay.path={fork}", "web.port=0", "encode.hop=2", "reconstruct.window=16"]
    command = [
        sys.executable,
        "-m",
        "tools.cli",
        "run",
        str(ROOT / "configs" / "demo.yaml"),
        "--summary",
        "summary.json",
    ]
    for setting in settings:
        command += ["--set", setting]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        for line in process.stdout:
            if "http://" in line:
                yield process, line[line.index("http://") :].strip()
                break
        else:
            pytest.fail("the demo ended before it named its page")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_the_page_shows_the_fork_moving_and_moving_more_when_magnified(demo, browser, tmp_path):
    process, address = demo
    page = browser.open(address)
    shown = []
    for wanted in range(20, 140, 6):  # past the band filter's start, pictures of more than one period
        page.wait_for(f"Number(document.body.dataset.pictures) >= {wanted}", timeout_s=60)
        shown.append(page.evaluate(READ))
    page.screenshot(tmp_path / "demo.png")
    magnified = np.array([picture["pixels"] for picture in shown], float)
    raw = np.array([picture["raw"] for picture in shown], float)
    assert page.evaluate("document.body.dataset.state") == "live"
    assert raw.std() > 10, "there is something to see"
    moves = [np.abs(np.diff(pictures, axis=0)).max(axis=0) > 25 for pictures in (raw, magnified)]
    assert moves[1].sum() > 5 * max(moves[0].sum(), 1), "the magnified picture moves, the other hardly"
    page.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (process.returncode, summary["exit_status"]) == (0, 0)
