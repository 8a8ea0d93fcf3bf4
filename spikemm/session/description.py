"""What a session says of itself in ``session.json``."""

import dataclasses
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from spikemm.exceptions import RecordingError
from spikemm.session.layout import DESCRIPTION
from spikemm.whole_file import whole_file

__all__ = ["Description", "Trigger"]

_FORMAT, _VERSION = "spikemm session", 1
_TRIGGER_STEPS = ("step", "first_step", "stop_step")
_NUMBERS = ("height", "width", "rate_hz", "first_step", "started")


@dataclass
class Trigger:
    """What made the recorder keep something.

    Attributes
    ----------
    step : int
        Sensor step at which it happened.
    name : str
        The alarm's name, or ``save``.
    reason : str
        What it says, for people.
    first_step, stop_step : int
        Steps [first, stop) that it asks for; none where everything is kept.
    missing_before : int
        Steps at the beginning of these that are not in the session: no longer in memory, or never seen.
    """

    step: int
    name: str
    reason: str
    first_step: int
    stop_step: int
    missing_before: int = 0


@dataclass
class Description:
    """A session as a whole; the index says more about every block.

    Attributes
    ----------
    height, width : int
        Pixels; 0 where no spikes were recorded, or none yet.
    rate_hz : float
        Steps per second.
    first_step : int
        Sensor step at which it begins.
    started : float
        Seconds since 1970 at that step.
    flip : bool
        Whether rows are stored from the bottom up; what `record` writes is upright.
    calibration : str
        File in the folder with the sensor's calibration; empty without one.
    pipeline, stream : str
        Name of the pipeline, and of the node whose spikes these are.
    epoch : int
        Which run of the source's time line this is.
    keep : str or dict
        ``all``, or the seconds before and after a trigger.
    versions : dict
        Of the programs that wrote it.
    triggers : list of Trigger
        Why it was kept; 1,000 at most.
    triggers_left_out : int
        Triggers between the last two of these.
    ended : float or None
        Seconds since 1970 at which it was finished; None while it is written, and for ever after a crash.
    why_ended : str
        Why it ends there.
    failed : bool
        Whether it ends there because it could not be written on.
    steps_not_recorded : int
        Steps inside it that came but could not be written in time.
    """

    height: int
    width: int
    rate_hz: float
    first_step: int
    started: float
    flip: bool = False
    calibration: str = ""
    pipeline: str = ""
    stream: str = ""
    epoch: int = 0
    keep: Any = "all"
    versions: dict[str, str] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)
    triggers_left_out: int = 0
    ended: float | None = None
    why_ended: str = ""
    failed: bool = False
    steps_not_recorded: int = 0

    def save(self, folder: Path) -> None:
        """Write it whole or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        local = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self.started))
        document = {"format": _FORMAT, "version": _VERSION, "started_local": local, **dataclasses.asdict(self)}
        with whole_file(folder / DESCRIPTION) as file:
            file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it.

        Raises
        ------
        RecordingError
            If it is missing, damaged, or of a later version.
        """
        path = folder / DESCRIPTION
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecordingError(f"{path}: not readable ({error}): restore it from a copy of the session") from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise RecordingError(f"{path}: no description of a session: restore it from a copy of the session")
        if document.get("version") != _VERSION:
            raise RecordingError(
                f"{path}: version {document.get('version')}, and this program reads {_VERSION}: take a newer one"
            )
        return cls._of(path, document)

    @classmethod
    def _of(cls, path: Path, document: dict[str, Any]) -> Self:
        names = {field.name for field in dataclasses.fields(cls)}
        try:
            known = {name: value for name, value in document.items() if name in names}
            known["triggers"] = [Trigger(**trigger) for trigger in document.get("triggers", [])]
            description = cls(**known)
        except (TypeError, AttributeError) as error:
            raise RecordingError(f"{path}: {error}: restore it from a copy of the session") from None
        for trigger in description.triggers:
            if not all(isinstance(getattr(trigger, name), int) for name in _TRIGGER_STEPS):
                raise RecordingError(f"{path}: {trigger}: its steps are no whole numbers: restore it from a copy")
        for name in _NUMBERS:
            value = getattr(description, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise RecordingError(f"{path}: {name} is {value!r}, not a number from 0: restore it from a copy")
        if not description.rate_hz:
            raise RecordingError(f"{path}: rate_hz is 0: restore it from a copy")
        return description
