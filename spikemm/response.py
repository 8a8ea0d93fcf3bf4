"""What a window of the front end keeps of a vibration.

A frame is an average over a stretch of time, so a sine of frequency f comes out smaller. A stretch of fixed length
L keeps sinc(f·L/rate) of its amplitude. The stretch of an ``interval`` reaches from spike to spike around the
window, that of an ``isi`` from one spike to the next, so their lengths depend on the light of each pixel.
"""

import numpy as np
import torch

from spikemm.exceptions import OptionError
from spikemm.maps import MapSpec

__all__ = ["KEPT", "effective_length", "highest_frequency", "require_response", "response_map", "window_response"]

KEPT = 0.3
"""The least part of an amplitude that may be corrected: below it the correction mostly amplifies noise."""


def effective_length(front: MapSpec, light: torch.Tensor | float) -> torch.Tensor:
    """Mean length of the stretch of time that one value of the front end averages.

    Parameters
    ----------
    front : MapSpec
        The front end's map: ``rate`` w, ``interval`` w + 1/light (a regular train of period 1/light, the window
        thrown in at random), ``isi`` 1/light.
    light : torch.Tensor or float
        Light in spikes per step, any shape. Light so dim that a spike is searched for beyond the reach counts as one
        spike in a window and a reach.

    Returns
    -------
    torch.Tensor
        Length in steps, float32, of the shape of `light`.
    """
    light = torch.as_tensor(light, dtype=torch.float32)
    period = 1.0 / light.clamp(min=1.0 / (front.window + max(front.reach, front.window)), max=1.0)
    if front.name == "rate":
        return torch.full_like(light, float(front.window))
    return period if front.name == "isi" else front.window + period


def window_response(length_steps: torch.Tensor | float, frequency_hz: float, rate_hz: float) -> torch.Tensor:
    """Part of a sine's amplitude that an average over `length_steps` keeps: sin(πx)/(πx), x = f·length/rate."""
    return torch.sinc(torch.as_tensor(length_steps, dtype=torch.float32) * (frequency_hz / rate_hz))


def response_map(front: MapSpec, light: torch.Tensor, frequency_hz: float, rate_hz: float) -> torch.Tensor:
    """Part of a sine's amplitude that the front end keeps at each pixel.

    Parameters
    ----------
    front : MapSpec
        The front end's map.
    light : torch.Tensor
        Light in spikes per step, any shape.
    frequency_hz, rate_hz : float
        Frequency of the sine, and steps per second.

    Returns
    -------
    torch.Tensor
        In (−0.22, 1], of the shape of `light`.

    Notes
    -----
    An ``isi`` is held from one spike to the next, so beside its length the place of its centre is random over one
    period, which costs a second sinc. For ``interval`` that part is below a per cent.
    """
    kept = window_response(effective_length(front, light), frequency_hz, rate_hz)
    return kept * kept if front.name == "isi" else kept


def highest_frequency(length_steps: float, rate_hz: float, keep: float = KEPT) -> float:
    """Highest frequency of which an average over `length_steps` keeps at least the part `keep`, in Hz."""
    x = np.linspace(0.0, 1.0, 4097)
    return float(x[np.sinc(x) >= keep][-1] * rate_hz / length_steps)


def require_response(front: MapSpec, light: float, frequency_hz: float, rate_hz: float) -> None:
    """Refuse a frequency of which the front end keeps too little to be corrected.

    Raises
    ------
    OptionError
        If less than 0.3 of the amplitude is left; names the highest frequency that this window keeps.
    """
    kept = float(response_map(front, torch.tensor(light), frequency_hz, rate_hz))
    if kept >= KEPT:
        return
    length = float(effective_length(front, light))
    keep = KEPT**0.5 if front.name == "isi" else KEPT
    raise OptionError(
        f"the front end {front} keeps {max(kept, 0.0):.0%} of a vibration of {frequency_hz:g} Hz, and at least "
        f"{KEPT:.0%} is needed: at a light of {light:.2g} spikes a step it averages {length:.0f} steps, good up to "
        f"{highest_frequency(length, rate_hz, keep):.0f} Hz; take a shorter window or a lower band"
    )
