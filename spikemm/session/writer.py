"""Write a session: spikes into files that take turns, the index behind them, the description around them."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from spikemm.exceptions import OptionError
from spikemm.session.data_file import DataFile
from spikemm.session.description import Description, Trigger
from spikemm.session.index import IndexFile
from spikemm.session.layout import INDEX, spikes_name
from spikemm.session.losses import losses

__all__ = ["SessionWriter"]

_TRIGGERS = 1000


class SessionWriter:
    """A session that is being written.

    A block of steps is written first and its record in the index after it, so whenever the writer is killed, what the
    index names is there.

    Parameters
    ----------
    folder : Path
        A new folder, made here.
    description : Description
        What is known of the session at its start.
    file_bytes, file_s : float
        A file of spikes ends with the block that reaches so many bytes, or seconds of sensor time.

    Attributes
    ----------
    steps, blocks, missing : int
        Steps and blocks written, and steps missing between them.
    bytes : int
        Bytes of spikes written.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, description: Description, *, file_bytes: float, file_s: float) -> None:
        self.folder, self.description = folder, description
        self._file_bytes, self._file_steps = file_bytes, file_s * description.rate_hz
        self.steps = self.blocks = self.missing = self.bytes = 0
        self._first_step: int | None = None
        self._next_step: int | None = None
        self._file: DataFile | None = None
        self._number = self._file_start = 0
        folder.mkdir(parents=True)
        try:
            self._index = IndexFile(folder / INDEX)
            description.save(folder)
        except OSError:  # a full disk: what is tried again and again must not leave a folder each time
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def seconds(self) -> float:
        """Seconds of spikes written."""
        return self.steps / self.description.rate_hz

    @property
    def losses(self) -> str:
        """What it lacks, in words; empty if it has all that it has seen and was asked for."""
        facts = self.description
        return losses(
            cut_off=facts.failed,
            missing_steps=self.missing,
            steps_not_recorded=facts.steps_not_recorded,
            asked=self._not_come(),
        )

    def _not_come(self) -> str:
        """Say what triggers asked for before the first step and behind the last."""
        triggers, rate_hz = self.description.triggers, self.description.rate_hz
        if self._first_step is None or self._next_step is None:
            return ""
        asking = [trigger for trigger in triggers if trigger.stop_step > max(0, trigger.first_step)]
        before = max((self._first_step - max(0, trigger.first_step) for trigger in asking), default=0)
        after = max((trigger.stop_step - self._next_step for trigger in asking), default=0)
        said = {"before its first step": before, "behind its last step": after}
        lacks = [f"{steps / rate_hz:.6g} s {place}" for place, steps in said.items() if steps > 0]
        return f"of what was asked for, {' and '.join(lacks)} did not come" if lacks else ""

    def write(self, step: int, parts: Sequence[NDArray[Any]], wall: float) -> None:
        """Append one block of consecutive steps.

        Parameters
        ----------
        step : int
            Sensor step of the first of them; a jump from the block before is a gap.
        parts : sequence of numpy.ndarray
            (n, ⌈H·W/8⌉) uint8 each, one behind the other.
        wall : float
            Seconds since 1970 at which the last step left the source.

        Raises
        ------
        OSError
            If the disk is full, or fails; nothing of this block counts then.
        OptionError
            If `step` has been written already.
        """
        missing = 0 if self._next_step is None else step - self._next_step
        if missing < 0:
            raise OptionError(f"step {step}: {self.folder} goes on at {self._next_step}; begin another session")
        file = self._file or self._open(step)
        offset, steps = file.size, sum(len(part) for part in parts)
        crc = file.append(parts)
        size = file.size - offset
        self._index.append(
            step=step, steps=steps, missing=missing, wall=wall, file=self._number, offset=offset, size=size, crc=crc
        )
        self._first_step = step if self._first_step is None else self._first_step
        self._next_step = step + steps
        self.steps, self.blocks = self.steps + steps, self.blocks + 1
        self.missing, self.bytes = self.missing + missing, self.bytes + size
        if file.size >= self._file_bytes or self._next_step - self._file_start >= self._file_steps:
            self._close_file()

    def _open(self, step: int) -> DataFile:
        self._number += 1
        self._file_start = step
        path = self.folder / spikes_name(self._number)
        self._file = DataFile(path)
        facts = self.description  # beside every file, so that it is a recording on its own, too
        sidecar: dict[str, Any] = {"spike_h": facts.height, "spike_w": facts.width, "rate_hz": facts.rate_hz}
        sidecar |= {"flip": facts.flip} | ({"calibration": facts.calibration} if facts.calibration else {})
        path.with_suffix(".yaml").write_text(yaml.safe_dump(sidecar, sort_keys=False), encoding="utf-8")
        return self._file

    def sync(self) -> None:
        """Bring to the disk what was written: what a power cut could take is what came since.

        Raises
        ------
        OSError
            If the disk fails.
        """
        if self._file is not None:
            self._file.sync()
        self._index.sync()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            self._index.sync()

    def trigger(self, trigger: Trigger) -> None:
        """Note why the session is kept; of very many, the first and the latest, and how many are between these.

        Raises
        ------
        OSError
            If that cannot be written.
        """
        triggers = self.description.triggers
        if len(triggers) == _TRIGGERS:  # the description is written anew for each of them
            triggers.pop()
            self.description.triggers_left_out += 1
        triggers.append(trigger)
        self.description.save(self.folder)

    def close(self, why: str, *, failed: bool = False) -> None:
        """Finish the session.

        Parameters
        ----------
        why : str
            Why it ends here, for people.
        failed : bool
            Whether that is because it could not be written on.

        Raises
        ------
        OSError
            If that cannot be written; everything before is readable all the same.
        """
        try:
            self._close_file()
            self.description.ended, self.description.why_ended = time.time(), why
            self.description.failed = failed
            self.description.save(self.folder)
        finally:
            self._index.close()
