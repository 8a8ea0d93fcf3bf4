"""Nested dicts, lists and tuples of tensors and plain values, as named tensors and one JSON text, and back, exactly.

JSON alone would turn tuples into lists and the integer keys of an optimiser's state into text.
"""

import json
from typing import Any

import torch

from spikemm.exceptions import OptionError

__all__ = ["join_tree", "split_tree"]


def split_tree(tree: Any) -> tuple[dict[str, torch.Tensor], str]:
    """Take the tensors out of a tree.

    Parameters
    ----------
    tree : object
        Dicts with keys of text or integers, lists and tuples, of tensors, numbers, text, truth values and None.

    Returns
    -------
    tensors : dict
        The tensors, each under its number and its path in the tree.
    text : str
        JSON of everything else, with the names of the tensors in their places.

    Raises
    ------
    OptionError
        If the tree holds anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    return tensors, json.dumps(_split(tree, "", tensors))


def join_tree(tensors: dict[str, torch.Tensor], text: str) -> Any:
    """Put a tree that `split_tree` took apart together again.

    Raises
    ------
    ValueError, LookupError, TypeError
        If the text is not one of its, or names a tensor that is not there.
    """
    return _join(json.loads(text), tensors)


def _split(branch: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    match branch:
        case torch.Tensor():
            name = f"{len(tensors)}:{path}"
            tensors[name] = branch
            return {"tensor": name}
        case dict() if all(type(key) in (str, int) for key in branch):
            return {"dict": [[key, _split(value, f"{path}/{key}", tensors)] for key, value in branch.items()]}
        case tuple() | list():
            items = [_split(value, f"{path}/{place}", tensors) for place, value in enumerate(branch)]
            return {"tuple": items} if isinstance(branch, tuple) else items
        case None | bool() | int() | float() | str():
            return branch
    raise OptionError(f"{path or 'the state'} is of type {type(branch).__name__}: take tensors, numbers and text only")


def _join(branch: Any, tensors: dict[str, torch.Tensor]) -> Any:
    match branch:
        case {"tensor": name}:
            return tensors[name]
        case {"dict": items}:
            return {key: _join(value, tensors) for key, value in items}
        case {"tuple": items}:
            return tuple(_join(value, tensors) for value in items)
        case list():
            return [_join(value, tensors) for value in branch]
    return branch
