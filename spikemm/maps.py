"""What a map of a window is called."""

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikemm.exceptions import OptionError

if TYPE_CHECKING:
    # Names are for those who only ask for maps too; the ring compiles kernels.
    from spikemm.ring import SpikeRing

__all__ = ["MAP_NAMES", "MapSpec"]

MAP_NAMES = ("rate", "isi", "interval", "planes")


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One map of a window, written ``name:window``, as in ``interval:32``; ``interval:256/8+128`` says all there is.

    Attributes
    ----------
    name : str
        ``rate``, ``isi`` or ``interval``, the methods of ``SpikeRing``; or ``planes``, the window's packed steps.
    window : int
        Steps w.
    parts : int
        Into how many equal parts the window is cut, each a map of its own: ``interval:256/8`` is eight pictures
        ``interval:32``, oldest first, and ``rate:256/8`` the segments of the paper's (6).
    reach : int
        Steps outside the window that an ``interval`` looks at, on each side; by default the length of a part. A pixel
        that fires less often than that falls back to ``rate``.

    Raises
    ------
    OptionError
        Unknown name, a window below 1, or parts or a reach that are out of range or that the name cannot have.
    """

    name: str
    window: int
    parts: int = 1
    reach: int = -1

    def __post_init__(self) -> None:
        if self.name not in MAP_NAMES:
            near = difflib.get_close_matches(self.name, MAP_NAMES, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(MAP_NAMES)}"
            raise OptionError(f"unknown map {self.name!r}: {advice}")
        if self.window < 1:
            raise OptionError(f"map {self.name!r} with a window of {self.window} steps: it must be at least 1")
        if self.parts < 1 or self.window % self.parts:
            raise OptionError(f"{self.parts} parts do not divide a window of {self.window} steps: choose a divisor")
        if self.parts > 1 and self.name not in ("rate", "interval"):
            raise OptionError(f"map {self.name!r} has no parts: cut a rate or an interval")
        if self.reach >= 0 and self.name != "interval":
            raise OptionError(f"map {self.name!r} has no reach: only an interval looks outside its window")
        if self.reach < 0:
            object.__setattr__(self, "reach", self._usual_reach)

    @property
    def _usual_reach(self) -> int:
        return self.window // self.parts if self.name == "interval" else 0

    @classmethod
    def parse(cls, text: str) -> "MapSpec":
        """Read ``name:window``, with ``/parts`` and ``+reach`` behind it where they are not the usual ones.

        Raises
        ------
        OptionError
            Another form, an unknown name, or a number out of range.
        """
        form = re.fullmatch(r"([^:]*):(\d{1,9})(?:/(\d{1,9}))?(?:\+(\d{1,9}))?", text)
        if form is None:
            raise OptionError(f"map {text!r}: write it as name:window, for example interval:32 or interval:256/8+128")
        name, window, parts, reach = form.groups()
        return cls(name, int(window), int(parts or 1), int(reach or -1))

    def __str__(self) -> str:
        parts = f"/{self.parts}" if self.parts > 1 else ""
        return f"{self.name}:{self.window}{parts}" + (f"+{self.reach}" if self.reach != self._usual_reach else "")

    def of(self, ring: "SpikeRing", t: int) -> NDArray[Any]:
        """Compute the map around step t: (H, W) float32, (parts, H, W) if cut, (w, ⌈H·W/8⌉) uint8 for planes."""
        if self.name == "planes":
            return ring.planes(t, self.window)
        if self.parts == 1:
            return self._one(ring, t, self.window)
        short, start = self.window // self.parts, t - self.window // 2
        return np.stack([self._one(ring, start + k * short + short // 2, short) for k in range(self.parts)])

    def _one(self, ring: "SpikeRing", t: int, w: int) -> NDArray[np.float32]:
        match self.name:
            case "interval":
                return ring.interval(t, w, self.reach)
            case "rate":
                return ring.rate(t, w)
            case _:
                return ring.isi(t, w)

    @property
    def before(self) -> int:
        """Steps before the centre t that the map needs."""
        return self.window // 2 + self.reach

    @property
    def after(self) -> int:
        """Steps from the centre t on, itself included, that the map needs."""
        return self.window - self.window // 2 + self.reach
