"""`magnify`: small motions made large."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast, get_args

import msgspec
from msgspec import Meta

from engine import Live, Stage
from nodes.messages import Frames
from nodes.tensors import to_batch
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.front import FrontSpec
from spikemm.strobe import Strobe

if TYPE_CHECKING:
    from spikemm.magnification import Magnifier

__all__ = ["Magnify"]

_Band = Annotated[tuple[float, float] | None, Meta(description="Limits in Hz of sensor time; null: no band."), Live]
_Region = tuple[int, int, int, int]
_Method = Literal["warp", "riesz", "phase", "linear", "compact", "mdlmm", "oh2018"]


class MagnifyOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `magnify`."""

    method: Annotated[
        _Method,
        Meta(description="How motion is found and enlarged; warp is the most exact and the default."),
        Live,
    ] = "warp"
    alpha: Annotated[float, Meta(ge=0, le=1000, description="Displacement shown over true; 0 freezes."), Live] = 10.0
    mode: (
        Annotated[
            Literal["static", "dynamic", "band"], Meta(description="Null: band where band_hz is given, else static.")
        ]
        | None
    ) = None
    band_hz: _Band = None
    axis: Annotated[
        Literal["x", "y"] | None, Meta(description="Magnify only this component of the motion; not for linear, oh2018.")
    ] = None
    regions: Annotated[
        list[_Region], Meta(description="Magnify only inside these: x, y, width, height in px; empty: everywhere.")
    ] = []
    steady: Annotated[
        _Region | None,
        Meta(description="A region that stands still in the scene; frames are put back by its motion: camera shake."),
    ] = None
    weights: Annotated[
        str | None, Meta(description="Networks of compact, mdlmm or oh2018: a file; null: those of the package.")
    ] = None
    device: Annotated[Literal["auto", "cpu", "cuda"], Meta(description="Where it is computed.")] = "auto"

    @property
    def effective_mode(self) -> Literal["static", "dynamic", "band"]:
        """The mode, null resolved."""
        return self.mode or ("band" if self.band_hz else "static")


def _check_mode(options: MagnifyOptions) -> None:
    if (options.effective_mode == "band") != (options.band_hz is not None):
        raise OptionError(
            f"mode {options.effective_mode} with band_hz {options.band_hz}: band mode needs one, the others take none"
        )
    if options.band_hz is not None and not 0 < options.band_hz[0] < options.band_hz[1]:
        raise OptionError(f"band_hz {list(options.band_hz)}: give two limits, 0 < low < high")


class _Stream(NamedTuple):
    """What a magnifier is built for."""

    rate_hz: float
    front: str
    height: int
    width: int
    origin: tuple[int, int]
    strobe: Strobe | None
    apparent_hz: float

    def placed(self, region: _Region) -> _Region:
        """Return where in the frames a region of the sensor is."""
        return (region[0] - self.origin[0], region[1] - self.origin[1], *region[2:])

    @property
    def waits(self) -> bool:
        """Whether a strobe has not got its frequency yet."""
        return self.strobe is None and self.apparent_hz > 0.0


def _strobe(frames: Frames) -> Strobe | None:
    locked = frames.time_scale > 1.0 and frames.apparent_hz > 0.0
    return Strobe(frames.time_scale * frames.apparent_hz, frames.apparent_hz) if locked else None


class Magnify(Stage):
    """Magnify the motion in frames; their unmagnified twins go along as `raw` where a consumer wants them.

    A change of hop leaves the magnifier as it is: its filters go by the time between frames.

    Behind a strobe ``band_hz`` stays in Hz of the scene. While the strobe waits for its frequency, and when it turns to
    one by which the band cannot be seen, frames of band mode are passed on as they are.
    """

    Options = MagnifyOptions
    accepts = Frames
    emits = Frames
    user_errors = (SpikeMMError,)

    @classmethod
    def check(cls, options: MagnifyOptions) -> None:
        """Check that mode and band fit each other."""
        _check_mode(options)

    def setup(self) -> None:
        """Find the device; the first message tells the rest."""
        # Here and not above: torch is for the processes that compute. And not at the first message: it would be late.
        from spikemm.device import pick_device
        from spikemm.magnification import make_magnifier

        self._make_magnifier = make_magnifier
        self._device = pick_device(self.options.device)
        self._magnifier: Magnifier | None = None
        self._stream: _Stream | None = None
        self._method = self.options.method
        self._epoch: int | None = None
        self._hop = 0

    def process(self, frames: Frames, port: str) -> list[Frames]:
        """Return the frames magnified."""
        magnifier = self._magnifier_for(frames)
        wants_raw = "raw" in self.context.wanted
        if magnifier is None:
            return [replace(frames, raw=frames.pixels if wants_raw else None)]
        magnified = magnifier.push(to_batch(frames, self._device))
        raw = magnified.raw if wants_raw else None
        return [replace(frames, pixels=magnified.pixels, raw=raw, notes={**frames.notes, **self._notes(magnifier)})]

    def _magnifier_for(self, frames: Frames) -> "Magnifier | None":
        """Return the magnifier for these frames, None where they do not show the band."""
        _, height, width = frames.pixels.shape
        stream = _Stream(
            frames.rate_hz, frames.front, height, width, frames.origin, _strobe(frames), frames.apparent_hz
        )
        last, self._stream = self._stream, stream
        if last is None:
            self._hop = frames.hop
            self._magnifier = self._make()
        elif stream != last:
            self._turn(last, frames.hop)
        if self._magnifier is not None and frames.epoch != self._epoch:
            self._magnifier.reset()
        self._epoch = frames.epoch
        if frames.hop != self._hop:
            self._hop = frames.hop
            self._warn_of_band(self._magnifier.shown_band_hz if self._magnifier is not None else None)
        return self._magnifier

    def _turn(self, last: _Stream, hop: int) -> None:
        """Take over another stream, or another frequency of its strobe; a band that it does not show ends no run."""
        stream = cast(_Stream, self._stream)
        turns = stream.strobe is not None and stream._replace(strobe=last.strobe) == last
        try:
            if self._magnifier is not None and turns:
                self._magnifier.strobe = stream.strobe
            else:
                self._hop = hop
                self._magnifier = self._make()
        except OptionError as error:
            if stream.strobe is None:
                raise
            self._magnifier = None
            self.context.log.warning("%s; until then frames are shown as they are", error)

    def _make(self) -> "Magnifier | None":
        options, stream = self.options, cast(_Stream, self._stream)
        if stream.waits and options.band_hz is not None:
            return None
        front = FrontSpec.parse(stream.front)
        if options.band_hz is not None:
            front.require_timing()
        magnifier = self._make_magnifier(
            options.method,
            alpha=options.alpha,
            mode=options.effective_mode,
            band_hz=options.band_hz,
            rate_hz=stream.rate_hz,
            hop=self._hop,
            front=front.timing,
            height=stream.height,
            width=stream.width,
            device=self._device,
            axis=options.axis,
            regions=tuple(stream.placed(region) for region in options.regions),
            steady=stream.placed(options.steady) if options.steady else None,
            weights=Path(options.weights) if options.weights else None,
            strobe=stream.strobe,
        )
        self._method = options.method
        return magnifier

    def _warn_of_band(self, band_hz: tuple[float, float] | None) -> None:
        rate_hz = cast(_Stream, self._stream).rate_hz
        if band_hz and 2 * band_hz[1] * self._hop >= rate_hz:
            self.context.log.warning(
                "a band up to %g Hz does not fit %g frames a second: nothing is magnified while the hop is %g or more",
                *(band_hz[1], rate_hz / self._hop, rate_hz / (2 * band_hz[1])),
            )

    def _notes(self, magnifier: "Magnifier") -> dict[str, Any]:
        return {
            "method": self.options.method,
            "mode": self.options.effective_mode,
            "alpha": magnifier.alpha,
            "band_hz": magnifier.band_hz,
            "phase_delay": asdict(magnifier.phase_delay),
        }

    def reconfigure(self, changed: frozenset[str]) -> None:
        """Take over alpha, band and method; another method starts with no memory of the frames before.

        Raises
        ------
        OptionError
            If one is out of its range or does not go with the others; the engine then puts the old options back.
        """
        _check_mode(self.options)
        if self._magnifier is not None:
            self._apply(self._magnifier)
        elif self._stream is not None:
            self._magnifier = self._make()

    def status(self) -> dict[str, Any]:
        """Return the methods that there are, for those who offer a choice."""
        return {"methods": list(get_args(_Method))}

    def _apply(self, magnifier: "Magnifier") -> None:
        other_mode = (magnifier.band_hz is None) != (self.options.band_hz is None)
        if other_mode or self._method != self.options.method:
            self._magnifier = self._make()
            return
        magnifier.alpha = self.options.alpha
        if magnifier.band_hz != self.options.band_hz:
            magnifier.band_hz = self.options.band_hz
