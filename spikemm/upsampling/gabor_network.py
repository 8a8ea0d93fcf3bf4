"""WIRE's network: a picture as a function of its coordinates, made of complex Gabor wavelets."""

from typing import Any, cast

import torch
from torch import nn

__all__ = ["GaborNetwork", "grid"]

_WIDTH = 181
"""⌊256/√2⌋: as many real parameters as 256 real units a layer would have."""

_OMEGA = _SIGMA = 10.0
"""Frequency and inverse width of the wavelets; the paper keeps its own to itself, and (30, 10) diverges."""

_NEGLIGIBLE = -40.0
"""Natural logarithm of what a wavelet is 0 below."""

_SMALLEST_SPAN = 256
"""Pixels that coordinates from −1 to 1 stand for at least."""


class _Gabor(torch.autograd.Function):
    """exp(jωz − |σz|²) of complex z, with its gradient −jωp − 2σ²z·Re p, where p = gradient · conjugate result."""

    @staticmethod
    def forward(ctx: Any, z: torch.Tensor) -> torch.Tensor:
        exponent = -_OMEGA * z.imag - _SIGMA**2 * (z.real**2 + z.imag**2)
        # Nothing instead of next to nothing: arithmetic on denormal numbers is many times slower on a CPU. And polar
        # instead of exp of a complex number, for the same reason.
        envelope = torch.exp(exponent.masked_fill(exponent < _NEGLIGIBLE, -torch.inf))
        result = torch.polar(envelope, _OMEGA * z.real)
        ctx.save_for_backward(z, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        z, result = ctx.saved_tensors
        product = gradients[0] * result.conj()
        return cast(torch.Tensor, -1j * _OMEGA * product - 2.0 * _SIGMA**2 * z * product.real)


class GaborNetwork(nn.Module):
    """The network of WIRE (Saragadam et al., CVPR 2023) in the size of its image experiments.

    Coordinates → 181 complex wavelets by real weights → 181 → 181 → 1 by complex weights; the real part is the
    intensity. 132,675 real parameters, drawn uniformly within ±1/√(inputs of the layer).

    Parameters
    ----------
    seed : int
        Decides the parameters at the start, on every device alike.
    device : str
        Where it is computed.
    """

    def __init__(self, seed: int, device: str) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        sizes = [(2, _WIDTH, torch.float32), *[(_WIDTH, _WIDTH, torch.complex64)] * 2, (_WIDTH, 1, torch.complex64)]
        self._layers = nn.ModuleList([_layer(*size, random) for size in sizes])
        self.to(device)

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Map (n, 2) coordinates in [−1, 1] to (n,) intensities."""
        *hidden, last = self._layers
        signal = places
        for layer in hidden:
            signal = cast(torch.Tensor, _Gabor.apply(layer(signal).to(torch.complex64)))  # type: ignore[no-untyped-call]
        return cast(torch.Tensor, last(signal).real[:, 0])


def _layer(inputs: int, outputs: int, dtype: torch.dtype, random: torch.Generator) -> nn.Linear:
    # Made without parameters and filled here: its own start draws from the generator that everybody shares.
    layer = nn.Linear(inputs, outputs, device="meta", dtype=dtype).to_empty(device="cpu")
    with torch.no_grad():
        for parameter in layer.parameters():
            reals = torch.view_as_real(parameter) if parameter.is_complex() else parameter
            reals.uniform_(-(inputs**-0.5), inputs**-0.5, generator=random)
    return layer


def grid(rows: int, columns: int, *, height: int, width: int, device: str) -> torch.Tensor:
    """Coordinates of the centres of rows × columns equal pixels that tile a picture.

    Parameters
    ----------
    rows, columns : int
        How many; `height` and `width` for the picture's own pixels.
    height, width : int
        Size of the picture, px.
    device : str
        Where they are kept.

    Returns
    -------
    torch.Tensor
        (rows·columns, 2) float32, x and y. The middle of the picture is (0, 0), its longer side reaches from −1 to 1;
        a picture of less than 256 px takes the same part of that as if it were cut from a larger one: the wavelets'
        size is fixed, and where they are finer than the pixels the network rings between them (on a 24×24 window
        spread over all of [−1, 1] it stays 15 dB behind linear interpolation).
    """
    half = max(height, width, _SMALLEST_SPAN) / 2.0
    y = ((torch.arange(rows) + 0.5) / rows - 0.5) * height / half
    x = ((torch.arange(columns) + 0.5) / columns - 0.5) * width / half
    return torch.cartesian_prod(y, x).flip(1).to(device)
