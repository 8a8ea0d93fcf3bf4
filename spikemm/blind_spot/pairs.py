"""The two blind-spot networks of a front end: one for the short window, one for the long."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from spikemm.blind_spot.compact import CompactBSN
from spikemm.blind_spot.reference import ReferenceBSN
from spikemm.exceptions import WeightsError
from spikemm.front import LEVELS, PAPER_PAIR, FrontSpec
from spikemm.weights import bundled, load_network

__all__ = ["CompactPair", "Pair", "ReferencePair", "load_pair"]

_COMPACT = "compact_bsn"


class Pair(ABC):
    """Guess the light of every pixel from its neighbours, in the short and in the long window."""

    @abstractmethod
    def short(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the short window.

        Parameters
        ----------
        maps : sequence of torch.Tensor
            Those of ``FrontSpec.inputs``, each with the windows on its first axis.
        height, width : int
            Pixels.

        Returns
        -------
        torch.Tensor
            (n, H, W), spikes per step.
        """

    @abstractmethod
    def long(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the long window; see `short`."""


class CompactPair(Pair):
    """The two levels of one compact network.

    Parameters
    ----------
    network : CompactBSN
        In evaluation mode, on its device.
    """

    def __init__(self, network: CompactBSN) -> None:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network

    def short(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the short window; see `Pair.short`."""
        return self._guess(self._network.short, maps[: self._network.short_maps])

    def long(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the long window; see `Pair.short`."""
        return self._guess(self._network.long, maps[-self._network.long_maps :])

    @staticmethod
    @torch.inference_mode()
    def _guess(level: nn.Module, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        # Stacked behind and seen as in front: that is channels last, in one pass.
        light: torch.Tensor = level(torch.stack(tuple(maps), dim=-1).permute(0, 3, 1, 2))
        return light[:, 0].clamp_(min=0.0).contiguous()


class ReferencePair(Pair):
    """Two networks of the paper's size, on the raw planes of their windows.

    Parameters
    ----------
    short, long : ReferenceBSN
        In evaluation mode, on one device.
    """

    def __init__(self, short: ReferenceBSN, long: ReferenceBSN) -> None:
        self._networks = short, long

    def short(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the short window; see `Pair.short`."""
        return self._guess(0, maps, height, width)

    def long(self, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        """Return the guess of the long window; see `Pair.short`."""
        return self._guess(1, maps, height, width)

    @torch.inference_mode()
    def _guess(self, which: int, maps: Sequence[torch.Tensor], height: int, width: int) -> torch.Tensor:
        network = self._networks[which]
        guesses = [network(_unpacked(planes[None], height, width))[:, 0] for planes in maps[which]]
        return torch.cat(guesses).clamp_(min=0.0)


def load_pair(spec: FrontSpec, device: str | torch.device, weights: Path | None) -> Pair:
    """Load the networks of a front end.

    Parameters
    ----------
    spec : FrontSpec
        One with networks.
    device : str or torch.device
        Where they are to run.
    weights : Path or None
        A file, or for ``paper`` the folder of ``bsn1.safetensors`` and ``bsn2.safetensors``; None: the bundled ones,
        of which there are none of ``paper``.

    Raises
    ------
    WeightsError
        If a file is missing, damaged or of another architecture, or takes windows of another length.
    """
    if spec.name != "paper":
        network = load_network(
            weights or bundled(_COMPACT), networks={"compact": CompactBSN}, expected="compact", device=str(device)
        )
        assert isinstance(network, CompactBSN)
        return CompactPair(network)
    assert weights is not None, "the front end has been checked: of paper none are bundled"
    short, long = (_reference(weights / name, device) for name in PAPER_PAIR)
    for network, planes in ((short, spec.window), (long, LEVELS * spec.window)):
        if network.planes != planes:
            raise WeightsError(f"{weights}: a network for {network.planes} steps, {spec} has {planes}: set the window")
    return ReferencePair(short, long)


def _reference(path: Path, device: str | torch.device) -> ReferenceBSN:
    network: nn.Module = load_network(
        path, networks={"reference": ReferenceBSN}, expected="reference", device=str(device)
    )
    assert isinstance(network, ReferenceBSN)
    return network


def _unpacked(packed: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return (n, w, H, W) float32 zeros and ones of (n, w, ⌈H·W/8⌉) bytes."""
    bits = torch.arange(8, device=packed.device, dtype=torch.uint8)
    planes = packed[..., None].bitwise_right_shift(bits).bitwise_and_(1).flatten(-2)[..., : height * width]
    return planes.reshape(*planes.shape[:-1], height, width).float()
