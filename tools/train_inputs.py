"""What `spikemm train` is given: a configuration file, recordings, or both."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from spikemm.exceptions import OptionError

if TYPE_CHECKING:
    from spikemm.training import BSNOptions, MagnifierTrainingOptions

__all__ = ["read_configuration", "read_magnifier_configuration", "split_inputs", "stated_options"]

_Options = TypeVar("_Options", bound=msgspec.Struct)

_CONFIGURATIONS = (".yaml", ".yml")

_OF_THE_OTHER = {"compact": ("label",), "reference": ("windows", "label_reach")}
"""Options that only the other architecture has a use for."""


def split_inputs(inputs: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """Tell the configuration from the recordings, by their endings.

    Raises
    ------
    OptionError
        If there are two configurations.
    """
    configurations = [path for path in inputs if path.suffix.lower() in _CONFIGURATIONS]
    if len(configurations) > 1:
        raise OptionError(f"{configurations[0]} and {configurations[1]} are two configurations: give one")
    recordings = [path for path in inputs if path.suffix.lower() not in _CONFIGURATIONS]
    return (configurations[0] if configurations else None), recordings


def stated_options(path: Path) -> dict[str, Any]:
    """Read the options of a blind-spot network's training that a YAML file states, as they stand there.

    Raises
    ------
    OptionError
        If the file cannot be read, or holds an unknown key.
    """
    from spikemm.training import BSNOptions

    return _stated(path, BSNOptions, "configs/train_bsn.yaml")


def read_configuration(path: Path | None, changes: dict[str, Any]) -> "BSNOptions":
    """Read the options of the training of a blind-spot network.

    Parameters
    ----------
    path : Path or None
        A YAML file of them; without one all have their defaults.
    changes : dict
        Options that beat those of the file.

    Raises
    ------
    OptionError
        If the file cannot be read, or holds an unknown key, one that does nothing, or a value out of range.
    """
    stated = {} if path is None else stated_options(path)
    source = "the command line" if path is None else str(path)
    from spikemm.training import BSNOptions

    options = _convert(source, stated, changes, BSNOptions)
    for key in _OF_THE_OTHER[options.architecture]:
        if key in stated:
            raise OptionError(f"{source}: {key} does nothing for the {options.architecture} network: remove it")
    return options


def read_magnifier_configuration(path: Path, changes: dict[str, Any]) -> "MagnifierTrainingOptions":
    """Read the options of the training of a magnifier; see `read_configuration`."""
    from spikemm.training import MagnifierTrainingOptions

    return _convert(
        str(path),
        _stated(path, MagnifierTrainingOptions, "configs/train_compact.yaml"),
        changes,
        MagnifierTrainingOptions,
    )


def _stated(path: Path, kind: type[msgspec.Struct], example: str) -> dict[str, Any]:
    stated = _parse(path, example)
    known = kind.__struct_fields__
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            advice = f"did you mean {near[0]!r}?" if near else "remove it"
            raise OptionError(f"{path}: unknown key {key!r}: {advice}")
    return stated


def _convert(source: str, stated: dict[str, Any], changes: dict[str, Any], kind: type[_Options]) -> _Options:
    try:
        return msgspec.convert({**stated, **changes}, kind)
    except msgspec.ValidationError as error:
        raise OptionError(f"{source}: {_where(error, {**stated, **changes}, kind)}") from None


def _where(error: msgspec.ValidationError, stated: dict[str, Any], kind: type[msgspec.Struct]) -> str:
    what, _, where = str(error).partition(" - at `$.")
    key = where.rstrip("`")
    value = stated.get(key.split("[")[0])
    if what.startswith("Invalid enum value"):
        what = f"choose from {', '.join(get_args(get_type_hints(kind)[key]))}"
    return f"{key} is {value!r}: {what.replace('`', '')}" if key else what.replace("`", "")


def _parse(path: Path, example: str) -> dict[Any, Any]:
    try:
        stated = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}: check the path of the configuration") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise OptionError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(stated, dict):
        raise OptionError(f"{path}: holds no keys and values: see {example}")
    return stated
