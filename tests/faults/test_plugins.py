"""A node type of a user's own, in a file beside the pipeline and outside the project."""

import textwrap
from pathlib import Path

import pytest

from engine.exceptions import PipelineError
from engine.pipeline import load_pipeline
from engine.supervisor import Supervisor

SINK = '''
from pathlib import Path

from engine import Sink
from zoo import Numbers


class Loudness(Sink):
    """Write the mean of every message."""

    accepts = Numbers

    def process(self, numbers: Numbers, port: str) -> None:
        with Path("{out}").open("a") as file:
            print(numbers.step, numbers.values.mean(), file=file)
'''


@pytest.fixture
def folder(tmp_path):
    """Give a folder of a user's own, with the zoo and a pipeline in it."""

    def make(module, sink_type):
        zoo = Path(__file__).with_name("zoo.py")
        (tmp_path / "zoo.py").write_text(zoo.read_text())
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(SINK).format(out=tmp_path / "out"))
        (tmp_path / "mine.yaml").write_text(
            f"nodes:\n  source: {{type: 'zoo:Counter', count: 5}}\n  sink: {{type: '{sink_type}', inputs: source}}\n"
        )
        return tmp_path

    return make


def test_a_sink_in_a_file_of_its_own_runs_by_module_and_class(folder):
    path = folder("my_loudness", "my_loudness:Loudness")
    summary = Supervisor(load_pipeline(path / "mine.yaml")).run()
    assert summary["exit_status"] == 0
    assert (path / "out").read_text().splitlines() == [f"{number} {float(number)}" for number in range(5)]


def test_a_file_named_like_a_module_of_the_standard_library_shadows_nothing(folder):
    path = folder("colorsys", "colorsys:Loudness")
    (path / "json.py").write_text("raise RuntimeError('shadowed')")
    (path / "numpy.py").write_text("raise RuntimeError('shadowed')")
    with pytest.raises(PipelineError, match="module colorsys has no 'Loudness'"):
        load_pipeline(path / "mine.yaml")
    folder("other_loudness", "other_loudness:Loudness")
    assert Supervisor(load_pipeline(path / "mine.yaml")).run()["exit_status"] == 0
