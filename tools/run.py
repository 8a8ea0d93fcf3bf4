"""`spikemm run`: start a pipeline, tell what happens, and say at the end what was lost."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tools.options import finite

if TYPE_CHECKING:
    from engine.reporter import Event
    from tools.run_monitor import RunMonitor

__all__ = ["run"]

_USER_ERROR = 2


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A pipeline file (YAML); configs/ holds examples.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NODE.OPTION=VALUE", help="Take this over what the file says; may be repeated."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            callback=finite,
            help="End after so many seconds of running.",
            show_default="at the source's end or Ctrl-C",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of the hosts that the file names this machine is.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write all figures of the run here at its end.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors only.")] = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser, where there is a screen.")
    ] = False,
) -> None:
    """Run a pipeline until its source ends, Ctrl-C, or --seconds.

    Everything in the file is checked before anything starts. Each node runs in a process of its own (a chain shares
    one), is restarted when it fails, and is told to finish what is under way at the end; a second Ctrl-C ends it
    all at once. The run closes with a table of its nodes and one of its links: what each sent, dropped and lost,
    and how old a message was on arrival. The last line adds up the messages of all links; a sensor step that was missed
    at the source, by the source itself or on the way from it, counts once there, though every link behind shows it.

    What a node tells and what goes wrong begins with the local time, an alarm raised or cleared as well.

    Exit status: 0 if every promise was kept; 1 if a node could not be kept up, a `block` link lost something, or the
    run was ended before the first frame of a file; 2 if the file or an option is wrong, or a recording is too short
    for a frame.

    For example:

    `spikemm run configs/demo.yaml --set magnify.alpha=20`

    `spikemm run configs/live.yaml --seconds 60 --summary live.json`

    While it runs, `spikemm top` watches it and `spikemm ctl` steers it from another terminal.
    """
    from engine.exceptions import PipelineError
    from engine.pipeline import load_pipeline
    from engine.supervisor import Supervisor
    from nodes.files.output_file import writing
    from nodes.warm_up import warm_up
    from spikemm.whole_file import whole_file
    from tools.run_monitor import RunMonitor

    pipeline = load_pipeline(config, overrides or ())
    if summary is not None and summary.is_dir():
        raise PipelineError(f"--summary {summary} is a folder; name a file in it")
    if summary is not None and not summary.parent.is_dir():
        raise PipelineError(f"--summary {summary}: there is no folder {summary.parent}; make it first")
    monitor = RunMonitor(quiet=quiet, open_page=open_page)
    supervisor = Supervisor(pipeline, host, lambda event: _tell(monitor, event))
    warm_up()
    with monitor:
        result = supervisor.run(seconds)
    if summary is not None:
        with writing(summary), whole_file(summary) as partial:
            partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not quiet and result["exit_status"] != _USER_ERROR:
        _show(result, seconds)
    raise typer.Exit(result["exit_status"])


def _tell(monitor: "RunMonitor", event: "Event") -> None:
    about = f"{event.node}: " if event.node else ""
    if event.level != "info":
        monitor.warn(f"spikemm: {about}{event.text}")
    elif event.node:
        monitor.note(about + event.text)
    else:
        monitor.say(event.text)


def _show(result: dict[str, Any], seconds: float | None) -> None:
    from tools.tables import console, tables

    out = console()
    if result["seconds"]:
        out.print(*tables(result, out.width))
    out.print(_verdict(result, seconds), highlight=False, soft_wrap=True)


def _verdict(result: dict[str, Any], seconds: float | None) -> str:
    """Say in one line whether the run kept what it promised."""
    totals = {what: sum(link.get(what, 0) for link in result["links"]) for what in ("dropped", "lost")}
    restarts = sum(node["restarts"] for node in result["nodes"].values())
    outcome = (
        "every promise kept: no `block` link lost anything, no node stayed down"
        if result["exit_status"] == 0
        else "NOT every promise kept: see the problems above"
    )
    counted = (
        f"{totals['dropped']} messages dropped, {totals['lost']} lost, "
        f"{_missed_at_sources(result['links'])} sensor steps missed at the source, {restarts} restarts"
    )
    return f"{result['pipeline']}: {_ending(result, seconds)}; {counted}; {outcome}"


def _missed_at_sources(links: list[dict[str, Any]]) -> int:
    """Count each gap once: per source what its worst-served reader missed; links further on repeat that gap."""
    fed = {link["target"] for link in links}
    missed: dict[str, int] = {}
    for link in links:
        if link["source"] not in fed:
            missed[link["source"]] = max(missed.get(link["source"], 0), link.get("gap_steps", 0))
    return sum(missed.values())


def _ending(result: dict[str, Any], seconds: float | None) -> str:
    """Say what ended the run: its source, --seconds, or a stop before either."""
    if not result["seconds"]:
        return f"{result['phase']} before it ran"
    after = f"after {result['seconds']:.1f} s"
    if result["phase"] == "failed":
        return f"failed {after}"
    fed = {link["target"] for link in result["links"]}
    sources = [node["status"] for name, node in result["nodes"].items() if name not in fed]
    if seconds is not None and result["seconds"] >= seconds:
        return f"ended by --seconds {after}"
    # Only a recording tells whether it was played to its end; what is live never ends by itself.
    if result["live"] or any(status.get("step", 0) < status.get("steps", 0) for status in sources):
        return f"stopped (Ctrl-C or ctl stop) before its source ended, {after}"
    return f"ended {after}"
