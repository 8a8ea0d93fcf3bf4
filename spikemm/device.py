"""Where tensors are computed."""

import torch

from spikemm.exceptions import OptionError

__all__ = ["pick_device"]


def pick_device(name: str) -> str:
    """Return the torch device for an option.

    Parameters
    ----------
    name : {'auto', 'cpu', 'cuda'}
        ``auto`` takes a GPU where there is one.

    Raises
    ------
    OptionError
        If ``cuda`` is asked for and torch finds no CUDA device, or there is no device of that name.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise OptionError(f"device {name!r} is unknown; take auto, cpu or cuda")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("device 'cuda' was asked for, but torch finds no CUDA device here; take auto or cpu")
    return name
