"""Learned magnification after Oh et al., *Learning-based Video Motion Magnification* (ECCV 2018)."""

from typing import ClassVar

from spikemm.magnification.claim import Claim
from spikemm.magnification.learned.base import LearnedMagnifier
from spikemm.magnification.learned.oh2018_network import Oh2018

__all__ = ["Oh2018Magnifier"]


class Oh2018Magnifier(LearnedMagnifier):
    """Multiply the change of learned shape features, and paint the frame anew.

    Notes
    -----
    Never measure on its output: the network paints what looks right. What it takes for noise, anything to which less
    than about 1 px would be added, it hardly magnifies; from 1.3 px on, for motions of 0.03 to 1 px that come out up to
    10 px, the gain is within 15 %. That holds for the package's weights, of a network a quarter as wide that was
    trained on a CPU, and for those that the authors released (``spikemm weights import oh2018 FILE``). How much of the
    gain a clean frame shows depends on (alpha − 1)·δ, the motion added to an amplitude δ; with the latter, at alpha 10:

    ======================  ====  ====  ====  ====  ====  ====
    added, px               0.45  0.9   1.35  1.8   4.5   9
    gain / alpha, edge      0.53  0.99  1.07  1.05  0.99  0.98
    gain / alpha, texture   0.17  0.72  1.02  1.07  1.05  1.00
    ======================  ====  ====  ====  ====  ====  ====

    A sine of which the crests are magnified and the rest is not comes out as something else than a sine. Structures
    of 4 to 6 px come out 20 % too far up to 2 px. alpha below 1, which the network has not learnt, takes the change
    off the shape features linearly: gain within 0.02 of alpha, and 0 freezes.

    Cost at full width: 0.55 s a 250×400 frame on one thread of an AMD EPYC in float32, four fifths of it the decoder,
    which in bfloat16 would take half as long and miss by up to 0.2 % of the light: a method for a GPU or for short
    clips. Where the authors compare with the first frame, static mode takes a slow mean of the shape features.
    """

    architecture = "oh2018"
    network_class = Oh2018
    remedy = "spikemm weights import oh2018 FILE"
    claim: ClassVar[Claim] = Claim(gain=0.15, input_px=(0.03, 1.0), output_px=10.0, wavelength_px=6.0, added_px=1.3)
