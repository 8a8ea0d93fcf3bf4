"""What is known about a recording beside its bytes: arguments, the sidecar file, defaults."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from spikemm.exceptions import RecordingError

__all__ = ["LAYOUTS", "WITHOUT", "Facts", "read_sidecar"]

LAYOUTS = ("plain", "head", "wide", "array")

WITHOUT = "none"
"""Stated in the place of a calibration: the recording is to be used without one."""

_LARGEST = 16_384


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a recording; None where nobody stated one.

    Attributes
    ----------
    height, width : int or None
        Pixels.
    rate_hz : float or None
        Steps per second.
    flip : bool or None
        Whether rows run from the bottom up.
    layout : str or None
        One of ``LAYOUTS``.
    calibration : str or None
        Path of the sensor's calibration; ``none``: expressly without one.
    """

    height: int | None = None
    width: int | None = None
    rate_hz: float | None = None
    flip: bool | None = None
    layout: str | None = None
    calibration: str | None = None

    def or_else(self, other: "Facts") -> "Facts":
        """Fill what is None here from `other`."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return Facts(**{name: getattr(other, name) if mine[name] is None else mine[name] for name in mine})

    def contradictions(self, stated: "Facts", sidecar: Path) -> tuple[str, ...]:
        """Tell, one line each, where a fact given here beats another one that `sidecar` states."""
        return tuple(
            f"{sidecar}: says {key}: {getattr(stated, name)}, but {name} {getattr(self, name)} was given and is taken; "
            f"if the picture looks wrong, leave {name} out"
            for key, (name, _, _) in _KEYS.items()
            if None not in (getattr(self, name), getattr(stated, name)) and getattr(self, name) != getattr(stated, name)
        )

    def check(self, source: str) -> None:
        """Raise RecordingError where a fact stated by `source` has a wrong type or value."""
        for key, (name, good, expected) in _KEYS.items():
            value = getattr(self, name)
            if value is not None and not good(value):
                raise RecordingError(f"{source}: {key} is {value!r}: give {expected}")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


_KEYS: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "spike_h": ("height", _is_size, "the height in pixels, an integer from 1 to 16384"),
    "spike_w": ("width", _is_size, "the width in pixels, an integer from 1 to 16384"),
    "rate_hz": ("rate_hz", _is_rate, "the steps per second, a number above 0"),
    "flip": ("flip", lambda value: isinstance(value, bool), "true or false"),
    "layout": ("layout", lambda value: value in LAYOUTS, f"one of {', '.join(LAYOUTS)}"),
    "calibration": ("calibration", lambda value: isinstance(value, str) and value != "", "the path of a .npz, or none"),
}


def read_sidecar(path: Path) -> Facts:
    """Read ``NAME.yaml`` beside the recording `path`; without one, no facts.

    The path of a calibration in it is relative to it.

    Raises
    ------
    RecordingError
        It cannot be read, holds a key that looks like a slip of the pen, or a value of another type. Other tools'
        keys are none of our business.
    """
    sidecar = path.with_suffix(".yaml")
    if not sidecar.is_file():
        return Facts()
    stated = _parse(sidecar)
    for key in stated:
        near = difflib.get_close_matches(str(key), _KEYS, 1, cutoff=0.8)
        if key not in _KEYS and near:
            raise RecordingError(f"{sidecar}: unknown key {key!r}: did you mean {near[0]!r}?")
    facts = Facts(**{_KEYS[key][0]: value for key, value in stated.items() if key in _KEYS})
    facts.check(str(sidecar))
    if facts.calibration in (None, WITHOUT):
        return facts
    return replace(facts, calibration=str(sidecar.parent / str(facts.calibration)))


def _parse(sidecar: Path) -> dict[Any, Any]:
    try:
        stated = yaml.safe_load(sidecar.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RecordingError(f"{sidecar}: not readable as YAML ({reason}): correct or remove it") from None
    if stated is None:
        return {}
    if not isinstance(stated, dict):
        raise RecordingError(
            f"{sidecar}: holds {type(stated).__name__}, not keys and values: write 'spike_h: 250' and so on"
        )
    return stated
