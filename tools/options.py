"""The options that several commands share: how a recording is to be read."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["CalibrationPath", "Flip", "Height", "Json", "RateHz", "RecordingPath", "Width", "finite"]

_LARGEST = 16_384


def finite(value: Any) -> Any:
    """Refuse nan and inf as the value, or a part of the value, of an option.

    Raises
    ------
    typer.BadParameter
    """
    for number in value if isinstance(value, tuple) else (value,):
        if number is not None and not math.isfinite(number):
            raise typer.BadParameter(f"{number} is not a finite number")
    return value


RecordingPath = Annotated[
    Path,
    typer.Argument(
        metavar="REC",
        help="The recording: a camera's .dat, 0 and 1 of shape (T, H, W) in a .npy or as `spk` in a .npz, or the "
        "folder of a session.",
    ),
]
_FROM = "the sidecar REC.yaml, else"
_SENSOR = "The sensor, and how its recordings are read"
Height = Annotated[
    int | None,
    typer.Option(
        "--height",
        min=1,
        max=_LARGEST,
        help="Rows of the sensor, in px.",
        show_default=f"{_FROM} 250",
        rich_help_panel=_SENSOR,
    ),
]
Width = Annotated[
    int | None,
    typer.Option(
        "--width",
        min=1,
        max=_LARGEST,
        help="Columns of the sensor, in px.",
        show_default=f"{_FROM} 400",
        rich_help_panel=_SENSOR,
    ),
]
RateHz = Annotated[
    float | None,
    typer.Option(
        "--rate",
        min=1,
        max=1e6,
        callback=finite,
        help="Steps per second of the sensor, in Hz.",
        show_default=f"{_FROM} 20000",
        rich_help_panel=_SENSOR,
    ),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Whether the file holds the rows bottom-up, as cameras write them; simulators often do not.",
        show_default=f"{_FROM} --flip",
        rich_help_panel=_SENSOR,
    ),
]
CalibrationPath = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        metavar="FILE.npz",
        help="The camera's fixed pattern, made by `spikemm calibrate`; none: without one.",
        show_default="the sidecar REC.yaml, else none",
        rich_help_panel=_SENSOR,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
