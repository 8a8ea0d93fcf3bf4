"""Recordings of spike cameras, read step by step."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import RecordingError
from spikemm.layouts import ArraySteps, BitSteps, Steps
from spikemm.packing import flip_rows, unpack
from spikemm.session import DESCRIPTION, SessionSteps, is_session
from spikemm.sidecar import WITHOUT, Facts, read_sidecar

__all__ = ["Recording"]

_ARRAYS = (".npy", ".npz")


class Recording:
    """A recording on disk, read when asked: memory does not grow with its length.

    The layout of the bytes is not written in a camera's file and cannot be told from its size, so it is ``plain``
    unless the sidecar or `layout` says otherwise:

    - ``plain``: steps one after another, row by row, least significant bit first;
    - ``head``: the same with 16 more bits at the end of every row (416 columns for 400);
    - ``wide``: 1000×1000 pixels in rows of 1024, of which columns 500–511 and 1012–1023 are no pixels;
    - ``array``: ``.npy``, or ``spk`` in an ``.npz``: (T, H, W), one number per pixel, 0 or 1. Known by the ending.

    An ``.npz`` of ``numpy.savez`` is mapped in place. One of ``numpy.savez_compressed`` can only be read from its
    beginning, so it is decompressed once into a temporary file of T·H·W bytes, which goes when this object goes.

    A session's folder, as `record` writes it, is a recording like any other (layout ``session``); its ``session.json``
    takes the place of the sidecar. Its steps may have gaps: see `timeline`.

    A sidecar ``NAME.yaml`` beside ``NAME.dat`` may state ``spike_h``, ``spike_w``, ``rate_hz``, ``flip``, ``layout``
    and ``calibration`` (a path relative to the sidecar); an argument beats it.

    Parameters
    ----------
    path : str or Path
        The file, or a session's folder.
    height, width : int, optional
        Pixels. Default: 250 × 400; for ``wide`` 1000 × 1000; for ``array`` what the array has.
    rate_hz : float, optional
        Steps per second. Default: 20,000.
    flip : bool, optional
        Whether the file's rows run from the bottom up, as cameras store them. Default: true.
    layout : {'auto', 'plain', 'head', 'wide', 'array'}
        ``auto``: what the sidecar says, else ``array`` by the ending, else ``plain``.
    calibration : str or Path, optional
        The sensor's calibration; ``none`` for none, whatever the sidecar says. It is not read here, and what `packed`
        and `spikes` give is raw: ``spikemm.calibration.calibration_of`` loads it, encoders apply it.

    Attributes
    ----------
    steps : int
        Whole steps in the file.
    seconds : float
        Their duration.
    trailing_bytes : int
        Bytes after the last whole step; they are left out.
    calibration : Path or None
        Where the sensor's calibration is to be found, if one is stated.
    timeline : Timeline
        Which steps of the sensor the stored ones are, counted from the first; the same, where there is no gap.
    notes : tuple of str
        What a user should know about this file, one line each; empty when all is as expected.

    Raises
    ------
    RecordingError
        The file or its sidecar is missing, damaged, or contradicts itself or an argument.
    """

    def __init__(
        self,
        path: str | Path,
        height: int | None = None,
        width: int | None = None,
        rate_hz: float | None = None,
        flip: bool | None = None,
        *,
        layout: str = "auto",
        calibration: str | Path | None = None,
    ) -> None:
        self.path = Path(path)
        session = is_session(self.path)
        if self.path.is_dir() and not session:
            raise RecordingError(f"{self.path} is a folder, and no session is in it: name a recording")
        if not session and not self.path.is_file():
            raise RecordingError(f"{self.path}: there is no such file: check the path")
        given = Facts(
            height,
            width,
            rate_hz,
            flip,
            None if layout == "auto" else layout,
            None if calibration is None else str(calibration),
        )
        given.check("Recording")
        self._steps: Steps
        if session:
            self._steps = SessionSteps(self.path)
            stated, sidecar = _stated_by(self._steps), self.path / DESCRIPTION
            facts = given.or_else(stated)
            self._check_session(facts, stated)
            self.layout = "session"
        else:
            stated, sidecar = read_sidecar(self.path), self.path.with_suffix(".yaml")
            facts = given.or_else(stated)
            self.layout = facts.layout or ("array" if self.path.suffix.lower() in _ARRAYS else "plain")
            self._steps = self._open(facts)
        self.height, self.width, self.steps = self._steps.height, self._steps.width, self._steps.count
        self.trailing_bytes, self.timeline = self._steps.trailing_bytes, self._steps.timeline
        self.rate_hz = 20_000 if facts.rate_hz is None else facts.rate_hz
        self.flip = facts.flip is not False
        self.seconds = self.steps / self.rate_hz
        self.calibration = None if facts.calibration in (None, WITHOUT) else Path(str(facts.calibration))
        self.notes = (*given.contradictions(stated, sidecar), *self._notes())

    def packed(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return steps [start, stop) as they are handed to the encoders.

        Returns
        -------
        numpy.ndarray
            (n, ⌈H·W/8⌉) uint8, upright, pixel i in byte i // 8, bit i % 8.

        Raises
        ------
        RecordingError
            Steps that the recording does not have, or a gap between them: ``timeline.pieces`` goes round gaps.
        """
        if not 0 <= start <= stop <= self.steps:
            raise RecordingError(
                f"{self.path}: steps {start} to {stop} of {self.steps}: ask for 0 ≤ start ≤ stop ≤ {self.steps}"
            )
        self.timeline.require_whole(start, stop, self.path)
        packed = self._steps.packed(start, stop)
        return flip_rows(packed, self.height, self.width) if self.flip else packed

    def spikes(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return steps [start, stop) as (n, H, W) uint8, 0 or 1, upright.

        Raises
        ------
        RecordingError
            Steps that the recording does not have.
        """
        return unpack(self.packed(start, stop), self.height, self.width)

    def _open(self, facts: Facts) -> Steps:
        is_array = self.path.suffix.lower() in _ARRAYS
        if is_array != (self.layout == "array"):
            raise RecordingError(
                f"{self.path}: layout {self.layout} does not go with the ending {self.path.suffix!r}: "
                "layout array is for .npy and .npz, the others for packed files"
            )
        if not is_array:
            side = (1000, 1000) if self.layout == "wide" else (250, 400)
            return BitSteps(self.path, self.layout, facts.height or side[0], facts.width or side[1])
        steps = ArraySteps(self.path)
        wanted = facts.height or steps.height, facts.width or steps.width
        if wanted != (steps.height, steps.width):
            raise RecordingError(
                f"{self.path}: the array has {steps.height}×{steps.width} pixels, {wanted[0]}×{wanted[1]} are stated: "
                "leave height and width out, or correct the sidecar"
            )
        return steps

    def _check_session(self, facts: Facts, stated: Facts) -> None:
        if (facts.height, facts.width) != (stated.height, stated.width) or facts.layout is not None:
            raise RecordingError(
                f"{self.path}: a session of {stated.height}×{stated.width} pixels: leave height, width and layout out"
            )

    def _notes(self) -> tuple[str, ...]:
        if isinstance(self._steps, SessionSteps):
            return self._steps.notes
        if not self.trailing_bytes:
            return ()
        return (
            f"{self.path}: {self.trailing_bytes} bytes after step {self.steps - 1} are not a whole step, left out: "
            f"the recording was cut off, or is not {self.height}×{self.width} pixels in layout {self.layout}; "
            "check height and width",
        )


def _stated_by(session: SessionSteps) -> Facts:
    """Return the facts that a session states; its calibration lies in its folder."""
    told = session.description
    calibration = str(session.folder / told.calibration) if told.calibration else None
    return Facts(told.height, told.width, told.rate_hz, told.flip, None, calibration)
