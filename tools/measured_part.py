"""Which part of a recording `spikemm measure` measures where steps are missing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from spikemm.recording import Recording
    from spikemm.timeline import Timeline

__all__ = ["gapless_start"]

_SHOWN = 8


def gapless_start(recording: "Recording", start_s: float | None, seconds: float | None) -> float:
    """Return where to begin, in seconds of stored steps, so that no step is missing in what is asked for.

    Parameters
    ----------
    recording : Recording
        What is measured.
    start_s : float or None
        What was asked for, by the sensor's clock. None: at the beginning, or where there are gaps, at that of the
        longest part without one, which is said.
    seconds : float or None
        How much was asked for.

    Raises
    ------
    OptionError
        A start in a gap, or a part across one; names those without.
    """
    timeline, rate_hz = recording.timeline, recording.rate_hz
    if not timeline.gaps:
        return start_s or 0.0
    parts = list(timeline.pieces(timeline.count))
    position = max(parts, key=len).start if start_s is None else _position(timeline, round(start_s * rate_hz))
    part = next((part for part in parts if position in part), range(0))
    if (seconds or 0.0) * rate_hz > part.stop - position + 0.5 or not part:
        _refuse(recording, parts, start_s, seconds)
    if start_s is None:
        begin, length = timeline.step_at(position) / rate_hz, len(part) / rate_hz
        said = f"measuring in the longest part without a gap, {length:.6g} s from --start {begin:.10g} on"
        typer.echo(f"steps are missing: {said}", err=True)
    return position / rate_hz


def _position(timeline: "Timeline", step: int) -> int:
    """Return the position of a step, one that is nowhere for a step that is missing."""
    position = timeline.position_of(max(step, 0))
    return position if timeline.step_at(position) == step else -1


def _refuse(recording: "Recording", parts: Sequence[range], start_s: float | None, seconds: float | None) -> None:
    from spikemm.exceptions import OptionError

    timeline, rate_hz = recording.timeline, recording.rate_hz
    longest = sorted(sorted(parts, key=len)[-_SHOWN:], key=lambda part: part.start)
    spans = [
        (timeline.step_at(part.start) / rate_hz, (timeline.step_at(part.stop - 1) + 1) / rate_hz) for part in longest
    ]
    more = f" and {len(parts) - len(longest)} shorter ones" if len(parts) > len(longest) else ""
    asked = "" if start_s is None else f"--start {start_s:g} "
    asked += "" if seconds is None else f"--seconds {seconds:g} "
    raise OptionError(
        f"{recording.path}: {asked.strip()}: steps are missing there; without a gap are "
        f"{', '.join(f'{begin:.6g} to {end:.6g} s' for begin, end in spans)}{more}: choose inside one of them"
    )
