"""Learned magnification in two domains, after Singh et al., *Multi Domain Learning for Motion Magnification* (2023)."""

from typing import ClassVar

from spikemm.magnification.claim import Claim
from spikemm.magnification.learned.mdlmm_network import MdlmmNetwork
from spikemm.magnification.learned.shift import ShiftMagnifier

__all__ = ["MdlmmMagnifier"]


class MdlmmMagnifier(ShiftMagnifier):
    """Phases in the frequency domain, a touch of paint in the picture; see `MdlmmNetwork`.

    The published layers are not known: this is a derivation of our own.

    Notes
    -----
    Gain within 25 % of motions from 0.02 to 0.5 px that come out up to 6 px: with the weights of the package 16 to 23 %
    low on edges and 1 to 5 % low on textures of clean frames. A window cannot move by more than 8 px, so what should
    come out further than that does not. Windows of 16 px that hold moving and still things move as a whole. There is no
    dead zone: the shift is linear in the change of the spectra.

    Cost: 43 to 64 ms of CPU a 250×400 frame on one thread of a shared AMD EPYC.
    """

    architecture = "mdlmm"
    network_class = MdlmmNetwork
    remedy = "spikemm train magnifier configs/train_mdlmm.yaml --out FILE.safetensors"
    claim: ClassVar[Claim] = Claim(gain=0.25, input_px=(0.02, 0.5), output_px=6.0, wavelength_px=8.0)
