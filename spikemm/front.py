"""Front ends by name: what makes frames out of a stream, and which maps of it that takes."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from spikemm.exceptions import OptionError, WeightsError
from spikemm.maps import MapSpec

__all__ = ["FRONTS", "LEVELS", "PAPER_PAIR", "FrontSpec"]

LEVELS = 8
"""Long windows of the multi-level front ends are this many times as long as the short one: w_l / w_s = 256 / 32."""

PAPER_PAIR = ("bsn1.safetensors", "bsn2.safetensors")
"""Files in the folder of weights of ``paper``."""

_INPUTS: tuple[float, ...] = (0.25, 0.5, 1, 2, 4, 8)
"""Windows of the compact networks' inputs, in short windows."""

_SEEN = {"bsn1": slice(3), "bsn2": slice(2, None)}
"""Which of them one network alone sees."""

_REACH = 8
"""How far the multi-level front ends look for a pixel's next spike, in short windows: in a tenth of the light it fires
every 50 steps, and an ``interval`` that finds no spike is worth little."""

_LONGEST = 4092
"""Short window whose long one the encoder can still count, a multiple of 4."""

_LEARNED = ("mie", "bsn1", "bsn2", "paper")
FRONTS = ("interval", "rate", "isi", *_LEARNED)
"""Names of front ends.

``interval``, ``rate`` and ``isi`` are one map of one window. ``mie`` takes the long window where nothing moves and the
short one where something does, each blended with what a blind-spot network expects of it; ``bsn1`` and ``bsn2`` are
these two networks alone. ``paper`` is the method as published, with its own large networks on raw planes.
"""


@dataclass(frozen=True, slots=True)
class FrontSpec:
    """One front end, written ``name:window``, as in ``mie:32``.

    Attributes
    ----------
    name : str
        One of `FRONTS`.
    window : int
        Steps w of the window; with networks of the short one, for ``mie``, ``bsn1`` and ``bsn2`` a multiple of 4.

    Raises
    ------
    OptionError
        Unknown name, or a window that is out of range.
    """

    name: str
    window: int

    def __post_init__(self) -> None:
        if self.name not in FRONTS:
            near = difflib.get_close_matches(self.name, FRONTS, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(FRONTS)}"
            raise OptionError(f"unknown front end {self.name!r}: {advice}")
        if self.window < 1:
            raise OptionError(f"{self.name} with a window of {self.window} steps: it must be at least 1")
        if self.learned and self.window > _LONGEST:
            raise OptionError(f"{self.name} with a window of {self.window} steps: it must be at most {_LONGEST}")
        if self.learned and self.name != "paper" and self.window % 4:
            raise OptionError(f"{self.name} with a window of {self.window} steps: it must be a multiple of 4")

    @classmethod
    def parse(cls, text: str) -> "FrontSpec":
        """Read ``name:window``.

        Raises
        ------
        OptionError
            Another form, an unknown name, or a window out of range.
        """
        name, _, window = text.partition(":")
        if not window.isdecimal():
            raise OptionError(f"front end {text!r}: write it as name:window, for example interval:32")
        return cls(name, int(window))

    def __str__(self) -> str:
        return f"{self.name}:{self.window}"

    @property
    def learned(self) -> bool:
        """Whether networks take part."""
        return self.name in _LEARNED

    def check_weights(self, weights: str | Path | None) -> None:
        """Look whether weights are there where they must be, without opening them.

        Parameters
        ----------
        weights : path or None
            A file, for ``paper`` a folder; None: those that come with the package.

        Raises
        ------
        OptionError
            Weights for a front end without networks, or none for ``paper``, of which none come with the package.
        WeightsError
            There is no such file.
        """
        if not self.learned and weights is not None:
            raise OptionError(f"weights {weights} for {self}: only {', '.join(_LEARNED)} have networks; leave them out")
        if self.name == "paper" and weights is None:
            raise OptionError(f"{self} needs weights: train a pair (spikemm train bsn) and name their folder")
        if weights is None:
            return
        files = [Path(weights) / name for name in PAPER_PAIR] if self.name == "paper" else [Path(weights)]
        for file in files:
            if not file.is_file():
                raise WeightsError(f"{file} is not there, or is not a file: check the path of {self}'s weights")

    @property
    def inputs(self) -> tuple[MapSpec, ...]:
        """Maps that the networks see, shortest window first."""
        if self.name == "paper":
            return MapSpec("planes", self.window), MapSpec("planes", LEVELS * self.window)
        return tuple(self._interval(levels) for levels in _INPUTS[_SEEN.get(self.name, slice(None))])

    @property
    def segments(self) -> MapSpec:
        """The long window cut into short ones, from which motion is told."""
        long = LEVELS * self.window
        if self.name == "paper":
            return MapSpec("rate", long, LEVELS)
        return MapSpec("interval", long, LEVELS, _REACH * self.window)

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """All maps of a window that the front end needs."""
        if not self.learned:
            return (self.timing,)
        return self.inputs if self.name in _SEEN else (*self.inputs, self.segments)

    @property
    def steps(self) -> int:
        """How many steps its longest window has, all of which a frame needs."""
        return max(spec.window for spec in self.maps)

    def require_timing(self) -> None:
        """Refuse a front end whose response is not known.

        Raises
        ------
        OptionError
            For ``bsn1`` and ``bsn2``: what a guess keeps of a motion depends on the picture.
        """
        if self.name in ("bsn1", "bsn2"):
            raise OptionError(f"what {self} keeps of a vibration is not known, so no band can be corrected: take mie")

    @property
    def timing(self) -> MapSpec:
        """The map whose stretch of time a moving pixel of the frame averages, and by which its response is known.

        For ``bsn1`` and ``bsn2`` it is that of the label which they were trained on; see `require_timing`.
        """
        match self.name:
            case "mie" | "bsn1":
                return self._interval(1)
            case "bsn2":
                return self._interval(LEVELS)
            case "paper":
                return MapSpec("rate", self.window)
            case _:
                return MapSpec(self.name, self.window)

    def _interval(self, levels: float) -> MapSpec:
        return MapSpec("interval", int(levels * self.window), reach=_REACH * self.window)
