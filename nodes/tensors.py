"""Between `frames` messages and the batches of tensors that the stages work on."""

from typing import TYPE_CHECKING, Any

import numpy as np

from nodes.messages import Frames

if TYPE_CHECKING:
    import torch

    from spikemm.batch import FrameBatch

__all__ = ["to_batch", "to_tensor"]


def to_tensor(values: Any, device: str) -> "torch.Tensor":
    """Return an array or tensor as a float32 tensor on a device; one that is there already is not copied."""
    import torch

    if isinstance(values, torch.Tensor):
        return values.to(device)
    # Torch refuses to share memory that it may not write to, as what arrives on a link can be.
    writable = values if values.flags.writeable else values.copy()
    return torch.from_numpy(writable).to(device, torch.float32)


def to_batch(frames: Frames, device: str) -> "FrameBatch":
    """Return a message's frames as a batch on a device."""
    from spikemm.batch import FrameBatch

    steps = np.array(frames.steps, np.int64)
    raw = None if frames.raw is None else to_tensor(frames.raw, device)
    return FrameBatch(to_tensor(frames.pixels, device), steps, frames.gap, raw)
