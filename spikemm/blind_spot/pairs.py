"""The two blind-spot networks of a front end: one for the short window, one for the long."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from spikemm.blind_spot.compact import CompactBSN
from spikemm.blind_spot.reference import ReferenceBSN
from spikemm.exceptions import OptionError, WeightsError
from spikemm.front import LEVELS, FrontSpec
from spikemm.weights import bundled, load_network

__all__ = ["CompactPair", "Pair", "ReferencePair", "load_pair"]

_COMPACT = "compact_bsn"
_REFERENCE = ("bsn1.safetensors", "bsn2.safetensors")


class Pair(ABC):
    """Guess the light of every pixel from its neighbours, in the short and in the long window."""

    @abstractmethod
    def guess(self, maps: Sequence[torch.Tensor], height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both guesses.

        Parameters
        ----------
        maps : sequence of torch.Tensor
            Those of ``FrontSpec.inputs``, each with the windows on its first axis.
        height, width : int
            Pixels.

        Returns
        -------
        short, long : torch.Tensor
            (n, H, W), spikes per step.
        """


class CompactPair(Pair):
    """One compact network with both outputs.

    Parameters
    ----------
    network : CompactBSN
        In evaluation mode, on its device.
    """

    def __init__(self, network: CompactBSN) -> None:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network

    @torch.inference_mode()
    def guess(self, maps: Sequence[torch.Tensor], height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both guesses; see `Pair.guess`."""
        pictures = torch.stack(tuple(maps), dim=1).contiguous(memory_format=torch.channels_last)
        light = self._network(pictures).clamp_(min=0.0)
        return light[:, 0].contiguous(), light[:, 1].contiguous()


class ReferencePair(Pair):
    """Two networks of the paper's size, on the raw planes of their windows.

    Parameters
    ----------
    short, long : ReferenceBSN
        In evaluation mode, on one device.
    """

    def __init__(self, short: ReferenceBSN, long: ReferenceBSN) -> None:
        self._networks = short, long

    @torch.inference_mode()
    def guess(self, maps: Sequence[torch.Tensor], height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both guesses; see `Pair.guess`."""
        short, long = (
            torch.cat([network(_unpacked(one[None], height, width))[:, 0] for one in planes]).clamp_(min=0.0)
            for network, planes in zip(self._networks, maps, strict=True)
        )
        return short, long


def load_pair(spec: FrontSpec, device: str | torch.device, weights: Path | None) -> Pair:
    """Load the networks of a front end.

    Parameters
    ----------
    spec : FrontSpec
        One with networks.
    device : str or torch.device
        Where they are to run.
    weights : Path or None
        A file, or for ``paper`` the folder of ``bsn1.safetensors`` and ``bsn2.safetensors``; None: the bundled ones.

    Raises
    ------
    WeightsError
        If a file is missing, damaged or of another architecture, or takes windows of another length.
    OptionError
        If ``paper`` is given no weights: none come with the package.
    """
    if spec.name != "paper":
        network = load_network(
            weights or bundled(_COMPACT), networks={"compact": CompactBSN}, expected="compact", device=str(device)
        )
        assert isinstance(network, CompactBSN)
        return CompactPair(network)
    if weights is None:
        raise OptionError(f"{spec} needs weights: train a pair (spikemm train bsn) and name their folder")
    short, long = (_reference(weights / name, device) for name in _REFERENCE)
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
