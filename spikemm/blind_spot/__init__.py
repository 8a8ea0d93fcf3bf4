"""Blind-spot networks: the light of a pixel from its neighbours alone, so that a stream can train them by itself."""

from torch import nn

from spikemm.blind_spot.compact import CompactBSN
from spikemm.blind_spot.reference import ReferenceBSN

__all__ = ["NETWORKS", "CompactBSN", "ReferenceBSN"]

NETWORKS: dict[str, type[nn.Module]] = {"compact": CompactBSN, "reference": ReferenceBSN}
"""The architectures by name."""
