"""Networks in files: saved with a model card, loaded only where every tensor is what the architecture asks for."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spikemm.exceptions import OptionError, WeightsError
from spikemm.weights.card import ModelCard
from spikemm.weights.container import Container, read_container, replace_file, write_container

__all__ = ["bundled", "load_network", "read_card", "save_network"]

_KIND = "spikemm-network/1"
_LIMIT_BYTES = 64 << 20
_LARGEST_OPTION = 4096
_SUFFIX = ".safetensors"
_FOLDER = Path(__file__).parent


def save_network(
    path: Path, network: nn.Module, *, architecture: str, options: Mapping[str, Any], card: ModelCard
) -> str:
    """Save a network as NAME.safetensors and its card as NAME.md, each in one stroke.

    Parameters
    ----------
    path : Path
        The file, ending in ``.safetensors``.
    network : torch.nn.Module
        The network; its parameters and persistent buffers are saved.
    architecture : str
        Name under which `load_network` finds its class.
    options : Mapping
        Arguments that build such a network: numbers, text and truth values.
    card : ModelCard
        Where the weights come from.

    Returns
    -------
    str
        SHA-256 of the contents in hexadecimal; the card states it too.

    Raises
    ------
    OptionError
        If `path` has another ending or an option is of another type or too large.
    WeightsError
        If a weight is not finite, or a file cannot be written.
    """
    if path.suffix != _SUFFIX:
        raise OptionError(f"weights cannot be saved as {path}: let the name end in {_SUFFIX}")
    if not _valid(dict(options)):
        raise OptionError(f"options {dict(options)}: take numbers up to {_LARGEST_OPTION}, text and truth values")
    tensors = network.state_dict()
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path} is not written, {name} is not finite: the training diverged, lower its rate")
    metadata = {"architecture": architecture, "options": json.dumps(dict(options)), "training": card.training}
    digest = write_container(path, tensors, metadata, kind=_KIND, limit_bytes=_LIMIT_BYTES)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    page = card.page(path.stem, architecture=architecture, options=options, parameters=parameters, digest=digest)
    replace_file(path.with_suffix(".md"), page.encode())
    return digest


def load_network(
    path: Path, *, networks: Mapping[str, type[nn.Module]], expected: str | None = None, device: str = "cpu"
) -> nn.Module:
    """Load a network that `save_network` saved.

    No code of the file is run, and the caller's random numbers are left as they are.

    Parameters
    ----------
    path : Path
        The file.
    networks : Mapping
        Classes by name of architecture; no others are built.
    expected : str, optional
        The only architecture that will do.
    device : str
        Torch device of the network.

    Returns
    -------
    torch.nn.Module
        The network, in evaluation mode.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, no safetensors file, of another architecture, or has tensors that are missing,
        in excess, of another shape or type, or not finite.
    """
    contents = read_container(path, kind=_KIND, limit_bytes=_LIMIT_BYTES)
    architecture = contents.metadata.get("architecture", "")
    if architecture not in networks or expected not in (None, architecture):
        wanted = repr(expected) if expected else f"one of {', '.join(networks)}"
        raise WeightsError(f"{path} holds a network {architecture!r}: {wanted} is needed here, take another file")
    options = _options(path, contents)
    # Shapes come first, on the device without memory: options from a foreign file could ask for any amount of it.
    with torch.device("meta"):
        blueprint = _build(path, networks[architecture], options)
    _check(path, blueprint.state_dict(), contents.tensors)
    # Drawing initial weights that are overwritten next must not change what the caller draws afterwards.
    with torch.random.fork_rng(devices=[]):
        network = _build(path, networks[architecture], options)
    network.load_state_dict(contents.tensors)
    return network.eval().to(device)


def read_card(path: Path) -> str:
    """Return the card of a file of weights.

    Parameters
    ----------
    path : Path
        The file, which is read and checked whole.

    Returns
    -------
    str
        The page NAME.md beside it where that is about these very contents; otherwise what the file itself states.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or no file of weights.
    """
    contents = read_container(path, kind=_KIND, limit_bytes=_LIMIT_BYTES)
    page = path.with_suffix(".md")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = page.read_text(encoding="utf-8")
        if contents.digest in text:
            return text
    stated = "".join(f"- **{name}:** `{text}`\n" for name, text in sorted(contents.metadata.items()))
    missing = f"There is no card {page.name} of these contents; the file itself states:"
    return f"# {path.stem}\n\n{missing}\n\n{stated}- **contents:** SHA-256 `{contents.digest}`\n"


def bundled(name: str) -> Path:
    """Path of weights that come with the package.

    Raises
    ------
    WeightsError
        If there are none of that name.
    """
    names = sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))
    if name not in names:
        raise WeightsError(f"no weights named {name!r} come with the package: take one of {', '.join(names) or 'none'}")
    return _FOLDER / f"{name}{_SUFFIX}"


def _valid(options: object) -> bool:
    """Whether the options are plain values that cannot make a constructor run for ever."""
    if not isinstance(options, dict):
        return False
    return all(
        isinstance(value, str | bool) or (isinstance(value, int | float) and abs(value) <= _LARGEST_OPTION)
        for value in options.values()
    )


def _options(path: Path, contents: Container) -> dict[str, Any]:
    try:
        options = json.loads(contents.metadata.get("options", ""))
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict) or not _valid(options):
        raise WeightsError(f"{path} states no usable options of its network: save it again with this program")
    return options


def _build(path: Path, network_class: type[nn.Module], options: dict[str, Any]) -> nn.Module:
    try:
        return network_class(**options)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be built with its options {options} ({reason}): it is from another version, train it again"
        ) from error


def _check(path: Path, wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    """Refuse tensors that are missing, in excess, of another shape or type, or not finite."""
    remedy = "it is damaged or from another version, take another file"
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found or name not in wanted:
            raise WeightsError(f"{path} {'lacks' if name not in found else 'has the unknown'} tensor {name}: {remedy}")
        shape, right = tuple(found[name].shape), tuple(wanted[name].shape)
        if shape != right or found[name].dtype != wanted[name].dtype:
            types = f"{shape} {found[name].dtype} where {right} {wanted[name].dtype} is needed"
            raise WeightsError(f"{path} has a tensor {name} of {types}: {remedy}")
        if not bool(torch.isfinite(found[name]).all()):
            raise WeightsError(f"{path} has values in tensor {name} that are not finite: {remedy}")
