"""Checkpoints of a training that may be killed at any moment and goes on as if it had not been."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spikemm.exceptions import WeightsError
from spikemm.weights.container import read_container, write_container
from spikemm.weights.tree import join_tree, split_tree
from spikemm.whole_file import remove_rests

__all__ = ["Generators", "TrainingState", "load_checkpoint", "save_checkpoint"]

Generators = Mapping[str, np.random.Generator | torch.Generator]
"""Sources of random numbers by name."""

_KIND = "spikemm-checkpoint/1"
_LIMIT_BYTES = 1 << 30
_KEPT = 2
_NAME = re.compile(r"iteration-(\d{9})\.safetensors")


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class TrainingState:
    """Everything that the next iteration of a training depends on.

    Attributes
    ----------
    iteration : int
        Iterations done.
    network : dict
        State of the network.
    optimizer : dict
        State of the optimiser.
    random : dict
        States of torch's global sources of random numbers and of the training's own.
    options : dict
        Options of the training, for the caller to compare.
    notes : dict
        What else the training carries along: the best figure so far, averaged weights. Tensors, numbers and text.
    """

    iteration: int
    network: dict[str, Any]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    options: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def capture(
        cls,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        iteration: int,
        options: Mapping[str, Any],
        generators: Generators | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> "TrainingState":
        """Copy the state of a training; what it does afterwards leaves the copy as it is."""
        sources = {name: _random_state(generator) for name, generator in (generators or {}).items()}
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return cls(
            iteration=iteration,
            network=copy.deepcopy(dict(network.state_dict())),
            optimizer=copy.deepcopy(optimizer.state_dict()),
            random={"torch": torch.get_rng_state(), "cuda": cuda, "own": sources},
            options=dict(options),
            notes=copy.deepcopy(dict(notes or {})),
        )

    def restore(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, generators: Generators | None = None
    ) -> None:
        """Put a training into this state; the state may be used again.

        States of CUDA's random numbers are put back where the machine has as many devices as the one before.

        Raises
        ------
        WeightsError
            If the network, the optimiser or the names of the generators are others than those captured.
        """
        try:
            network.load_state_dict(self.network)
            optimizer.load_state_dict(copy.deepcopy(self.optimizer))
            _set_random_states(generators or {}, self.random["own"])
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            raise WeightsError(
                f"the checkpoint of iteration {self.iteration} is of another training ({_line(error)}): "
                "train with the options it was made with, or into an empty folder"
            ) from error
        torch.set_rng_state(self.random["torch"])
        if torch.cuda.is_available() and torch.cuda.device_count() == len(self.random["cuda"]):
            torch.cuda.set_rng_state_all(self.random["cuda"])


def save_checkpoint(folder: Path, state: TrainingState) -> Path:
    """Save a state as ``iteration-NNNNNNNNN.safetensors``; the one before is kept, older ones go once this is whole.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the state holds anything else than tensors, numbers and text.
    WeightsError
        If the folder holds a later state, or the file cannot be written.
    """
    path = folder / f"iteration-{state.iteration:09d}.safetensors"
    before = _checkpoints(folder)
    if before and before[-1].name > path.name:
        raise WeightsError(f"{folder} holds a later {before[-1].name}: resume from it, or train into an empty folder")
    tensors, text = split_tree({part.name: getattr(state, part.name) for part in fields(state)})
    write_container(path, tensors, {"state": text}, kind=_KIND, limit_bytes=_LIMIT_BYTES)
    for old in _checkpoints(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)
    remove_rests(folder)
    return path


def load_checkpoint(folder: Path) -> TrainingState | None:
    """Load the newest state in a folder, onto the CPU; None where there is none.

    Raises
    ------
    WeightsError
        If the newest one is damaged; the message names the one before it where that is whole.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    try:
        return _load(found[-1])
    except WeightsError as error:
        older = next((path for path in reversed(found[:-1]) if _is_whole(path)), None)
        remedy = f"delete it to go on from {older}" if older else "empty the folder to begin again"
        raise WeightsError(f"{error}, or {remedy}") from error


def _checkpoints(folder: Path) -> list[Path]:
    """Whole and damaged checkpoints, oldest first."""
    return sorted(path for path in folder.glob("iteration-*.safetensors") if _NAME.fullmatch(path.name))


def _load(path: Path) -> TrainingState:
    contents = read_container(path, kind=_KIND, limit_bytes=_LIMIT_BYTES)
    try:
        return TrainingState(**join_tree(contents.tensors, contents.metadata["state"]))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path} is no state of a training ({_line(error)}): copy it again") from error


def _is_whole(path: Path) -> bool:
    try:
        _load(path)
    except WeightsError:
        return False
    return True


def _random_state(generator: np.random.Generator | torch.Generator) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return copy.deepcopy(generator.bit_generator.state)


def _set_random_states(generators: Generators, states: Mapping[str, Any]) -> None:
    if generators.keys() != states.keys():
        raise ValueError(f"its generators are {sorted(states)}, not {sorted(generators)}")
    for name, generator in generators.items():
        if isinstance(generator, torch.Generator):
            generator.set_state(states[name])
        else:
            generator.bit_generator.state = states[name]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
