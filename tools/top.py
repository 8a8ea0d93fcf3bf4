"""`spikemm top`: watch a running pipeline."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.ctl import RunName, find
from tools.options import finite

if TYPE_CHECKING:
    from rich.console import Console, Group

    from engine.control import ControlClient, RunningPipeline

__all__ = ["top"]


def top(
    run: RunName = None,
    every: Annotated[
        float, typer.Option("--every", min=0.1, max=60, callback=finite, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print the tables once and end.")] = False,
) -> None:
    """Watch the nodes and links of a running pipeline until it ends; Ctrl-C ends the watching, not the pipeline.

    **busy %** is the share of its time a node spends working: the one near 100 is the bottleneck. **age** is how long
    ago a message's last sensor step left the source when its receiver had finished with it. A window narrower than
    150 characters shows fewer columns; `spikemm ctl status --json` has every figure.

    Of a link:

    - **dropped**: messages left out because the receiver was slower, as the link's policy allows.
    - **flushed**: messages thrown away unread after a seek.
    - **lost**: messages that a crash, or a `block` link's full buffer, has cost.
    - **gap steps**: sensor steps that its receiver has missed, whatever the cause.
    - **blocked s**: seconds the sender has waited for room.

    Counted by nodes:

    - **hop_raised**: how often `encode` has made fewer frames because the consumers could not keep up.
    - **slipped_ms**: ms by which `replay` is behind its schedule because it was kept waiting.
    - **behind_ms_max**: ms by which `synthetic_camera` was late at worst.
    - **steps_lost**: sensor steps it has skipped because of that.
    """
    from engine.control import ControlClient
    from engine.exceptions import ControlError
    from tools.tables import console

    found, out = find(run), console()
    with ControlClient(found.endpoint) as client, suppress(KeyboardInterrupt):
        if once:
            out.print(_screen(client.request("status"), out.width))
            return
        try:
            _watch(client, found, every, out)
        except ControlError:
            if _runs(found):
                raise
        if not out.is_terminal:
            out.line()  # elsewhere `Live` does not end its last one
        typer.echo(f"{found.name} has ended")


def _watch(client: "ControlClient", found: "RunningPipeline", every: float, out: "Console") -> None:
    """Show the tables again and again, until the run has ended."""
    from rich.live import Live

    with Live(_screen(client.request("status"), out.width), console=out, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            if not _runs(found):
                return
            live.update(_screen(client.request("status"), out.width), refresh=True)


def _runs(found: "RunningPipeline") -> bool:
    from engine.control import running_pipelines

    return found in running_pipelines()


def _screen(status: dict[str, Any], width: int) -> "Group":
    from rich.console import Group
    from rich.text import Text

    from tools.tables import tables

    heading = f"{status['pipeline']} (process {status['pid']}): {status['phase']}, {status['seconds']:.0f} s"
    problems = [Text(problem, style="red") for problem in status["problems"]]
    return Group(Text(heading), *tables(status, width), *problems)
