"""What `spikemm info` says of a session, besides what it says of every recording."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spikemm.recording import Recording
    from spikemm.session import SessionCheck

__all__ = ["check_of", "checked_blocks", "local_time", "session_losses", "session_rows", "session_state"]

_SHOWN = 5


def check_of(recording: "Recording") -> "SessionCheck | None":
    """Return a check to run over a session; None for any other recording."""
    from spikemm.session import SessionCheck, SessionSteps

    if recording.layout != "session":
        return None
    return SessionCheck(SessionSteps(recording.path))


def checked_blocks(recording: "Recording", check: "SessionCheck") -> "Iterator[NDArray[np.uint8]]":
    """Read a session once, block by block, upright."""
    from spikemm.packing import flip_rows

    for packed in check.blocks():
        yield flip_rows(packed, recording.height, recording.width) if recording.flip else packed


def session_rows(facts: dict[str, Any], rate_hz: float) -> dict[str, str]:
    """Return the rows of the table from a session's facts."""
    blocks = f"{facts['blocks']}, {facts['unreadable_blocks']} not readable, {len(facts['bad_blocks'])} damaged"
    so_far = ", so far" if facts["recording"] else ""
    cut = f"; {facts['torn_bytes']} bytes of a torn last record" if facts["torn_bytes"] else ""
    return {
        "session": f"{session_state(facts)}{cut}" + (f": {facts['why_ended']}" if facts["why_ended"] else ""),
        "whole": f"yes{so_far}" if facts["whole"] else f"no: {session_losses(facts)}",
        "started": local_time(facts["started"]),
        "recorded": f"by {facts['pipeline'] or 'no pipeline'}, from {facts['stream']}; kept: {_kept(facts['keep'])}",
        "sensor steps": f"{facts['first_step']} to {facts['stop_step'] - 1}",
        "blocks": blocks,
        "damaged steps": _listed([f"{start} to {stop - 1}" for start, stop in facts["bad_blocks"]]),
        "gaps": _listed([f"{missing} steps from {step} on" for step, missing in facts["gaps"]]),
        "not recorded": f"{facts['steps_not_recorded']} steps that came too fast for the disk",
        "triggers": _listed(
            [_trigger(trigger, rate_hz) for trigger in facts["triggers"]], "\n", facts["triggers_left_out"]
        ),
        "messages": _listed([f"{name}{'' if whole else ' (cut off)'}" for name, whole in facts["messages"].items()]),
    }


def local_time(seconds: float) -> str:
    """Return a time since 1970 as local time with its offset from UTC."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):  # of a damaged description
        return f"{seconds:g} s since 1970"


def session_state(facts: dict[str, Any]) -> str:
    """Say whether somebody is writing a session, and if not, how it ended."""
    if facts["recording"]:
        return "being recorded"
    if facts["failed"]:
        return "cut short"
    return "finished" if facts["finished"] else "cut off, not finished"


def session_losses(facts: dict[str, Any]) -> str:
    """Say in one line what is wrong with a session that is not whole."""
    from spikemm.session import losses

    short = sum(bool(trigger["missing_s"]) for trigger in facts["triggers"])
    said = losses(
        cut_off=facts["failed"] or not (facts["finished"] or facts["recording"]),
        missing_steps=sum(steps for _, steps in facts["gaps"]),
        steps_not_recorded=facts["steps_not_recorded"],
        asked=f"not all that was asked for is there ({short} of {len(facts['triggers'])} triggers)" if short else "",
        spoilt_blocks=facts["unreadable_blocks"] + len(facts["bad_blocks"]),
        messages_cut_off=not all(facts["messages"].values()),
    )
    return said or "bytes that belong to no block"


def _kept(keep: Any) -> str:
    match keep:
        case {"before_s": before, "after_s": after}:
            return f"{before:g} s before and {after:g} s after an alarm"
        case "all":
            return "everything"
    return str(keep)


def _trigger(trigger: dict[str, Any], rate_hz: float) -> str:
    said = f"{trigger['reason']}: {_place(trigger['seconds'])}, sensor step {trigger['step']}"
    first, stop = max(0, trigger["first_step"]), trigger["stop_step"]
    if stop <= first:
        return said
    asked = f"{said}; asked for: steps {first} to {stop - 1}, {(stop - first) / rate_hz:.6g} s"
    places = {"before its first step": "before", "in gaps or damaged blocks": "inside", "behind its last step": "after"}
    lacks = [f"{steps} steps {place}" for place, key in places.items() if (steps := trigger[f"missing_{key}"])]
    return f"{asked}, of which {trigger['missing_s']:.6g} s are missing: {', '.join(lacks)}" if lacks else asked


def _place(seconds: float) -> str:
    """Say where in a session something was, as `ctl seek` and `measure --start` take it."""
    if seconds < 0:
        return f"{-seconds:.6g} s before the session's first step"
    return f"{seconds:.3f} s into the session (seek {round(seconds, 6)})"


def _listed(items: list[str], between: str = "; ", left_out: int = 0) -> str:
    further = max(0, len(items) - _SHOWN) + left_out
    more = [f"and {further} more"] if further else []
    return between.join(items[:_SHOWN] + more) or "none"
