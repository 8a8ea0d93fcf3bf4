"""What joins reconstructions of several levels: own pixel and guess, one brightness, the mask of motion."""

from spikemm.fusion.brightness import BrightnessMap
from spikemm.fusion.clusters import Clusters, cluster
from spikemm.fusion.motion_mask import MotionMask
from spikemm.fusion.own_pixel import OwnPixel

__all__ = ["BrightnessMap", "Clusters", "MotionMask", "OwnPixel", "cluster"]
