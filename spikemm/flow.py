"""Optical flow from one frame to the next."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from spikemm.exceptions import OptionError, WeightsError

__all__ = ["Bytes", "DisFlow", "Field", "FlowEstimator", "RaftFlow", "make_flow", "to_bytes"]

_RAFT_STRIDE, _RAFT_LEAST_PX = 8, 128

Bytes = NDArray[np.uint8]
Field = NDArray[np.float32]


class FlowEstimator(Protocol):
    """What tells the motion between two pictures."""

    @property
    def name(self) -> str:
        """What it is called in a table."""
        ...

    def between(self, first: Bytes, second: Bytes) -> Field:
        """Return the flow (H, W, 2) from one picture to the next, x and y in px, of 8-bit pictures (H, W)."""
        ...


class DisFlow:
    """Dense inverse search (Kroeger et al., 2016) of OpenCV at its preset "medium"."""

    name = "OpenCV DIS (medium)"

    def __init__(self) -> None:
        self._search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(self, first: Bytes, second: Bytes) -> Field:
        """Return the flow (H, W, 2) from one picture to the next, x and y in px."""
        return np.asarray(self._search.calc(first, second, None), np.float32)


class RaftFlow:
    """RAFT (Teed and Deng, 2020) by torchvision, with weights from a file: the paper's estimator.

    Parameters
    ----------
    weights : path
        The weights of torchvision's ``raft_large`` or ``raft_small``, a .pth or a .safetensors file; which of the two
        is told by what the file holds.
    device : str
        Torch device.

    Raises
    ------
    OptionError
        If torchvision is not installed.
    WeightsError
        If the file cannot be read or holds something else.
    """

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        large, small = _raft_models()
        tensors = _load(weights)
        build, self.name = (
            (large, "RAFT") if any(key.startswith("mask_predictor.") for key in tensors) else (small, "RAFT (small)")
        )
        model = build(weights=None, progress=False)
        try:
            model.load_state_dict(tensors)
        except (RuntimeError, TypeError) as error:
            raise WeightsError(
                f"{weights}: these are not the weights of torchvision's raft_large or raft_small; "
                "download one of the two and give its file"
            ) from error
        self._model = model.to(device).eval()
        self._device = device

    def between(self, first: Bytes, second: Bytes) -> Field:
        """Return the flow (H, W, 2) from one picture to the next, x and y in px."""
        height, width = first.shape
        with torch.inference_mode():
            flow = self._model(self._prepared(first), self._prepared(second))[-1][0]
        return np.ascontiguousarray(flow[:, :height, :width].permute(1, 2, 0).cpu().numpy(), np.float32)

    def _prepared(self, picture: Bytes) -> torch.Tensor:
        """Return (1, 3, H', W') in [−1, 1], the sides grown at bottom and right to what RAFT takes."""
        grey = torch.from_numpy(picture).to(self._device, torch.float32)[None, None] / 127.5 - 1.0
        down, right = (max(-side % _RAFT_STRIDE, _RAFT_LEAST_PX - side) for side in picture.shape)
        return torch.nn.functional.pad(grey, (0, right, 0, down), mode="replicate").expand(-1, 3, -1, -1)


def _raft_models() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        # An optional extra of some 100 MB, for those who ask for RAFT.
        from torchvision.models.optical_flow import raft_large, raft_small
    except ImportError as error:
        raise OptionError(
            "RAFT needs torchvision, which is not installed: pip install 'spikemm[raft]', or leave --raft-weights out"
        ) from error
    return raft_large, raft_small


def _load(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}; give the file of RAFT's weights") from error
    except Exception as error:  # a damaged file can raise anything; nothing in it is run
        raise WeightsError(f"{path}: no weights of RAFT can be read from it; download the file again") from error
    if not isinstance(tensors, Mapping) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise WeightsError(f"{path}: holds no table of weights; give a file of torchvision's RAFT weights")
    return tensors


def make_flow(raft_weights: Path | None = None, device: str = "cpu") -> FlowEstimator:
    """Return RAFT where its weights are given, else OpenCV's DIS."""
    return DisFlow() if raft_weights is None else RaftFlow(raft_weights, device)


def to_bytes(frame: NDArray[np.floating], white: float) -> Bytes:
    """Return a frame as 8-bit grey, light 0 black and light `white` 255; brighter is cut off."""
    return np.asarray(np.rint(np.clip(frame * (255.0 / white), 0.0, 255.0)), np.uint8)
