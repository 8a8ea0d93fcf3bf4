"""Pipeline files: read, overridden and checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from engine.exceptions import PipelineError
from engine.graph import Graph, NodeSpec
from engine.nearest import nearest
from engine.node import Node
from engine.plugins import append_paths, find_node_type, reference
from engine.policy import Policy

__all__ = ["Pipeline", "load_pipeline", "parse_pipeline"]

_ENGINE_KEYS = ("type", "inputs", "policy", "host", "endpoint", "threads")
_TOP_KEYS = ("name", "nodes", "chain", "security")


class Pipeline(msgspec.Struct, frozen=True):
    """A checked pipeline.

    Attributes
    ----------
    name : str
        What the run is called.
    graph : Graph
        The nodes and their links.
    keys : Path or None
        Folder of the CURVE keys, for links between hosts.
    folders : list[Path]
        Where plug-ins are looked for, after everything installed.
    """

    name: str
    graph: Graph
    keys: Path | None
    folders: list[Path]


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys in silence; this one refuses them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise PipelineError(f"line {key_node.start_mark.line + 1}: {key!r} is there twice; names are unique")
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def load_pipeline(path: Path, overrides: Sequence[str] = ()) -> Pipeline:
    """Read a pipeline file and check it; what only a host can tell, the `Planner` of that host checks.

    Parameters
    ----------
    path : Path
        A YAML file.
    overrides : sequence of str
        ``node.option=value`` (or ``name=…``, ``chain=…``), each taken over the file's.

    Raises
    ------
    PipelineError
        At the first thing that cannot run as written: the place, the value and the nearest valid name.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except FileNotFoundError:
        raise PipelineError(f"{path}: there is no such file: check the path") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PipelineError(f"{path}: not a pipeline file (not UTF-8 text); give the YAML file of a pipeline") from None
    except yaml.YAMLError as error:
        raise PipelineError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except PipelineError as error:
        raise PipelineError(f"{path}: {error}") from None
    try:
        return parse_pipeline(document, overrides, folder=path.parent.resolve(), name=path.stem)
    except PipelineError as error:
        raise PipelineError(f"{path}: {error}") from None


def parse_pipeline(document: Any, overrides: Sequence[str] = (), *, folder: Path, name: str) -> Pipeline:
    """Check a pipeline given as the dict that its file would hold; see `load_pipeline`."""
    _has_nodes(document)
    for text in overrides:
        _override(document, text)
    _has_nodes(document)
    _known_keys(document, _TOP_KEYS, "")
    folders = [folder, Path.cwd()]
    append_paths(folders)
    specs = [_node_spec(str(node), entry) for node, entry in document["nodes"].items()]
    graph = Graph.build(specs, _chains(document.get("chain")))
    keys = _keys_folder(document.get("security"), graph)
    return Pipeline(str(document.get("name", name)), graph, keys, folders)


def _has_nodes(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), dict) or not document["nodes"]:
        raise PipelineError("a pipeline is a mapping with at least one node under 'nodes'")


def _override(document: dict[str, Any], text: str) -> None:
    target, equals, value_text = text.partition("=")
    if not equals:
        raise PipelineError(f"--set {text}: write node.option=value")
    try:
        value = yaml.safe_load(value_text)
    except yaml.YAMLError:
        value = value_text
    node, dot, option = target.strip().partition(".")
    if not dot:
        _known_keys({node: value}, _TOP_KEYS, "--set ")
        document[node] = value
        return
    if node not in document["nodes"]:
        raise PipelineError(f"--set {text}: no node {node!r}; {nearest(node, document['nodes'])}")
    entry = document["nodes"][node] or {}
    if not isinstance(entry, dict):
        raise PipelineError(f"nodes.{node}: {entry!r} is not a mapping of keys and options")
    document["nodes"][node] = {**entry, option: value}


def _known_keys(mapping: dict[str, Any], known: Any, place: str) -> None:
    for key in mapping:
        if key not in known:
            raise PipelineError(f"{place}unknown key {key!r}; {nearest(str(key), known)}")


def _node_spec(name: str, entry: Any) -> NodeSpec:
    """Check one entry of ``nodes``."""
    place = f"nodes.{name}"
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        raise PipelineError(f"{place}: {entry!r} is not a mapping of keys and options")
    if not name.replace("_", "").replace("-", "").isalnum() or len(name) > 40:
        raise PipelineError(f"{place}: a name is 1 to 40 letters, digits, - and _")
    try:
        type_name = str(entry.get("type", name))
        node_type = find_node_type(type_name)
        policy = _policy(entry, node_type)
    except PipelineError as error:
        raise PipelineError(f"{place}: {error}") from None
    given = {key: value for key, value in entry.items() if key not in _ENGINE_KEYS}
    return NodeSpec(
        name=name,
        node_type=node_type,
        reference=reference(type_name),
        options=_options(node_type, given, place),
        inputs=_inputs(entry.get("inputs"), place),
        policy=policy,
        host=_text(entry, "host", place),
        endpoint=_text(entry, "endpoint", place),
        threads=_threads(entry, place),
    )


def _text(entry: dict[str, Any], key: str, place: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise PipelineError(f"{place}.{key}: {value!r} is not a text")
    return value


def _threads(entry: dict[str, Any], place: str) -> int:
    value = entry.get("threads", 1)
    if not isinstance(value, int) or not 1 <= value <= 256:
        raise PipelineError(f"{place}.threads: {value!r} is not a count from 1 to 256")
    return value


def _options(node_type: type[Node], given: dict[str, Any], place: str) -> msgspec.Struct:
    known = [spec.encode_name for spec in msgspec.structs.fields(node_type.Options)]
    _known_keys(given, [*known, *_ENGINE_KEYS], f"{place}: ")
    try:
        return msgspec.convert(given, node_type.Options)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".")
        value = f" (got {given[key]!r})" if key in given else ""
        raise PipelineError(f"{place}{'.' + key if key else ''}: {what.replace('`', '')}{value}") from None


def _inputs(value: Any, place: str) -> dict[str, str]:
    """Port → name of the node it reads from; the single port of ``inputs: name`` is called ``in``."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"in": value}
    if isinstance(value, dict) and value and all(isinstance(text, str) for pair in value.items() for text in pair):
        return dict(value)
    raise PipelineError(f"{place}.inputs: {value!r} is neither a node's name nor a mapping of port to name")


def _policy(entry: dict[str, Any], node_type: type[Node]) -> Policy | dict[str, Policy] | None:
    """One policy for all ports, or the file's by port over the node type's."""
    if "policy" not in entry:
        return node_type.policy
    given, ports = entry["policy"], node_type.accepts
    if not (isinstance(given, dict) and isinstance(ports, dict)) or given.keys() <= {"block", "drop_oldest"}:
        return Policy.parse(given)
    _known_keys(given, ports, "policy: ")
    own = node_type.policy if isinstance(node_type.policy, dict) else dict.fromkeys(ports, node_type.policy)
    parsed = {port: Policy.parse(text) for port, text in given.items()}
    return {port: policy for port, policy in {**own, **parsed}.items() if policy}


def _chains(value: Any) -> list[list[str]]:
    if value is None or value == []:
        return []
    lists = value if isinstance(value, list) and all(isinstance(item, list) for item in value) else [value]
    if not all(isinstance(item, list) and all(isinstance(name, str) for name in item) for item in lists):
        raise PipelineError(f"chain: {value!r} is not a list of node names, nor a list of such lists")
    return lists


def _keys_folder(security: Any, graph: Graph) -> Path | None:
    """Return the key folder; a link that leaves the machine must have one."""
    if security is not None:
        if not isinstance(security, dict):
            raise PipelineError(f"security: {security!r} is not a mapping; write security: {{keys: FOLDER}}")
        _known_keys(security, ("keys",), "security: ")
    folder = Path(str(security["keys"])).expanduser() if security and "keys" in security else None
    if folder is not None and not (folder / "spikemm.key_secret").is_file():
        raise PipelineError(
            f"security.keys: no spikemm.key_secret in {folder}; make one with: spikemm ctl keys {folder}"
        )
    for spec in graph.nodes.values():
        if folder is None and spec.leaves_the_machine:
            raise PipelineError(
                f"nodes.{spec.name}.endpoint: {spec.endpoint} listens beyond this machine without keys; "
                "add security: {keys: FOLDER} or use tcp://127.0.0.1:PORT"
            )
    return folder
