"""`magnify`: small motions made large."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import msgspec
from msgspec import Meta

from engine import Live, Stage
from nodes.messages import Frames
from nodes.tensors import to_batch
from spikemm.exceptions import OptionError, SpikeMMError
from spikemm.front import FrontSpec

if TYPE_CHECKING:
    from spikemm.magnification import Magnifier

__all__ = ["Magnify"]

_Band = Annotated[tuple[float, float] | None, Meta(description="Limits in Hz of sensor time; null: no band."), Live]
_Region = tuple[int, int, int, int]


class MagnifyOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of `magnify`."""

    method: Annotated[
        Literal["warp", "riesz", "phase", "linear", "compact", "mdlmm", "oh2018"],
        Meta(description="How motion is found and enlarged; warp is the most exact and the default."),
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


class Magnify(Stage):
    """Magnify the motion in frames; their unmagnified twins go along as `raw` where a consumer wants them.

    A change of hop leaves the magnifier as it is: its filters go by the time between frames.
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
        self._epoch: int | None = None
        self._hop = 0

    def process(self, frames: Frames, port: str) -> list[Frames]:
        """Return the frames magnified."""
        magnifier = self._magnifier_for(frames)
        magnified = magnifier.push(to_batch(frames, self._device))
        raw = magnified.raw if "raw" in self.context.wanted else None
        return [replace(frames, pixels=magnified.pixels, raw=raw, notes={**frames.notes, **self._notes(magnifier)})]

    def _magnifier_for(self, frames: Frames) -> "Magnifier":
        stream = _Stream(frames.rate_hz, frames.front, *frames.pixels.shape[1:])
        if self._magnifier is None or stream != self._stream:
            self._stream, self._hop = stream, frames.hop
            self._magnifier = self._make()
        elif frames.epoch != self._epoch:
            self._magnifier.reset()
        self._epoch = frames.epoch
        if frames.hop != self._hop:
            self._hop = frames.hop
            self._warn_of_band(self._magnifier.band_hz)
        return self._magnifier

    def _make(self) -> "Magnifier":
        options, stream = self.options, cast(_Stream, self._stream)
        front = FrontSpec.parse(stream.front)
        if options.band_hz is not None:
            front.require_timing()
        return self._make_magnifier(
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
            regions=tuple(options.regions),
            steady=options.steady,
            weights=Path(options.weights) if options.weights else None,
        )

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
        """Take over alpha and band.

        Raises
        ------
        OptionError
            If either is out of its range; the engine then puts the old options back.
        """
        _check_mode(self.options)
        if self._magnifier is not None:
            self._apply(self._magnifier)

    def _apply(self, magnifier: "Magnifier") -> None:
        if (magnifier.band_hz is None) != (self.options.band_hz is None):
            self._magnifier = self._make()
            return
        magnifier.alpha = self.options.alpha
        if magnifier.band_hz != self.options.band_hz:
            magnifier.band_hz = self.options.band_hz
