"""Check a session block by block."""

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikemm.session.asked import lack_of
from spikemm.session.description import Description, Trigger
from spikemm.session.index import is_locked, read_index
from spikemm.session.layout import INDEX
from spikemm.session.steps import SessionSteps

__all__ = ["SessionCheck"]

_MCAP_MAGIC = b"\x89MCAP0\r\n"


@dataclass
class SessionCheck:
    """What a check of a session has found; run through `blocks` first.

    Attributes
    ----------
    steps : SessionSteps
        The session's steps.
    bad_blocks : list of (int, int)
        Sensor steps [start, stop) of blocks whose bytes are not those that were written.
    """

    steps: SessionSteps
    bad_blocks: list[tuple[int, int]] = field(default_factory=list)

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Read every block once, check it against its CRC, and yield it, (n, ⌈H·W/8⌉) uint8 in the files' order."""
        for number, record in enumerate(self.steps.records):
            span = self.steps.block(number)
            packed = self.steps.packed(span.start, span.stop)
            if zlib.crc32(packed.data) != record["data_crc"]:
                self.bad_blocks.append((int(record["step"]), int(record["step"]) + len(packed)))
            yield packed

    def facts(self) -> dict[str, Any]:
        """Return what was found, JSON-able; steps are the sensor's.

        ``blocks``: how many the index names; ``unreadable_blocks``: of these, not there as a whole;
        ``bad_blocks``: [start, stop) of each with wrong bytes; ``torn_bytes``: of a last record that was cut off;
        ``gaps``: first missing step and number; ``recording``: somebody is writing it; ``finished``: it was closed;
        ``messages``: files of frames, readings and events, and whether they have an end; ``triggers``: what each asked
        for, ``seconds`` of its step from the session's first one (as `ctl seek` and `measure --start` count; below 0:
        before it), how many of the steps asked for are missing (``missing_before`` the first that is there,
        ``missing_inside``, ``missing_after`` the last, where nobody is writing it) and how many seconds these are
        together (``missing_s``);
        ``sound``: nothing is damaged or cut off, whether or not there are gaps; ``whole``: nothing is missing either
        of what it has seen and what it was asked for. What is being written is whole while that holds so far.
        """
        folder = self.steps.folder
        index = read_index(folder / INDEX)
        origin = int(self.steps.records["step"][0])
        last = self.steps.records[-1]
        description = self.steps.description
        recording = is_locked(folder / INDEX)
        found = {
            **_told(description),
            "first_step": origin,
            "stop_step": int(last["step"]) + int(last["steps"]),
            "blocks": self.steps.blocks,
            "unreadable_blocks": self.steps.blocks - len(self.steps.records),
            "bad_blocks": [list(block) for block in self.bad_blocks],
            "torn_bytes": index.torn_bytes,
            "gaps": [[origin + gap.step, gap.missing] for gap in self.steps.timeline.gaps],
            "recording": recording,
            "triggers": [self._answered(trigger, recording) for trigger in description.triggers],
            "messages": {path.name: _has_end(path) for path in sorted(folder.glob("messages-*.mcap"))},
            "sound": self._is_sound(index.torn_bytes, description),
        }
        return found | {"whole": _is_whole(found)}

    def _answered(self, trigger: Trigger, recording: bool) -> dict[str, Any]:
        """Return a trigger with what is missing of it; what is still to come is not."""
        before, inside, after = lack_of(trigger, self.steps.records, self.bad_blocks)
        after = 0 if recording else after
        missing = {"missing_before": before, "missing_inside": inside, "missing_after": after}
        rate_hz = self.steps.description.rate_hz
        seconds = (trigger.step - int(self.steps.records["step"][0])) / rate_hz
        return asdict(trigger) | missing | {"missing_s": (before + inside + after) / rate_hz, "seconds": seconds}

    def _is_sound(self, torn_bytes: int, description: Description) -> bool:
        whole = len(self.steps.records) == self.steps.blocks and not torn_bytes and not self.steps.trailing_bytes
        ended = description.ended is not None and not description.failed
        return whole and not self.bad_blocks and ended


def _told(description: Description) -> dict[str, Any]:
    told = asdict(description)
    kept = (
        "pipeline",
        "stream",
        "epoch",
        "started",
        "keep",
        "versions",
        "triggers_left_out",
        "why_ended",
        "failed",
        "steps_not_recorded",
    )
    return {name: told[name] for name in kept} | {"finished": description.ended is not None}


def _is_whole(facts: dict[str, Any]) -> bool:
    intact = not facts["bad_blocks"] if facts["recording"] else facts["sound"]
    asked = any(trigger["missing_s"] for trigger in facts["triggers"])
    lost = facts["gaps"] or facts["steps_not_recorded"] or asked
    return bool(intact and not lost and all(facts["messages"].values()))


def _has_end(path: Path) -> bool:
    content = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, content - len(_MCAP_MAGIC)))
        return content > 2 * len(_MCAP_MAGIC) and file.read() == _MCAP_MAGIC
