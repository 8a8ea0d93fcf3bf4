from pathlib import Path

import pytest

from engine.pipeline import load_pipeline
from engine.plans import Planner
from engine.security import make_keys

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def runs(tmp_path, monkeypatch, fork):
    """A folder as the pipelines expect it: with the recording and the keys that their first lines tell how to make."""
    (tmp_path / "runs").mkdir()
    for ending in (".dat", ".yaml"):
        (tmp_path / "runs" / f"tuning-fork{ending}").symlink_to(fork.with_suffix(ending))
    make_keys(tmp_path / "runs" / "keys")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("demo", None),
        ("live", None),
        ("offline", None),
        ("raw_stream", None),
        ("rig", None),
        ("two_hosts", "rig"),
        ("two_hosts", "desk"),
    ],
)
def test_every_bundled_pipeline_passes_its_checks(runs, name, host):
    assert Planner(load_pipeline(CONFIGS / f"{name}.yaml"), host).chains


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_bundled_pipeline_is_explained_in_its_first_lines(path):
    first = path.read_text().splitlines()[:3]
    assert all(line.startswith("#") for line in first)
    assert f"configs/{path.name}" in path.read_text()


def test_a_live_pipeline_has_a_source_that_waits_for_nobody(runs):
    assert load_pipeline(CONFIGS / "live.yaml").graph.live
    assert not load_pipeline(CONFIGS / "demo.yaml").graph.live


def test_an_offline_run_leaves_nothing_out(runs):
    assert {edge.policy.name for edge in load_pipeline(CONFIGS / "offline.yaml").graph.edges()} == {"block"}
