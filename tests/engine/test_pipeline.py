"""Whatever is wrong with a pipeline file is one line that names the place, the value and the remedy."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from engine import Live, Message, Policy, Sink, Source, Stage, array, node_with
from engine.exceptions import PipelineError
from engine.pipeline import load_pipeline, parse_pipeline
from engine.plans import Planner
from engine.security import make_keys


@dataclass(kw_only=True, eq=False)
class Sound(Message, kind="test.sound"):
    values: Any = array()


@dataclass(kw_only=True, eq=False)
class Light(Message, kind="test.light"):
    values: Any = array()


class Microphone(Source):
    class Options(msgspec.Struct, forbid_unknown_fields=True):
        path: str = ""
        speed: Annotated[float, msgspec.Meta(ge=0)] = 1.0

    emits = Sound

    @classmethod
    def check(cls, options: Any) -> None:
        if options.path == "missing":
            raise PipelineError("path: missing is not there; record it first")


class Camera(Source):
    live = True
    emits = Light


class Filter(Stage):
    class Options(msgspec.Struct, forbid_unknown_fields=True):
        alpha: Annotated[float, msgspec.Meta(ge=0), Live] = 10.0
        band_hz: tuple[float, float] = (1.0, 2.0)

    accepts = Sound
    emits = Sound

    @classmethod
    def wants(cls, options: Any, wanted: frozenset[str]) -> frozenset[str]:
        return wanted | {f"alpha:{options.alpha:g}"}


class Tuner(Sink):
    class Options(msgspec.Struct, forbid_unknown_fields=True):
        tunes: Annotated[str | None, msgspec.Meta(description="Whom."), node_with("alpha")] = None

    accepts = Sound


class Loudspeaker(Sink):
    accepts = Sound
    policy = Policy("latest", depth=1)

    @classmethod
    def wants(cls, options: Any, wanted: frozenset[str]) -> frozenset[str]:
        return frozenset({"raw"})


class Mixer(Stage):
    accepts = {"left": Sound, "right": Sound}  # noqa: RUF012
    emits = Sound


class Console(Sink):
    accepts = {"sound": Sound, "light": Light}  # noqa: RUF012
    optional_ports = frozenset({"light"})
    policy = {"sound": Policy("latest", depth=1)}  # noqa: RUF012


class NotANode:
    pass


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let pipelines name this file's classes as ``cast:Class``."""
    monkeypatch.setitem(sys.modules, "cast", sys.modules[__name__])


def parse(nodes, *overrides, **keys):
    return parse_pipeline({"nodes": nodes, **keys}, overrides, folder=Path.cwd(), name="test")


def trio(**changes):
    nodes = {
        "mic": {"type": "cast:Microphone"},
        "filter": {"type": "cast:Filter", "inputs": "mic"},
        "speaker": {"type": "cast:Loudspeaker", "inputs": "filter"},
    }
    return {name: {**entry, **changes.get(name, {})} for name, entry in nodes.items()}


def test_nodes_come_in_any_order_and_are_put_in_theirs():
    graph = parse(dict(reversed(trio().items())), name="mine").graph
    assert list(graph.nodes) == ["mic", "filter", "speaker"]
    assert [edge[:3] for edge in graph.edges()] == [("mic", "filter", "in"), ("filter", "speaker", "in")]
    assert graph.chains == [["mic"], ["filter"], ["speaker"]]


def test_the_policy_is_the_files_or_the_nodes_or_fits_the_source():
    policies = [str(edge.policy) for edge in parse(trio()).graph.edges()]
    assert policies == ["block: 2 s", "latest"]
    policies = [str(edge.policy) for edge in parse(trio(filter={"policy": {"drop_oldest": 3}})).graph.edges()]
    assert policies == ["drop_oldest: 3", "latest"]
    nodes = {"camera": {"type": "cast:Camera"}, "sink": {"type": "cast:Viewer", "inputs": "camera"}}
    graph = parse(nodes).graph
    assert graph.live
    assert next(graph.edges()).policy.name == "drop_oldest"


class Viewer(Sink):
    accepts = Light


def console(inputs, **keys):
    nodes = {
        "mic": {"type": "cast:Microphone"},
        "camera": {"type": "cast:Camera"},
        "console": {"type": "cast:Console", "inputs": inputs, **keys},
    }
    return parse(nodes).graph


def test_a_policy_may_differ_from_port_to_port():
    both = {"sound": "mic", "light": "camera"}
    assert [str(edge.policy) for edge in console(both).edges()] == ["latest", "drop_oldest: 32"]
    mixed = console(both, policy={"light": {"drop_oldest": 3}})
    assert [str(edge.policy) for edge in mixed.edges()] == ["latest", "drop_oldest: 3"]
    assert [str(edge.policy) for edge in console(both, policy="block").edges()] == ["block: 2 s"] * 2
    for policy, complaint in (
        ({"ligth": "latest", "sound": "block"}, r"policy: unknown key 'ligth'; did you mean 'light'\?"),
        ({"light": "newest"}, "policy 'newest' is none of"),
        ({}, r"policy \{\} is none of"),
    ):
        with pytest.raises(PipelineError, match=complaint):
            console(both, policy=policy)


def test_an_optional_port_may_stay_unconnected_and_one_name_goes_where_its_kind_fits():
    assert console("mic").nodes["console"].inputs == {"sound": "mic"}
    assert console({"sound": "mic", "light": "camera"}).nodes["console"].inputs == {"sound": "mic", "light": "camera"}
    with pytest.raises(PipelineError, match=r"ports light; Console has sound, light \(optional\)"):
        console("camera")


def test_what_consumers_ask_for_travels_upstream():
    assert parse(trio()).graph.wanted == {
        "mic": frozenset({"raw", "alpha:10"}),
        "filter": frozenset({"raw"}),
        "speaker": frozenset(),
    }


def test_options_are_typed_and_have_defaults():
    options = parse(trio(filter={"band_hz": [290, 330]})).graph.nodes["filter"].options
    assert options == Filter.Options(alpha=10.0, band_hz=(290.0, 330.0))


def test_overrides_go_over_the_file():
    pipeline = parse(trio(), "filter.alpha=20", "filter.band_hz=[3, 4]", "name=other", "speaker.policy=block")
    assert pipeline.graph.nodes["filter"].options == Filter.Options(alpha=20.0, band_hz=(3.0, 4.0))
    assert pipeline.name == "other"
    assert pipeline.graph.nodes["speaker"].policy.name == "block"


def test_chains_group_nodes_and_the_others_stay_alone():
    assert parse(trio(), chain=["mic", "filter"]).graph.chains == [["mic", "filter"], ["speaker"]]
    assert parse(trio(), chain=[["filter", "speaker"]]).graph.chains == [["mic"], ["filter", "speaker"]]
    assert parse(trio(), chain=[]).graph.chains == parse(trio()).graph.chains


def test_ports_are_those_of_the_node():
    nodes = {
        "mic": {"type": "cast:Microphone"},
        "mixer": {"type": "cast:Mixer", "inputs": {"left": "mic", "right": "mic"}},
        "speaker": {"type": "cast:Loudspeaker", "inputs": "mixer"},
    }
    assert parse(nodes).graph.nodes["mixer"].inputs == {"left": "mic", "right": "mic"}
    nodes["mixer"]["inputs"] = {"left": "mic", "rihgt": "mic"}
    with pytest.raises(PipelineError, match=r"nodes\.mixer\.inputs: ports left, rihgt; Mixer has left, right"):
        parse(nodes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mic": {"sped": 1}}, r"nodes\.mic: unknown key 'sped'; did you mean 'speed'\?"),
        ({"mic": {"speed": "fast"}}, r"nodes\.mic\.speed: Expected float, got str \(got 'fast'\)"),
        ({"mic": {"speed": -1}}, r"nodes\.mic\.speed: Expected float >= 0.* \(got -1\)"),
        ({"mic": {"inputs": "filter"}}, r"nodes\.mic\.inputs: Microphone is a source and reads from nobody"),
        ({"filter": {"band_hz": [1]}}, r"nodes\.filter\.band_hz: Expected array of length 2"),
        ({"filter": {"inputs": None}}, r"nodes\.filter\.inputs: missing; name the node that 'filter' reads from"),
        ({"filter": {"inputs": "mik"}}, r"nodes\.filter\.inputs: no node 'mik'; did you mean 'mic'\?"),
        ({"filter": {"inputs": "xyz"}}, r"no node 'xyz'; known: mic, filter, speaker"),
        ({"filter": {"inputs": 3}}, r"nodes\.filter\.inputs: 3 is neither a node's name nor a mapping"),
        ({"filter": {"inputs": "filter"}}, "nodes: links form a cycle: filter → filter"),
        ({"filter": {"inputs": "speaker"}}, "nodes: links form a cycle: .*filter → speaker|speaker → filter"),
        ({"mic": {"type": "cast:Camera"}}, r"inputs: 'mic' sends test\.light, 'filter' takes test\.sound"),
        ({"filter": {"policy": "newest"}}, r"nodes\.filter: policy 'newest' is none of: latest, block"),
        ({"filter": {"host": 3}}, r"nodes\.filter\.host: 3 is not a text"),
        ({"filter": {"threads": 0}}, r"nodes\.filter\.threads: 0 is not a count from 1 to 256"),
        ({"filter": {"type": "cast:Fliter"}}, r"nodes\.filter: type cast:Fliter: module cast has no 'Fliter'"),
        ({"filter": {"type": "cast:NotANode"}}, "NotANode is not a node; derive it from Source, Stage or Sink"),
        ({"filter": {"type": "no_such_module:Filter"}}, "cannot import no_such_module: ModuleNotFoundError"),
        ({"filter": {"type": "magnfy"}}, r"nodes\.filter: unknown node type 'magnfy'"),
    ],
)
def test_an_entry_that_cannot_run_is_refused(changes, complaint):
    with pytest.raises(PipelineError, match=complaint):
        parse(trio(**changes))


@pytest.mark.parametrize(
    ("tunes", "complaint"),
    [
        ("fliter", r"nodes\.tuner\.tunes: no node 'fliter'; did you mean 'filter'\?"),
        ("loud", r"nodes\.tuner\.tunes: no node 'loud'; known: filter"),
        ("mic", r"nodes\.tuner\.tunes: 'mic' has no live option alpha; known: filter"),
        ("tuner", r"nodes\.tuner\.tunes: 'tuner' has no live option alpha"),
    ],
)
def test_an_option_that_names_another_node_must_name_one_that_can_be_steered(tunes, complaint):
    tuner = {"type": "cast:Tuner", "inputs": "mic"}
    assert parse(trio() | {"tuner": tuner | {"tunes": "filter"}}).graph.nodes["tuner"].options.tunes == "filter"
    with pytest.raises(PipelineError, match=complaint):
        parse(trio() | {"tuner": tuner | {"tunes": tunes}})
    with pytest.raises(PipelineError, match="no node of this pipeline has a live option alpha"):
        parse({"mic": {"type": "cast:Microphone"}, "tuner": tuner | {"tunes": tunes}})


def test_a_sink_cannot_be_read_from():
    nodes = trio() | {"echo": {"type": "cast:Filter", "inputs": "speaker"}}
    with pytest.raises(PipelineError, match=r"nodes\.echo\.inputs: 'speaker' is a sink and sends nothing"):
        parse(nodes)


@pytest.mark.parametrize("name", ["two words", "a/b", "../up", "a+b", "", "x" * 41])
def test_a_name_must_be_fit_for_a_file(name):
    with pytest.raises(PipelineError, match="a name is 1 to 40 letters, digits, - and _"):
        parse({name: {"type": "cast:Microphone"}})


@pytest.mark.parametrize("entry", ["cast:Microphone", 3, ["a"]])
def test_an_entry_must_be_a_mapping(entry):
    for overrides in ((), ("mic.speed=2",)):
        with pytest.raises(PipelineError, match=r"nodes\.mic: .* is not a mapping of keys and options"):
            parse({"mic": entry}, *overrides)


@pytest.mark.parametrize("document", [None, [], "text", {}, {"nodes": None}, {"nodes": []}, {"nodes": {}}])
def test_a_document_must_have_nodes(document):
    with pytest.raises(PipelineError, match="a mapping with at least one node under 'nodes'"):
        parse_pipeline(document, folder=Path.cwd(), name="test")


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"chian": []}, r"unknown key 'chian'; did you mean 'chain'\?"),
        ({"chain": "mic"}, "chain: 'mic' is not a list of node names"),
        ({"chain": ["mic", "fitler"]}, r"chain: no node 'fitler'; did you mean 'filter'\?"),
        ({"chain": ["mic", "mic"]}, "chain: 'mic' is there twice"),
        ({"chain": [["mic", "filter"], ["filter", "speaker"]]}, "chain: 'filter' is there twice"),
        ({"chain": ["mic", "speaker"]}, "chain: 'speaker' does not read from 'mic' alone; chain neighbours only"),
        ({"chain": ["filter", "mic"]}, "chain: 'mic' does not read from 'filter' alone"),
        ({"security": "keys"}, "security: 'keys' is not a mapping"),
        ({"security": {"key": "x"}}, r"security: unknown key 'key'; did you mean 'keys'\?"),
        ({"security": {"keys": "nowhere"}}, r"security\.keys: no spikemm\.key_secret in nowhere; make one with: "),
    ],
)
def test_a_top_key_that_cannot_be_is_refused(keys, complaint):
    with pytest.raises(PipelineError, match=complaint):
        parse(trio(), **keys)


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("filter.alpha", r"--set filter\.alpha: write node\.option=value"),
        ("filtr.alpha=1", r"--set filtr\.alpha=1: no node 'filtr'; did you mean 'filter'\?"),
        ("filter.alhpa=1", r"unknown key 'alhpa'; did you mean 'alpha'\?"),
        ("filter.alpha=[", r"nodes\.filter\.alpha: Expected float, got str \(got '\['\)"),
        ("nam=x", r"--set unknown key 'nam'; did you mean 'name'\?"),
        ("nodes=3", "a mapping with at least one node under 'nodes'"),
    ],
)
def test_an_override_that_cannot_be_is_refused(override, complaint):
    with pytest.raises(PipelineError, match=complaint):
        parse(trio(), override)


@pytest.mark.parametrize(
    "endpoint", ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.7:5555", "tcp://eth0:5555"]
)
def test_nothing_listens_beyond_this_machine_without_keys(endpoint, tmp_path):
    with pytest.raises(PipelineError, match=r"nodes\.mic\.endpoint: .* listens beyond this machine without keys"):
        parse(trio(mic={"endpoint": endpoint}))
    make_keys(tmp_path / "keys")
    assert parse(trio(mic={"endpoint": endpoint}), security={"keys": str(tmp_path / "keys")}).keys == tmp_path / "keys"


def test_loopback_needs_no_keys():
    assert parse(trio(mic={"endpoint": "tcp://127.0.0.1:5555"})).keys is None


def write(path, text):
    path.write_text(text)
    return path


def test_a_file_is_named_in_front_of_what_is_wrong_with_it(tmp_path):
    path = write(tmp_path / "mine.yaml", "nodes:\n  mic: {type: 'cast:Microphone', sped: 1}\n")
    with pytest.raises(PipelineError, match=r"mine\.yaml: nodes\.mic: unknown key 'sped'"):
        load_pipeline(path)


def test_a_pipeline_is_called_like_its_file(tmp_path):
    path = write(tmp_path / "mine.yaml", "nodes:\n  mic: {type: 'cast:Microphone'}\n")
    assert load_pipeline(path).name == "mine"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nodes:\n  a: {type: x}\n  a: {type: y}\n", r"line 3: 'a' is there twice; names are unique"),
        ("nodes: {a: {type: x, type: y}}\n", r"line 1: 'type' is there twice"),
        ("nodes: [", "not YAML"),
        ("nodes: !!python/object:os.system {}\n", "not YAML"),
        ("? [1, 2]\n: 3\n", "not YAML|at least one node"),
        ("\udcff", r"not a pipeline file \(not UTF-8 text\)"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(tmp_path, text, complaint):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PipelineError, match=f"mine.yaml: ({complaint})"):
        load_pipeline(path)


def test_a_file_that_is_not_there_is_said_to_be(tmp_path):
    with pytest.raises(PipelineError, match=r"none\.yaml: there is no such file: check the path"):
        load_pipeline(tmp_path / "none.yaml")


def test_hosts_share_a_pipeline_and_each_runs_its_own_part():
    nodes = trio(mic={"host": "a", "endpoint": "tcp://127.0.0.1:5555"}, filter={"host": "b"}, speaker={"host": "b"})
    assert Planner(parse(nodes), "a").chains == [["mic"]]
    desk = Planner(parse(nodes), "b")
    assert desk.chains == [["filter"], ["speaker"]]
    assert (desk.reads_abroad(["filter"]), desk.reads_abroad(["speaker"])) == (True, False)


def test_a_node_is_asked_for_its_own_check_on_the_host_that_runs_it_alone():
    mic = {"path": "missing", "host": "a", "endpoint": "tcp://127.0.0.1:5555"}
    pipeline = parse(trio(mic=mic, filter={"host": "b"}, speaker={"host": "b"}))
    assert Planner(pipeline, "b").chains == [["filter"], ["speaker"]]
    with pytest.raises(PipelineError, match=r"^nodes\.mic: path: missing is not there; record it first"):
        Planner(pipeline, "a")


@pytest.mark.parametrize(
    ("nodes", "host", "chain", "complaint"),
    [
        (trio(mic={"host": "a"}), None, [], "the pipeline spans the hosts a; say which one this is: --host a"),
        (trio(mic={"host": "a"}), "z", [], "say which one this is"),
        (trio(), "a", [], "--host a: no node of the pipeline names a host"),
        (trio(mic={"host": "a"}, filter={"host": "b"}), "a", [], r"nodes\.mic\.endpoint: 'filter' reads it"),
        (
            trio(mic={"host": "a", "endpoint": "tcp://127.0.0.1:1"}, filter={"host": "b"}, speaker={"host": "b"}),
            "a",
            ["mic", "filter"],
            "chain mic → filter: its nodes are on different hosts",
        ),
        (
            trio(mic={"host": "a", "endpoint": "tcp://127.0.0.1:1"}, filter={"host": "b"}, speaker={"host": "b"})
            | {"tuner": {"type": "cast:Tuner", "inputs": "mic", "tunes": "filter", "host": "a"}},
            "a",
            [],
            r"nodes\.tuner\.tunes: 'filter' runs on another host, and options are set within one; give both",
        ),
    ],
)
def test_a_host_that_does_not_fit_is_refused(nodes, host, chain, complaint):
    with pytest.raises(PipelineError, match=complaint):
        Planner(parse(nodes, chain=chain), host)
