"""`spikemm bench`: how fast the parts are on this machine."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.machine import machine
from tools.options import Json

__all__ = ["bench"]


class Name(StrEnum):
    """What can be measured."""

    ENCODE = "encode"
    SIMULATE = "simulate"
    MAGNIFY = "magnify"
    UPSAMPLE = "upsample"
    LINK = "link"
    RECORD = "record"


_REPEATS = {Name.ENCODE: 15}
"""The encoder is bound by memory, and what else runs on the machine shows in most of its repeats."""

_SECONDS = {Name.RECORD: 5.0}
"""A disk has buffers of its own, which a short run would not fill."""


def bench(
    name: Annotated[
        Name,
        typer.Argument(
            metavar="NAME",
            help="What to measure: encode, simulate, magnify, upsample, link or record.",
            show_default=False,
        ),
    ],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            min=0.04,
            max=600,
            help="Seconds of sensor time in each repeat.",
            show_default="5 for record, else 0.2",
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Repeats; the best one counts.", show_default="15 for encode, else 5"),
    ] = None,
    folder: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="For record: a folder on the disk to measure.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Measure one part, on one thread, at 250×400 px and 20 kHz.

    The best of several repeats counts, and all of them are shown.

    - **encode**: push the stream; every 20 steps take one interval frame (w = 32) and one rate frame (w = 256). The
      same frames are made in plain numpy in the same run and compared value by value; ratio_to_numpy is how many
      times as long as ours numpy takes.
    - **simulate**: simulate the tuning fork, and write nothing.
    - **magnify**, **upsample**: milliseconds a frame of every method.
    - **link**: messages of 1 MB and 5 MB over a link between two processes: GB/s, and the age of one on arrival.
    - **record**: a live camera of 250 MB/s into a session in `--folder`, once, removed afterwards: steps lost, blocks
      damaged, MB/s; and MB/s of plain writes to the same disk in the same run.

    Example: `spikemm bench encode --json`
    """
    result = {
        "name": name.value,
        "threads": 1,
        **_measure(name, seconds or _SECONDS.get(name, 0.2), repeats or _REPEATS.get(name, 5), folder),
        "machine": machine(),
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _show(result)


def _measure(name: Name, seconds: float, repeats: int, folder: Path) -> dict[str, Any]:
    match name:
        case Name.ENCODE:
            from tools.bench_encode import bench_encode

            return bench_encode(seconds, repeats)
        case Name.SIMULATE:
            from tools.bench_simulate import bench_simulate

            return bench_simulate(seconds, repeats)
        case Name.MAGNIFY:
            from tools.bench_frames import bench_magnify

            return bench_magnify(seconds, repeats)
        case Name.UPSAMPLE:
            from tools.bench_frames import bench_upsample

            return bench_upsample(seconds, repeats)
        case Name.LINK:
            from tools.bench_link import bench_link

            return bench_link(seconds, repeats)
        case Name.RECORD:
            from tools.bench_record import bench_record

            return bench_record(seconds, folder)


def _show(result: dict[str, Any]) -> None:
    from rich.table import Table

    from tools.tables import console

    table = Table(show_header=False, box=None)
    for key, value in result.items():
        values = value if isinstance(value, list) else [value]
        table.add_row(key, ", ".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in values))
    console().print(table)
