"""What the training of a magnifier is made of."""

import difflib
import inspect
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from spikemm.exceptions import OptionError
from spikemm.magnification.learned.base import MotionNetwork
from spikemm.magnification.learned.compact_network import CompactNetwork
from spikemm.magnification.learned.mdlmm_network import MdlmmNetwork
from spikemm.magnification.learned.oh2018_network import Oh2018
from spikemm.training.motion_pairs import PairRanges

__all__ = ["NETWORKS", "MagnifierTrainingOptions"]

NETWORKS: dict[str, type[MotionNetwork]] = {
    "compact_magnifier": CompactNetwork,
    "mdlmm": MdlmmNetwork,
    "oh2018": Oh2018,
}
"""The networks that can be trained, by the names they have in files of weights."""

_RATES = {"compact_magnifier": 1e-3, "mdlmm": 1e-3, "oh2018": 1e-4}

Positive = Annotated[int, Meta(ge=1)]
AboveZero = Annotated[float, Meta(gt=0, le=100)]
Range = tuple[AboveZero, AboveZero]


class MagnifierTrainingOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Options of the training of a magnifier.

    Attributes
    ----------
    architecture : str
        Which network.
    network : dict of str to int
        Its arguments.
    alpha : tuple of float
        Total factors, evenly on a logarithmic scale.
    input_px : tuple of float
        Lengths of the largest motion in a pair, likewise.
    output_px : float
        Most that a magnified motion may be, px.
    side, batch : int
        Side of a sample, px, a multiple of 16, and how many of them make an iteration.
    scenes, textures : int
        How many rendered pairs, and textures in them, are in use at a time; one of the pairs is replaced every
        iteration. 190 kB for every pair, 70 kB for every texture.
    iterations : int
        How many there are. The learning rate falls to nothing over them, along half a cosine.
    learning_rate : float, optional
        Of the first iteration (Adam). Default: that of the architecture.
    agreement : float
        Weight of the differences of representations that should agree, where the network has some; 0.1 as published.

    Raises
    ------
    OptionError
        If an option is out of range or contradicts another.
    """

    architecture: Literal["compact_magnifier", "mdlmm", "oh2018"] = "compact_magnifier"
    network: dict[str, Positive] = {}
    alpha: Range = (1.0, 100.0)
    input_px: Range = (0.02, 2.0)
    output_px: AboveZero = 30.0
    side: Annotated[int, Meta(ge=32, le=1024, multiple_of=16)] = 96
    batch: Positive = 8
    scenes: Annotated[int, Meta(ge=1, le=1024)] = 256
    textures: Annotated[int, Meta(ge=1, le=512)] = 256
    iterations: Positive = 50_000
    learning_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    agreement: Annotated[float, Meta(ge=0, le=100)] = 0.1

    def __post_init__(self) -> None:
        for name, (low, high) in (("alpha", self.alpha), ("input_px", self.input_px)):
            if low > high:
                raise OptionError(f"{name} is {low:g} to {high:g}; give the lower limit first")
        known = list(inspect.signature(NETWORKS[self.architecture]).parameters)
        for name in self.network:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
                raise OptionError(f"network: the {self.architecture} network has no {name!r}; {advice}")

    @property
    def ranges(self) -> PairRanges:
        """What pairs are drawn from."""
        return PairRanges(
            side=self.side,
            alpha=self.alpha,
            input_px=self.input_px,
            output_px=self.output_px,
            scenes=self.scenes,
            textures=self.textures,
        )

    @property
    def first_rate(self) -> float:
        """Learning rate of the first iteration."""
        return _RATES[self.architecture] if self.learning_rate is None else self.learning_rate

    @property
    def paints(self) -> bool:
        """Whether the network itself makes light, and is taught the picture."""
        return self.architecture != "compact_magnifier"

    def make_network(self) -> MotionNetwork:
        """Make the network, its weights drawn from torch's generator."""
        return NETWORKS[self.architecture](**self.network)
