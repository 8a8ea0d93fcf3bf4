"""What a training run is made of, and what its network is shown and taught."""

import difflib
import inspect
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from torch import nn

from spikemm.blind_spot import NETWORKS
from spikemm.exceptions import OptionError
from spikemm.front import LEVELS, FrontSpec
from spikemm.maps import MapSpec

__all__ = ["BSNOptions", "View"]

_RATES = {"compact": 3e-3, "reference": 2e-4}

Positive = Annotated[int, Meta(ge=1)]
Range = tuple[Annotated[float, Meta(ge=0)], Annotated[float, Meta(ge=0)]]


@dataclass(frozen=True, slots=True)
class View:
    """The maps around one step that make a sample.

    Attributes
    ----------
    inputs : tuple of MapSpec
        What the network sees: one channel each, or one per step for ``planes``.
    labels : tuple of MapSpec
        What the pixel itself says of its light: one for each output.
    """

    inputs: tuple[MapSpec, ...]
    labels: tuple[MapSpec, ...]

    @property
    def own(self) -> tuple[int, int]:
        """Steps before and from the centre on that must be there."""
        specs = (*self.inputs, *self.labels)
        return max(spec.window // 2 for spec in specs), max(spec.window - spec.window // 2 for spec in specs)

    @property
    def reach(self) -> int:
        """Steps on either side of those that are looked at where they are there."""
        return max(spec.reach for spec in (*self.inputs, *self.labels))


class BSNOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Options of the training of a blind-spot network.

    Attributes
    ----------
    architecture : str
        ``compact``: six ``interval`` maps in, the light at the short and at the long window out, every window of
        `windows` by the same network. ``reference``: raw steps in, one light out.
    network : dict of str to int
        Arguments of the network: channels and blocks of ``compact``, planes of ``reference``.
    windows : tuple of int
        Short windows w (steps) that ``compact`` learns; one that stands there twice is drawn twice as often.
    label : str
        What ``reference`` learns, for example ``isi:41`` or ``rate:256`` (paper), or ``interval:32+512``.
    label_reach : int
        How far outside its window a label of ``compact`` looks for a spike, steps, at least 8 w. A short reach makes
        pixels brighter that fire about once in it: by up to 30 % if it is w.
    light, noise : tuple of float
        Factor on the light of simulated streams, evenly on a logarithmic scale, and their temporal noise, see
        `spikemm.simulator.Sensor`; half of the streams have none.
    simulated : float
        Share of simulated streams where there are recordings as well.
    streams : int
        Streams that samples are drawn from at any time. Memory: 2.2 bits for every pixel and step, 170 MB by default.
    refresh : int
        Every so many iterations a new stream takes the place of the oldest one.
    stream_px, stream_steps : int
        Size of a stream: side of its picture, px, and its length.
    crop, batch : int
        Side of a sample, px, and how many of them make an iteration.
    iterations : int
        How many there are. The learning rate falls to nothing over them, along half a cosine.
    learning_rate : float, optional
        Of the first iteration (Adam). Default: 3e-3 for ``compact``, 2e-4 for ``reference`` (paper).

    Raises
    ------
    OptionError
        If an option is out of range or contradicts another.
    """

    architecture: Literal["compact", "reference"] = "compact"
    network: dict[str, Positive] = {}
    windows: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (8, 16, 32, 64)
    label: str = "isi:41"
    label_reach: Positive = 512
    light: Range = (0.05, 1.5)
    noise: Range = (0.0, 0.4)
    simulated: Annotated[float, Meta(ge=0, le=1)] = 0.5
    streams: Positive = 32
    refresh: Positive = 100
    stream_px: Annotated[int, Meta(ge=16, le=4096)] = 128
    stream_steps: Positive = 2560
    crop: Annotated[int, Meta(ge=16)] = 96
    batch: Positive = 4
    iterations: Positive = 20_000
    learning_rate: Annotated[float, Meta(gt=0, le=1)] | None = None

    def __post_init__(self) -> None:
        if self.crop > self.stream_px:
            raise OptionError(f"crop is {self.crop} px; a stream's picture has {self.stream_px}: take at most that")
        for name, (low, high), limit in (("light", self.light, 100.0), ("noise", self.noise, 1.0)):
            if not low <= high <= limit:
                raise OptionError(f"{name} is {low:g} to {high:g}; give the lower limit first, and at most {limit:g}")
        if self.light[0] == 0.0:
            raise OptionError("light starts at 0; a stream without light teaches nothing: take at least 0.01")
        self._check_network()
        for view in self.views:
            if sum(view.own) + 2 * view.reach > self.stream_steps:
                raise OptionError(
                    f"streams of {self.stream_steps} steps are too short for {view.inputs[-1]} with its reach: "
                    f"take stream_steps of {sum(view.own) + 2 * view.reach} or more, or shorter windows"
                )

    @property
    def views(self) -> tuple[View, ...]:
        """The samples that there are, each as likely as the others."""
        if self.architecture == "compact":
            return tuple(_compact_view(window, self.label_reach) for window in self.windows)
        return (View((MapSpec("planes", self.network.get("planes", 41)),), (MapSpec.parse(self.label),)),)

    @property
    def first_rate(self) -> float:
        """Learning rate of the first iteration."""
        return _RATES[self.architecture] if self.learning_rate is None else self.learning_rate

    def make_network(self) -> nn.Module:
        """Make the network, its weights drawn from torch's generator."""
        return NETWORKS[self.architecture](**self.network)

    def _check_network(self) -> None:
        known = list(inspect.signature(NETWORKS[self.architecture]).parameters)
        for name in self.network:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
                raise OptionError(f"network: the {self.architecture} network has no {name!r}; {advice}")


def _compact_view(window: int, label_reach: int) -> View:
    reach = max(label_reach, LEVELS * window)
    labels = [MapSpec("interval", levels * window, reach=reach) for levels in (1, LEVELS)]
    return View(FrontSpec("mie", window).inputs, tuple(labels))
