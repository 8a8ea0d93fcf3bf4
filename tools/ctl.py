"""`spikemm ctl`: steer a running pipeline from another terminal."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from engine.control import ControlClient, RunningPipeline

__all__ = ["app", "connect", "find"]

RunName = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="NAME", help="The pipeline's name or process id.", show_default="the only one running"
    ),
]
NodeName = Annotated[
    str | None, typer.Option("--node", metavar="NAME", help="The replay to command.", show_default="the only one")
]
AlarmName = Annotated[
    str | None, typer.Option("--node", metavar="NAME", help="The alarm node.", show_default="the only one")
]


class _Verbs(TyperGroup):
    """Knows what is no verb of `ctl`, but a command of its own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; raises ControlError for another command's name."""
        from engine.exceptions import ControlError

        others = getattr(ctx.find_root().command, "commands", {})
        if args[0] not in self.commands and args[0] in others:
            raise ControlError(f"{args[0]} is no part of ctl: spikemm {args[0]}")
        return super().resolve_command(ctx, args)


_REPLAY, _RECORD, _ALARM = ("replay", "paused"), ("record", "queued_mb"), ("alarm", "rules")
"""Kinds of node that can be commanded, and an entry of its status that each alone has."""

app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    help="Steer a running pipeline: look at it, change its live options, pause and seek its replay, stop it. Where "
    "several run, `--run NAME` says which.\n\n"
    "Examples: `spikemm ctl set magnify.alpha=20`, `spikemm ctl seek 0.15`, "
    "`spikemm ctl speed 0.001`.",
)


def connect(run: str | None) -> "ControlClient":
    """Return a client of the pipeline of that name or process id, or of the only one that runs."""
    from engine.control import ControlClient

    return ControlClient(find(run).endpoint)


def find(run: str | None) -> "RunningPipeline":
    """Return the pipeline of that name or process id, or the only one that runs; raises ControlError."""
    from engine.control import find_run, running_pipelines
    from engine.exceptions import ControlError

    found = [one for one in running_pipelines() if run is None or run in (one.name, str(one.pid))]
    if len(found) > 1:
        listed = ", ".join(f"{one.name} (process {one.pid})" for one in found)
        raise ControlError(f"several pipelines run: {listed}; choose one with --run NAME, or --run and its process id")
    return find_run(run)


def _steer(run: str | None) -> "ControlClient":
    """Connect to a pipeline that is about to be changed; where nobody has named it, tell which it is."""
    from engine.control import ControlClient

    found = find(run)
    if run is None:
        typer.echo(f"{found.name} (process {found.pid})", err=True)
    return ControlClient(found.endpoint)


@app.command("list")
def list_pipelines() -> None:
    """List the pipelines that run on this machine: name, process id, control endpoint."""
    from engine.control import running_pipelines

    for name, pid, endpoint in running_pipelines():
        typer.echo(f"{name}\t{pid}\t{endpoint}")


@app.command()
def status(
    run: RunName = None, as_json: Annotated[bool, typer.Option("--json", help="Print it all as JSON.")] = False
) -> None:
    """Show every node and link once; `spikemm top` does so continuously."""
    with connect(run) as client:
        answer = client.request("status")
    if as_json:
        typer.echo(json.dumps(answer))
        return
    from tools.tables import console, tables

    out = console()
    heading = f"{answer['pipeline']} (process {answer['pid']}): {answer['phase']} for {answer['seconds']:.0f} s"
    out.print(heading, highlight=False)
    out.print(*tables(answer, out.width), *answer["problems"])


@app.command("set")
def set_option(
    assignment: Annotated[str, typer.Argument(metavar="NODE.OPTION=VALUE", help="Such as magnify.band_hz=[290,330].")],
    run: RunName = None,
) -> None:
    """Change a live option while the pipeline runs; `spikemm ctl status --json` lists them as live_options."""
    import yaml

    from engine.exceptions import ControlError

    target, equals, text = assignment.partition("=")
    node, dot, option = target.strip().partition(".")
    if not (equals and dot):
        raise ControlError(f"{assignment}: write NODE.OPTION=VALUE, such as magnify.alpha=20")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    with _steer(run) as client:
        _show(client.request("set", node=node, option=option, value=value))


@app.command()
def pause(run: RunName = None, node: NodeName = None) -> None:
    """Hold the replay at its present step."""
    _command(run, node, "pause", {})


@app.command()
def resume(run: RunName = None, node: NodeName = None) -> None:
    """Let a paused replay go on."""
    _command(run, node, "resume", {})


@app.command()
def step(
    frames: Annotated[int, typer.Argument(min=1, help="Frames to show.")] = 1,
    run: RunName = None,
    node: NodeName = None,
) -> None:
    """Pause the replay and go a few frames further; prints the step at which it will then stand."""
    _command(run, node, "step", {"frames": frames})


@app.command()
def seek(
    where: Annotated[str, typer.Argument(metavar="SECONDS|step:N", help="0.15 (s of sensor time) or step:3000.")],
    run: RunName = None,
    node: NodeName = None,
) -> None:
    """Jump to a time of the recording; what is still on its way is flushed."""
    from engine.exceptions import ControlError

    kind, numbered, number = where.rpartition("step:")
    try:
        arguments = {"step": int(number)} if numbered and not kind else {"seconds": float(where)}
    except ValueError:
        raise ControlError(f"seek {where}: give seconds, such as 0.15, or step:N, such as step:3000") from None
    _command(run, node, "seek", arguments)


@app.command()
def speed(
    value: Annotated[float, typer.Argument(min=0, help="1: as it happened; 0.01: 100 times slower; 0: no pacing.")],
    run: RunName = None,
    node: NodeName = None,
) -> None:
    """Change the speed of the replay."""
    _command(run, node, "speed", {"value": value})


@app.command()
def loop(
    on: Annotated[str, typer.Argument(metavar="on|off", help="Whether to start again at the end.")],
    run: RunName = None,
    node: NodeName = None,
) -> None:
    """Switch looping of the replay on or off."""
    from engine.exceptions import ControlError

    if on not in ("on", "off"):
        raise ControlError(f"loop {on}: say on or off")
    _command(run, node, "loop", {"on": on == "on"})


@app.command()
def save(
    seconds_after: Annotated[
        float | None,
        typer.Option(min=0, max=86_400, help="Seconds from now on to keep, too.", show_default="as `record` is set"),
    ] = None,
    reason: Annotated[str, typer.Option(help="What for; it goes into the session.")] = "saved by hand",
    run: RunName = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="The recorder.", show_default="the only one")
    ] = None,
) -> None:
    """Keep the last seconds that a recorder has in memory; prints the session."""
    _command(run, node, "save", {"seconds_after": seconds_after, "reason": reason}, _RECORD)


@app.command()
def acknowledge(
    rule: Annotated[str, typer.Argument(help="The rule whose alarm somebody has seen.")],
    region: Annotated[str, typer.Option(help="Only in this region.", show_default="all")] = "",
    run: RunName = None,
    node: AlarmName = None,
) -> None:
    """Note that somebody has seen an alarm; it stays raised until all is well again."""
    _command(run, node, "acknowledge", {"rule": rule, "region": region}, _ALARM)


@app.command()
def learn(
    rule: Annotated[str, typer.Option(help="Only this rule.", show_default="all that compare with a baseline")] = "",
    region: Annotated[str, typer.Option(help="Only in this region.", show_default="all")] = "",
    run: RunName = None,
    node: AlarmName = None,
) -> None:
    """Let the alarms learn anew what is normal: from now on, so only while all is well."""
    _command(run, node, "learn", {"rule": rule, "region": region}, _ALARM)


@app.command()
def stop(run: RunName = None) -> None:
    """End the pipeline as Ctrl-C does: what is under way is finished first."""
    with _steer(run) as client:
        client.request("stop")


@app.command()
def keys(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not hold keys yet.")],
) -> None:
    """Make the key pair that encrypts links between hosts.

    Copy the folder to every host of the pipeline, over a channel you trust, and name it in the pipeline file:
    `security: {keys: DIR}`. Whoever has the secret half may join: the folder is readable by you alone.
    """
    from engine.security import make_keys

    typer.echo(f"wrote {make_keys(directory)}; copy {directory} to every host of the pipeline")


def _command(
    run: str | None, node: str | None, name: str, arguments: dict[str, Any], kind: tuple[str, str] = _REPLAY
) -> None:
    """Command a node, or the only one of a kind; see `_only`."""
    with _steer(run) as client:
        target = node or _only(client.request("status"), *kind)
        _show(client.request("command", node=target, name=name, arguments=arguments))


def _only(status: dict[str, Any], kind: str, known_by: str) -> str:
    """Name of the one node of a kind: it is known by an entry of its status, such as ``paused``."""
    from engine.exceptions import ControlError

    names = [name for name, node in status["nodes"].items() if known_by in node["status"]]
    if not names:
        raise ControlError(f"{status['pipeline']} ({status['phase']}) has no {kind} node: there is nothing to command")
    if len(names) > 1:
        found = f"{status['pipeline']} has {len(names)} {kind} nodes: {', '.join(names)}"
        raise ControlError(f"{found}; choose one with --node NAME")
    return str(names[0])


def _show(answer: Any) -> None:
    if answer:
        typer.echo(json.dumps(answer))
