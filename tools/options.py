"""The options that several commands share: how a recording is to be read."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Flip", "Height", "Json", "RateHz", "RecordingPath", "Width"]

RecordingPath = Annotated[
    Path,
    typer.Argument(
        metavar="REC", help="The recording: a camera's .dat, or .npy / .npz with 0 and 1 of shape (T, H, W)."
    ),
]
_FROM = "the sidecar REC.yaml, else"
Height = Annotated[
    int | None, typer.Option("--height", min=1, help="Rows of the sensor, in px.", show_default=f"{_FROM} 250")
]
Width = Annotated[
    int | None, typer.Option("--width", min=1, help="Columns of the sensor, in px.", show_default=f"{_FROM} 400")
]
RateHz = Annotated[
    float | None,
    typer.Option("--rate", min=1, help="Steps per second of the sensor, in Hz.", show_default=f"{_FROM} 20000"),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Whether the file holds the rows bottom-up, as cameras write them; simulators often do not.",
        show_default=f"{_FROM} --flip",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
