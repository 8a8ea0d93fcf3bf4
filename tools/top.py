"""`spikemm top`: watch a running pipeline."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.ctl import RunName, connect
from tools.options import finite

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["top"]


def top(
    run: RunName = None,
    every: Annotated[
        float, typer.Option("--every", min=0.1, max=60, callback=finite, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print the tables once and end.")] = False,
) -> None:
    """Watch the nodes and links of a running pipeline; Ctrl-C ends the watching, not the pipeline.

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
    from rich.live import Live

    from tools.tables import console

    out = console()
    with connect(run) as client:
        if once:
            out.print(_screen(client.request("status"), out.width))
            return
        try:
            with Live(_screen(client.request("status"), out.width), console=out, auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(_screen(client.request("status"), out.width), refresh=True)
        except KeyboardInterrupt:
            return


def _screen(status: dict[str, Any], width: int) -> "Group":
    from rich.console import Group
    from rich.text import Text

    from tools.tables import tables

    heading = f"{status['pipeline']} (process {status['pid']}): {status['phase']}, {status['seconds']:.0f} s"
    problems = [Text(problem, style="red") for problem in status["problems"]]
    return Group(Text(heading), *tables(status, width), *problems)
