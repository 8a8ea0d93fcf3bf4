"""Spatial upsampling by any real factor from 1 up, without ground truth.

``histospline`` is the one to take; ``linear``, ``bicubic`` and ``lanczos`` are the baselines, and ``wire`` is the
paper's method, which fits a network to every frame: offline, hours a frame.
"""

from spikemm.exceptions import OptionError
from spikemm.upsampling.base import Upsampler
from spikemm.upsampling.histospline import Histospline
from spikemm.upsampling.interpolation import Bicubic, Lanczos, Linear
from spikemm.upsampling.wire import Wire

__all__ = ["UPSAMPLERS", "Upsampler", "make_upsampler"]

UPSAMPLERS: dict[str, type[Upsampler]] = {
    "histospline": Histospline,
    "linear": Linear,
    "bicubic": Bicubic,
    "lanczos": Lanczos,
    "wire": Wire,
}
"""The methods by name."""


def make_upsampler(method: str, *, scale: float, height: int, width: int, device: str = "cpu") -> Upsampler:
    """Build an upsampler.

    Parameters
    ----------
    method : {'histospline', 'linear', 'bicubic', 'lanczos', 'wire'}
        The method.
    scale : float
        Factor from 1 up; the output has round(height·scale) × round(width·scale) pixels.
    height, width : int
        Size of the frames that go in.
    device : str
        Torch device of the frames.

    Raises
    ------
    OptionError
        If there is no such method or `scale` is below 1.
    """
    if method not in UPSAMPLERS:
        raise OptionError(f"upsampling method {method!r} is unknown; take one of {', '.join(UPSAMPLERS)}")
    return UPSAMPLERS[method](scale=scale, height=height, width=width, device=device)
