"""When `encode` takes windows: at every hop, or at the flashes of a strobe whose frequency is told while it runs."""

from logging import Logger
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from spikemm.exceptions import OptionError
from spikemm.strobe import Flashes, Strobe, longest_hop

__all__ = ["EmitOptions", "Hz", "StrobeAim", "StrobeOptions"]

_TELL_CHANGE = 0.01

Hz = Annotated[float, Meta(gt=0, le=1e6)]
"""A frequency in Hz."""


class StrobeOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of a strobe."""

    frequency: Annotated[
        Literal["auto"] | Hz, Meta(description="Of the vibration to be shown, Hz; auto: strobe_hz, set while it runs.")
    ] = "auto"
    apparent_hz: Annotated[float, Meta(gt=0, le=1000, description="Frequency at which it appears, in sensor time.")] = (
        1.0
    )


class EmitOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """When windows are taken, if not at every hop."""

    strobe: Annotated[StrobeOptions, Meta(description="At the steps that show a vibration in slow motion.")]

    def aimed(self, strobe_hz: float | None) -> Strobe | None:
        """Return the strobe, None while its frequency is not known.

        Raises
        ------
        OptionError
            If the vibration is too slow for it, or `strobe_hz` is given to a strobe of a fixed frequency.
        """
        hz = strobe_hz if self.strobe.frequency == "auto" else self.strobe.frequency
        if strobe_hz is not None and hz != strobe_hz:
            raise OptionError(f"strobe_hz {strobe_hz:g}: the strobe is fixed to {hz:g} Hz; set frequency to auto")
        return None if hz is None else Strobe(float(hz), self.strobe.apparent_hz)


class StrobeAim:
    """Keeps a strobe on its vibration and says what it is locked to.

    Parameters
    ----------
    options : EmitOptions
        Which vibration, and how slow it is to appear.
    log : Logger
        Where to say so.

    Attributes
    ----------
    flashes : Flashes or None
        Where windows are to be taken; None while the frequency is not known.
    """

    def __init__(self, options: EmitOptions, log: Logger) -> None:
        self._options, self._log = options, log
        self._told_hz: float | None = None
        self.flashes: Flashes | None = None

    def aim(self, strobe_hz: float | None, rate_hz: float, hop: int, last_step: int) -> None:
        """Turn to a frequency, with the phase of the flash at `last_step`, so that the picture does not jump.

        Parameters
        ----------
        strobe_hz : float or None
            Frequency of the vibration; None: not known, or that of the options.
        rate_hz : float
            Steps per second.
        hop : int
            Least steps between windows.
        last_step : int
            The last window's.

        Raises
        ------
        OptionError
            If such a vibration cannot be shown; all is then as before.
        """
        strobe = self._options.aimed(strobe_hz)
        flashes = None if strobe is None else self._turned(strobe, rate_hz, last_step)
        if hop > (longest := longest_hop(rate_hz, self.apparent_hz)):
            raise OptionError(
                f"a hop of {hop} steps is too long to show a vibration at {self.apparent_hz:g} Hz: take {longest} or "
                "less, or a lower apparent_hz"
            )
        self.flashes = flashes
        self._tell(strobe, hop)

    def _turned(self, strobe: Strobe, rate_hz: float, last_step: int) -> Flashes:
        if self.flashes is None or self.flashes.rate_hz != rate_hz:
            return Flashes(strobe, rate_hz, last_step)
        return self.flashes.moved(strobe, last_step)

    @property
    def apparent_hz(self) -> float:
        """Frequency at which the vibration is to appear."""
        return self._options.strobe.apparent_hz

    @property
    def time_scale(self) -> float:
        """Seconds that a second of the vibration takes to be shown; 1 while its frequency is not known."""
        return 1.0 if self.flashes is None else self.flashes.strobe.time_scale

    def _tell(self, strobe: Strobe | None, hop: int) -> None:
        """Say what is shown, and again when that has changed by more than a hundredth."""
        hz = strobe.frequency_hz if strobe else 0.0
        if self._told_hz is not None and abs(hz - self._told_hz) <= _TELL_CHANGE * self._told_hz:
            return
        self._told_hz = hz
        if strobe is None:
            self._log.info("the strobe waits for a frequency; until then a frame every %d steps", hop)
        else:
            text = "the strobe shows %.2f Hz at %g Hz, %.4g times as slow"
            self._log.info(text, hz, strobe.apparent_hz, strobe.time_scale)

    def status(self) -> dict[str, Any]:
        """Return whether it is locked, and to what."""
        flashes = self.flashes
        if flashes is None:
            return {"strobe": "waits for strobe_hz", "apparent_hz": self.apparent_hz}
        return {"strobe": "locked", "strobe_hz": flashes.strobe.frequency_hz, "apparent_hz": self.apparent_hz}
