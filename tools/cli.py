"""The entry point: `spikemm COMMAND …`, and how errors reach the user.

Nothing heavy is imported here or at the top of a command's file: ``spikemm --help`` answers at once.
"""

import difflib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from engine.environment import keep_freed_memory, thread_environment
from tools import bench, calibrate, ctl, evaluate, info, magnify, measure, run, simulate, top, train, weights

__all__ = ["app", "main"]

_USER_ERROR = 2
_INTERRUPTED = 130

app = typer.Typer(
    name="spikemm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("run")(run.run)
app.command("magnify")(magnify.magnify)
app.command("measure")(measure.measure)
app.command("simulate")(simulate.simulate)
app.command("info")(info.info)
app.command("calibrate")(calibrate.calibrate)
app.add_typer(train.app, name="train")
app.add_typer(weights.app, name="weights")
app.add_typer(evaluate.app, name="evaluate")
app.command("bench")(bench.bench)
app.add_typer(ctl.app, name="ctl")
app.command("top")(top.top)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"spikemm {version('spikemm')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Magnify vibrations too small to see, live, from a spike camera's stream or a recording of it.

    A recording at once: `spikemm magnify REC.dat OUT.mp4 --alpha 10 --band 300 320`.
    A live pipeline with its page: `spikemm run configs/demo.yaml`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process: status 0, that of the command, or 2 and one line for an error of the user."""
    os.environ |= thread_environment(1)  # a pipeline's nodes have their own `threads`
    keep_freed_memory()
    try:
        status = app(list(sys.argv[1:] if arguments is None else arguments), prog_name="spikemm", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        sentence = _sentence(error, sys.argv[1:] if arguments is None else arguments)
        if sentence is None:
            raise
        _end(_USER_ERROR, sentence)
    # Newer versions of typer turn an interruption into this status themselves.
    if status == _INTERRUPTED:
        _end(_INTERRUPTED, "interrupted")
    sys.exit(status if isinstance(status, int) else 0)


def _end(status: int, sentence: str) -> None:
    if sentence:
        sys.stderr.write(f"spikemm: {' '.join(sentence.split())}\n")
    sys.exit(status)


def _sentence(error: Exception, arguments: Sequence[str]) -> str | None:
    """Return what to tell the user, or None where the error is ours and its traceback is what helps."""
    from engine.exceptions import EngineError
    from spikemm.exceptions import SpikeMMError

    if isinstance(error, (EngineError, SpikeMMError)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    # typer brings a copy of click or uses the installed one, by version: its errors are known by their method.
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); take a smaller picture, a shorter window or fewer frames"
    if hasattr(error, "format_message"):
        return _usage_sentence(error, arguments)
    return None


def _usage_sentence(error: Any, arguments: Sequence[str]) -> str:
    context = getattr(error, "ctx", None)
    sentence: str = error.format_message().replace("Value error, ", "").rstrip(".")
    if not sentence or type(error).__name__ == "NoArgsIsHelpError":
        return ""  # the help has been printed
    if context is None:
        commands = [command.name for command in app.registered_commands]
        named = [argument for argument in arguments[:1] if argument in commands]
        return f"{sentence} (see {' '.join(['spikemm', *named, '--help'])})"
    if hasattr(error, "possibilities") and hasattr(error, "option_name"):
        options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        nearest = difflib.get_close_matches(error.option_name, options, n=1, cutoff=0.5)
        sentence = f"no option {error.option_name}" + (f"; did you mean {nearest[0]}?" if nearest else "")
        if error.option_name[1:2].isdigit():
            sentence = f"{' '.join(arguments)}: a value below 0 is not possible here"
    return f"{sentence} (see {context.command_path} --help)"


if __name__ == "__main__":
    main()
