"""`spikemm top`: watch a running pipeline."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.ctl import RunName, connect

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["top"]


def top(
    run: RunName = None,
    every: Annotated[float, typer.Option("--every", min=0.1, max=60, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print the tables once and end.")] = False,
) -> None:
    """Watch the nodes and links of a running pipeline; Ctrl-C ends the watching, not the pipeline.

    **busy %** is the share of its time a node spends working: the one near 100 is the bottleneck. **age** is how long
    ago a message's last sensor step left the source when its receiver had finished with it.
    """
    from rich.live import Live

    from tools.tables import console

    out = console()
    with connect(run) as client:
        if once:
            out.print(_screen(client.request("status")))
            return
        try:
            with Live(_screen(client.request("status")), console=out, auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(_screen(client.request("status")), refresh=True)
        except KeyboardInterrupt:
            return


def _screen(status: dict[str, Any]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    from tools.tables import link_table, node_table

    heading = f"{status['pipeline']} (process {status['pid']}): {status['phase']}, {status['seconds']:.0f} s"
    problems = [Text(problem, style="red") for problem in status["problems"]]
    return Group(Text(heading), node_table(status), link_table(status), *problems)
