"""Trained weights that are to be fitted further: what network they are, against what the user says they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from spikemm.blind_spot import NETWORKS
from spikemm.exceptions import OptionError
from spikemm.weights import bundled, load_network

__all__ = ["Trained", "arguments_of", "open_trained"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A network from a file.

    Attributes
    ----------
    path : Path
    network : torch.nn.Module
    architecture : str
        Its name among `NETWORKS`.
    """

    path: Path
    network: nn.Module
    architecture: str

    @property
    def arguments(self) -> dict[str, int]:
        """What its class was called with."""
        return arguments_of(self.network)


def arguments_of(network: nn.Module) -> dict[str, int]:
    """Return what a network's class was called with, defaults included."""
    arguments: dict[str, int] = cast(Any, network).options
    return arguments


def open_trained(name: str, stated: Mapping[str, Any]) -> Trained:
    """Load weights to go on from.

    Parameters
    ----------
    name : str
        A file, ending in ``.safetensors``, or the name of some that come with the package.
    stated : mapping
        Options of the training as the user states them, whose ``architecture`` and ``network`` must be theirs.

    Raises
    ------
    OptionError
        If they are not.
    WeightsError
        If the weights cannot be read.
    """
    path = Path(name) if name.endswith(".safetensors") else bundled(name)
    network = load_network(path, networks=NETWORKS)
    trained = Trained(path, network, next(name for name, kind in NETWORKS.items() if type(network) is kind))
    _check("architecture", stated.get("architecture", trained.architecture), trained.architecture, name)
    asked = stated.get("network", {})
    if not isinstance(asked, Mapping):
        _check("network", asked, trained.arguments, name)
    for key, value in asked.items():
        _check(f"network.{key}", value, trained.arguments.get(key), name)
    return trained


def _check(key: str, stated: Any, found: Any, weights: str) -> None:
    if stated != found:
        raise OptionError(
            f"{key} is {stated}, and {weights} has {'none' if found is None else found}: leave {key} out, or adapt "
            "other weights"
        )
