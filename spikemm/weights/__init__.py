"""Weights of networks: saved and loaded without ever running code from a file, and those that come with the package."""

from spikemm.weights.card import ModelCard
from spikemm.weights.store import bundled, load_network, read_card, save_network

__all__ = ["ModelCard", "bundled", "load_network", "read_card", "save_network"]
