"""Find a node's class by the name a pipeline file gives it."""

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path

from engine.exceptions import PipelineError
from engine.nearest import nearest
from engine.node import Node

__all__ = ["append_paths", "find_node_type", "reference", "type_names"]

_GROUP = "spikemm.nodes"


def type_names() -> dict[str, str]:
    """Short name → ``module:Class`` of every installed node type."""
    return {entry.name: entry.value for entry in entry_points(group=_GROUP)}


def append_paths(folders: list[Path]) -> None:
    """Make the modules in some folders importable, after everything that is installed: they can shadow nothing."""
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def reference(type_name: str) -> str:
    """Return ``module:Class`` for a short name or for such a reference itself.

    Raises
    ------
    PipelineError
        If no node type of that name is installed; the nearest name is offered.
    """
    if ":" in type_name:
        return type_name
    known = type_names()
    if type_name in known:
        return known[type_name]
    raise PipelineError(f"unknown node type {type_name!r}; {nearest(type_name, sorted(known))}; or module:Class")


def find_node_type(type_name: str) -> type[Node]:
    """Import and return the class of a node type.

    Raises
    ------
    PipelineError
        If it cannot be imported, or is not a node.
    """
    where = reference(type_name)
    module_name, _, class_name = where.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise PipelineError(f"type {where}: cannot import {module_name}: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise PipelineError(f"type {where}: module {module_name} has no {class_name!r}")
    if not (isinstance(found, type) and issubclass(found, Node)):
        raise PipelineError(f"type {where}: {class_name} is not a node; derive it from Source, Stage or Sink")
    return found
